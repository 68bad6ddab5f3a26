"""What servers say in words where their codes say nothing. Patterns, in the order they count.

A wrong *policy* or *soft* costs a letter or two; a wrong *hard* costs a reader. So whatever
sounds like a policy counts first, and only plain words about the mailbox make a hard bounce.
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
| (message|size)\ .{0,30}(exceeds|too\ (big|large|long)) | exceeds\ .{0,30}size | rate\ limit
| too\ many\ (messages|connections|recipients|errors) | refused\ by\ (the\ )?(administrator|filter)
| sender\ (address\ )?(rejected|denied|verify|verification) | reverse\ dns | ptr\ record
| (message|mail|email)\ (was\ )?(rejected|refused)\ (as|due|because|for) | transaction\ failed
| contact\ (list|the)\ (owner|administrator) | challenge | confirm\ (that\ )?you | whitelist
| спам | заблокирован | отклонено\ (политикой|фильтром)
"""
_GONE = r"""
(user|recipient|mailbox|address(ee)?|account|alias)\ [^.\n]{0,60}?
  (unknown|not\ (found|known|exist|a\ known|a\ valid|local|listed|recognized|here)
   |(does\ not|doesn'?t|did\ not|didn'?t|no\ longer)\ (exist|have)|is\ (invalid|inactive|disabled
   |not\ valid|no\ longer\ valid|not\ active|closed)|has\ been\ (disabled|closed|deactivated
   |suspended
   |discontinued|deleted|removed)|non.?existent|disabled)
| (unknown|invalid|no\ such|bad|illegal|non.?existent|undefined|unrecognized|inactive|expired)
  \W{0,4}(local\W+)?(user|recipient|mailbox|address|account|alias|person|name|destination|part)
| no\ (such\ )?(mailbox|user|account|recipient|person|one)\b [^\n]{0,40}
| (host|domain)\ (name\ )?(unknown|not\ found|does\ not\ exist) | unknown\ (host|domain)
| unrouteable\ (address|mail\ domain) | address\ (couldn'?t\ be|could\ not\ be|was\ not)\ found
| (there\ is|have)\ no\ (user|mailbox|account|such) | not\ our\ customer | isn'?t\ in\ my\ list
| (doesn'?t|does\ not|don'?t|do\ not)\ have\ an?\ [^\n]{0,40}account | not\ listed\ in
| unknown\ to\ us
| couldn'?t\ find\ any\ host | left\ the\ company | no\ longer\ (works|employed|with\ )
| addressee\ unknown | permission\ denied\.?\ unknown | retired | user\ is\ not\ registered
| нет\ такого\ (пользователя|ящика|адреса) | пользователь\ не\ найден
| ящик\ не\ (существует|найден)
| адрес\ не\ (существует|найден) | не\ существует | няма\ такога | utilisateur\ inconnu | unbekannt
| kein\ solcher | no\ existe | sconosciuto | nieznany | não\ existe | inconnu
"""
PLAINLY_GONE = re.compile(
    r"(no such|unknown) (user|mailbox|recipient)|user unknown|no mailbox|does(n't| not) exist",
    re.IGNORECASE,
)
"""What some say of a mailbox under a code that is about policy."""
_SOFT = r"""
quota
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
IN_ORDER = (
    (BounceKind.POLICY, re.compile(_POLICY, _FLAGS)),
    (BounceKind.HARD, re.compile(_GONE, _FLAGS)),
    (BounceKind.SOFT, re.compile(_SOFT, _FLAGS)),
)

AUTO_REPLY = re.compile(
    r"""
    out\ of\ (the\ )?office | away\ from\ (my|the)\ (office|desk|mail)
    | on\ (vacation|leave|holiday)
    | vacation\ (reply|response|message|notice)
    | auto(matic|mated)?\W{0,2}(reply|response|answer|responder)
    | автоответ | автоматическ(ий|ое)\ (ответ|сообщение) | в\ отпуске | не\ в\ офисе
    | аўтаадказ | аўтаматычны\ адказ | у\ адпачынку | abwesenheit | automatische\ antwort
    | r[ée]ponse\ automatique | respuesta\ autom | absence\ du\ bureau | nieobecno
    | (message|mail|ticket|request)\ (has\ been\ |was\ )?received
    | thank\ you\ for\ (your|contacting)
    | challenge.response | please\ confirm\ your\ (message|e?mail)
    """,
    _FLAGS,
)
"""Subjects of answering machines."""

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
"""Subjects of servers that give a letter back."""

ROBOT = re.compile(
    r"mailer.?daemon|postmaster|mail.?delivery|mdaemon|autoreply|microsoft.?exchange"
    r"|system.administrator"
    r"|mail.?administrator|majordomo|mail(er)?.?system|mxrelay|bounce|^$",
    re.IGNORECASE,
)
"""Who gives letters back: not a person."""


def kind_of(text: str) -> BounceKind:
    """What these words mean, or NONE."""
    return next((kind for kind, words in IN_ORDER if words.search(text)), BounceKind.NONE)
