"""Patterns of bounce texts, for servers whose codes say nothing, in order of precedence.

A wrong *policy* or *soft* costs a letter or two; a wrong *hard* costs a subscriber. So policy comes
first, and only plain words about the mailbox make a hard bounce.
"""

from __future__ import annotations

import re

from newsletter.models.bounces import BounceKind

_POLICY = r"""
spam | junk | block(ed|list|ing) | black\W?list | dnsbl | rbl | spamhaus | spamcop | barracuda
| sorbs
| reputation | polic(y|ies) | dmarc | \bspf\b | \bdkim\b | unsolicited | banned | not\ authori[sz]ed
| authentication\ (required|is\ required)
| relay(ing)?\ (access\ )?(denied|not\ (allowed|permitted))
| unable\ to\ relay | content\ (rejected|filter) | prohibited | virus | suspicious
| too\ (big|large)
| message\ .{0,30}(exceed(?!.{0,40}(quota|limit))|too\ long)
| exceed(s|ed|ing)?\ .{0,30}(message|size) | message\ size
| rate\ limit | at\ a\ rate\ that | receiving\ mail\ too
| too\ many\ (messages|connections|recipients|errors) | refused\ by\ (the\ )?(administrator|filter)
| sender\ (address\ )?(rejected|denied|verify|verification) | reverse\ dns | ptr\ record
| (message|mail|email)\ (was\ )?(rejected|refused)\ (as|due|because|for) | transaction\ failed
| contact\ (list|the)\ (owner|administrator) | challenge
| requires?\ confirmation | confirm\ (that\ )?you | whitelist
| спам | заблокирован | отклонено\ (политикой|фильтром)
"""
_GONE = r"""
(user|recipient|mailbox|address(ee)?|account|alias)\ [^.\n]{0,60}?
  (unknown|not\ (found|known|exist|a\ known|a\ valid|local|listed|recognized|here)
   |(does\ not|doesn'?t|did\ not|didn'?t|no\ longer)\ (exist|have)|is\ (invalid|inactive|disabled
   |not\ valid|no\ longer\ valid|not\ active|closed)|has\ been\ (disabled|closed|deactivated
   |suspended
   |discontinued|deleted|removed)|non.?existent|disabled)
| is\ not\ an?\ (known|valid|active|local|registered|recogni[sz]ed|existing)
  \ (user|recipient|mailbox|address|account)
| not\ a\ (known|valid)\ (user|recipient|mailbox|address|account)
| (deactivated|dead|closed|deleted)\ (mailbox|account|user|address) | no\ mail\ box
| rcpt\ (it\ )?does\ not\ exist | name\ is\ not\ recogni[sz]ed
| automatically\ deactivated
| (unknown|invalid|no\ such|bad|illegal|non.?existent|undefined|unrecognized|inactive|expired)
  [\W_]{0,4}(local\W+)?(user|recipient|mailbox|address|account|alias|person|name|destination|part)
| no\ (such\ )?(mailbox|user|account|recipient|person|one)\b [^\n]{0,40}
| unrouteable\ (address|mail\ domain) | address\ (couldn'?t\ be|could\ not\ be|was\ not)\ found
| (there\ is|have)\ no\ (user|mailbox|account|such) | not\ our\ customer | isn'?t\ in\ my\ list
| (doesn'?t|does\ not|don'?t|do\ not)\ have\ an?\ [^\n]{0,40}account | not\ listed\ in
| unknown\ to\ us
| left\ the\ company | no\ longer\ (works|employed|with\ )
| addressee\ unknown | permission\ denied\.?\ unknown | retired | user\ is\ not\ registered
| нет\ такого\ (пользователя|ящика|адреса) | пользователь\ не\ найден
| ящик\ не\ (существует|найден)
| адрес(ат)?\ не\ (существует|найден) | не\ существует | няма\ такога
| (скрынк|адрас|карыстальнік)\w*\ не\ (існуе|знойдзен) | utilisateur\ inconnu | unbekannt
| kein\ solcher | no\ existe | sconosciuto | nieznany | não\ existe | inconnu
"""
NO_SUCH_USER = re.compile(
    r"(no such|unknown) (user|mailbox|recipient)|user unknown|no mailbox|does(n't| not) exist",
    re.IGNORECASE,
)
"""What some servers say under a policy code (5.7.x)."""
_SOFT = r"""
quota
| (host|domain)\ (name\ )?(unknown|not\ found|does\ not\ exist) | (unknown|no\ such)\ (host|domain)
| couldn'?t\ find\ any\ host
| (mailbox|inbox|account|box|folder|storage|disk|file\ system)\ [^.\n]{0,40}(full|exceed|limit)
| over\ (the\ )?(quota|limit|its) | insufficient\ (system\ )?(storage|space|disk)
| out\ of\ (disk|storage)
| no\ space | temporar(y|ily) | try\ again | timed?\W?out | deferred | grey?\W?list | retry\ time
| (connection|host|server|service)\ [^.\n]{0,30}(refused|unreachable|unavailable|busy|down|lost
|not\ available)
| undeliverable\ for | delivery\ (time\ )?expired | could\ not\ be\ delivered\ for | expired\ after
| (mailbox|user|recipient)\ (is\ )?(currently\ )?unavailable
| mail\ loop | too\ many\ hops | routing\ loop | loops\ back | network\ error | not\ accepting
| переполнен | превышен | временно | перапоўнен | часова
"""

_FLAGS = re.IGNORECASE | re.VERBOSE


def _at_word_start(pattern: str) -> re.Pattern[str]:
    """An undisclosed address is no closed one."""
    return re.compile(rf"\b(?:{pattern})", _FLAGS)


PATTERNS_IN_ORDER = (
    (BounceKind.POLICY, _at_word_start(_POLICY)),
    (BounceKind.HARD, _at_word_start(_GONE)),
    (BounceKind.SOFT, _at_word_start(_SOFT)),
)

AUTO_REPLY = re.compile(
    r"""
    out\ of\ (the\ )?office | away\ from\ (my|the)\ (office|desk|mail)
    | on\ (vacation|leave|holiday)
    | vacation\ (reply|response|message|notice)
    | auto(matic|mated)?\W{0,2}(reply|response|answer|responder)
    | автоответ | автоматическ(ий|ое)\ (ответ|сообщение) | в\ отпуске | не\ в\ офисе
    | automatyczna\ odpow
    | аўтаадказ | аўтаматычны\ адказ | у\ адпачынку | abwesenheit | automatische\ antwort
    | r[ée]ponse\ automatique | respuesta\ autom | absence\ du\ bureau | nieobecno
    | (message|mail|ticket|request)\ (has\ been\ |was\ )?received
    | thank\ you\ for\ (your|contacting)
    | challenge.response | please\ confirm\ your\ (message|e?mail)
    """,
    _FLAGS,
)
"""Subjects of auto-replies."""

BOUNCE_SUBJECT = re.compile(
    r"""
    undeliver | (delivery|mail|message)\W.{0,30}(fail|error|problem|not\ deliver|could\ not|returned
    |notification|status|incomplete) | fail(ed|ure)\W.{0,30}(delivery|notice|mail|message)
    | returned\ (mail|to\ sender) | rejected\ mail | non.?deliver | nondeliverable
    | can'?t\ be\ delivered
    | недоставлен | не\ доставлено | возвращен | невозможно\ доставить | mail\ system\ error
    | bounced
    | unzustellbar | permanent\ delivery | warning:\ could\ not | address\ not\ found
    | unknown\ user
    | user\ unknown | mail\ (to|for)\ .{0,60}(fail|could|not|reject) | delivery\ report
    """,
    _FLAGS,
)
"""Subjects of bounces."""

MAILER_DAEMON = re.compile(
    r"mailer.?daemon|postmaster|mail.?delivery|mdaemon|microsoft.?exchange"
    r"|system.administrator"
    r"|mail.?administrator|majordomo|mail(er)?.?system|mxrelay|bounce|^$",
    re.IGNORECASE,
)
"""Local parts that bounces come from."""


MAILBOX_FULL = re.compile(
    r"quota|\bfull\b|out of (storage|disk|space)|over (the|its) limit", re.IGNORECASE
)
"""The mailbox exists."""

ADDRESS = re.compile(r"[^\s<>\[\](),;:\"]{1,64}@[^\s<>\[\](),;:\"]{1,255}|https?://[^\s<>]{1,500}")
"""The recipient's own, or a page about the refusal: its words say nothing about the reason."""


def without_addresses(text: str) -> str:
    """On one line, with addresses and links replaced."""
    return " ".join(ADDRESS.sub("it", text).split())


def bounce_kind_of(text: str) -> BounceKind:
    """By the first pattern that matches, else NONE."""
    words = without_addresses(text)
    return next((kind for kind, one in PATTERNS_IN_ORDER if one.search(words)), BounceKind.NONE)


def says_mailbox_full(text: str) -> bool:
    """Whether the mailbox exists and is full."""
    return MAILBOX_FULL.search(without_addresses(text)) is not None


def says_no_such_mailbox(text: str) -> bool:
    """Whether any of it says that there is no such mailbox, whatever else it says."""
    return dict(PATTERNS_IN_ORDER)[BounceKind.HARD].search(without_addresses(text)) is not None
