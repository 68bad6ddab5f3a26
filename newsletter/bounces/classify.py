"""Classifies a mail at the return path. Pure: bytes in, a report out; nothing in it is trusted.

In this order: feedback report (ARF, RFC 5965), delivery status notification (RFC 3464), auto-reply
(RFC 3834), then non-standard bounces, by flufl.bounce and newsletter/bounces/patterns.py.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.utils import parseaddr
from enum import StrEnum

from flufl.bounce import all_failures

from keys.tokens import TOKEN_LENGTH
from newsletter.bounces import patterns
from newsletter.bounces.mime import ParsedMail, parse_mail
from newsletter.delivery.reply_classifier import MAILBOX_GONE, MAILBOX_LATER
from newsletter.models.bounces import BounceKind

ENVELOPE_HEADERS = ("delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "to", "cc")
_TOKEN = rf"[a-z2-7]{{{TOKEN_LENGTH}}}"
RETURN_PATH_TOKEN = re.compile(rf"\bb-({_TOKEN})@", re.IGNORECASE)
LETTER_LINK_TOKEN = re.compile(rf"/letter/({_TOKEN})\b", re.IGNORECASE)
MESSAGE_ID_TOKEN = re.compile(rf"<({_TOKEN})@", re.IGNORECASE)
ENHANCED_STATUS_CODE = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")
REPLY_CODE = re.compile(r"(?<![\d.])([45]\d\d)(?![\d.])")
FEEDBACK_TYPE = re.compile(r"^Feedback-Type:\s*([\w-]+)", re.IGNORECASE | re.MULTILINE)
ACTION = re.compile(r"^Action:\s*([\w-]+)", re.IGNORECASE | re.MULTILINE)
STATUS = re.compile(r"^Status:\s*(\d\.\d{1,3}\.\d{1,3})", re.IGNORECASE | re.MULTILINE)
DIAGNOSTIC = re.compile(r"^Diagnostic-Code:\s*(.*(?:\n[ \t].*)*)", re.IGNORECASE | re.MULTILINE)
RECEIPT_DISPOSITIONS = frozenset({"displayed", "processed", "dispatched"})
NON_ABUSE_FEEDBACK = frozenset({"not-spam", "auth-failure", "dkim", "virus"})
MICROSOFT_JMRP_SENDER = re.compile(r"staff@hotmail\.com", re.IGNORECASE)
MICROSOFT_JMRP_HEADER = re.compile(r"^X-HmXmrOriginalRecipient:", re.IGNORECASE | re.MULTILINE)
DISPOSITION = re.compile(r"^Disposition:.*;\s*(\w+)", re.IGNORECASE | re.MULTILINE)


class ReportKind(StrEnum):
    """What kind of mail it is."""

    HARD = BounceKind.HARD.value
    SOFT = BounceKind.SOFT.value
    POLICY = BounceKind.POLICY.value
    COMPLAINT = BounceKind.COMPLAINT.value
    AUTO_REPLY = "auto reply"
    NOTICE = "notice"
    """Delayed or delivered: no bounce."""
    UNRECOGNISED = "unrecognised"


LEAST_SEVERE_FIRST = (ReportKind.NOTICE, ReportKind.POLICY, ReportKind.SOFT, ReportKind.HARD)
MAX_RECIPIENT_BLOCKS = 50


@dataclass(frozen=True)
class Report:
    """The kind of mail, and the tokens of the deliveries it may be about."""

    kind: ReportKind
    return_paths: frozenset[str] = frozenset()
    """Tokens of the addresses that the mail itself was sent to."""
    letter_links: frozenset[str] = frozenset()
    message_ids: frozenset[str] = frozenset()
    """Tokens in the letter that a complaint returns; only there."""


class UnreadableMail(Exception):
    """No mail at all."""


def classify(raw: bytes, envelope: str = "") -> Report:
    """`envelope` is the envelope recipient, where known. Raises UnreadableMail."""
    try:
        mail = parse_mail(raw)
        return_paths = _return_paths(mail, envelope)
        kind = _kind(mail)
    except Exception:
        # The standard library's lenient parser still raises on some mails, in various ways. One
        # that nobody foresaw must not block all that come after it.
        raise UnreadableMail from None
    if kind is not ReportKind.COMPLAINT:
        return Report(kind, return_paths)
    returned = "\n".join([*mail.returned, *mail.feedback])
    return Report(
        kind,
        return_paths | _tokens(RETURN_PATH_TOKEN, returned),
        letter_links=_tokens(LETTER_LINK_TOKEN, returned),
        message_ids=_tokens(MESSAGE_ID_TOKEN, returned),
    )


def _return_paths(mail: ParsedMail, envelope: str) -> frozenset[str]:
    """Only from the recipient headers: anything may be quoted in the body."""
    recipients = [envelope, *(value for name in ENVELOPE_HEADERS for value in mail.get_all(name))]
    return _tokens(RETURN_PATH_TOKEN, "\n".join(recipients))


def _tokens(pattern: re.Pattern[str], text: str) -> frozenset[str]:
    return frozenset(token.lower() for token in pattern.findall(text))


# --- The kind ------------------------------------------------------------------------


def _kind(mail: ParsedMail) -> ReportKind:
    for detector in (_feedback_report, _delivery_status, _auto_reply, _non_standard):
        kind = detector(mail)
        if kind is not None:
            return kind
    return ReportKind.UNRECOGNISED


def _feedback_report(mail: ParsedMail) -> ReportKind | None:
    """ARF (RFC 5965); and Microsoft's JMRP, which only returns the letter."""
    if mail.feedback:
        kind = FEEDBACK_TYPE.search("\n".join(mail.feedback))
        is_abuse = kind is None or kind.group(1).lower() not in NON_ABUSE_FEEDBACK
        return ReportKind.COMPLAINT if is_abuse else ReportKind.NOTICE
    is_jmrp = MICROSOFT_JMRP_SENDER.search(mail.header("from")) or any(
        MICROSOFT_JMRP_HEADER.search(letter) for letter in mail.returned
    )
    return ReportKind.COMPLAINT if mail.returned and is_jmrp else None


def _delivery_status(mail: ParsedMail) -> ReportKind | None:
    """RFC 3464. A letter has one recipient, so several are forwarding targets: delivery to one of
    them is enough."""
    found = [_kind_of_block(block, mail.text) for block in _blocks("\n\n".join(mail.statuses))]
    return next((kind for kind in LEAST_SEVERE_FIRST if kind in found), None)


def _blocks(text: str) -> list[str]:
    """The per-recipient blocks; the per-message block has no action."""
    blocks = re.split(r"\n[ \t]*\n", text)
    return [block for block in blocks if ACTION.search(block) or STATUS.search(block)][
        :MAX_RECIPIENT_BLOCKS
    ]


def _kind_of_block(block: str, text: str) -> ReportKind:
    action = ACTION.search(block)
    if action is not None and action.group(1).lower() not in {"failed", "failure"}:
        return ReportKind.NOTICE
    status, diagnostic = STATUS.search(block), DIAGNOSTIC.search(block)
    reply = diagnostic.group(1) if diagnostic else ""
    codes = _kind_of_reply(status.group(1) if status else "", reply)
    return codes or _kind_of_reply("", text) or ReportKind.SOFT


def _kind_of_reply(status: str, reply: str) -> ReportKind | None:
    """By the enhanced status codes (RFC 3463) where they are specific, else by the text."""
    codes = [status, *(".".join(code) for code in ENHANCED_STATUS_CODE.findall(reply))]
    # The remote server's own code comes last and is the more specific one.
    exact = next((code for code in reversed(codes) if code and not _is_generic(code)), "")
    by_text = patterns.bounce_kind_of(reply)
    if exact in MAILBOX_GONE:
        return _kind_of_gone_mailbox(exact, reply, by_text)
    if exact.startswith("5.7.") and patterns.NO_SUCH_USER.search(reply):
        return ReportKind.POLICY if by_text is BounceKind.POLICY else ReportKind.HARD
    if exact.startswith(("5.7.", "5.6.", "5.3.4", "5.2.3", "4.7.")) or exact == "5.1.8":
        return ReportKind.POLICY
    code = REPLY_CODE.search(reply)
    is_temporary = status.startswith("4.") or (code is not None and code.group(1)[0] == "4")
    if is_temporary or exact.startswith("4.") or exact in MAILBOX_LATER:
        return ReportKind.SOFT
    if by_text is not BounceKind.NONE:
        return ReportKind(by_text.value)
    return ReportKind.SOFT if exact else None


def _kind_of_gone_mailbox(exact: str, reply: str, by_text: BounceKind) -> ReportKind:
    """The code says "no such mailbox"; some servers use it for everything."""
    is_doubtful = _is_ambiguous(exact) or not patterns.says_no_such_mailbox(reply)
    if is_doubtful and by_text is BounceKind.POLICY:
        return ReportKind.POLICY
    return ReportKind.SOFT if is_doubtful and patterns.says_mailbox_full(reply) else ReportKind.HARD


def _is_generic(code: str) -> bool:
    return code.endswith(".0.0") or code in {"5.1.0", "5.5.0", "5.4.0", "5.2.0", "5.3.0"}


def _is_ambiguous(code: str) -> bool:
    """5.2.1 is used for a disabled mailbox, and for one that refuses this sender."""
    return code == "5.2.1"


def _auto_reply(mail: ParsedMail) -> ReportKind | None:
    """RFC 3834, older headers, and disposition notifications (RFC 8098)."""
    subject = mail.header("subject")
    receipt = DISPOSITION.search("\n".join(mail.receipts))
    if receipt is not None and receipt.group(1).lower() in RECEIPT_DISPOSITIONS:
        return ReportKind.AUTO_REPLY
    if patterns.BOUNCE_SUBJECT.search(subject) or mail.has("X-Failed-Recipients"):
        return None
    is_marked = (
        mail.header("auto-submitted").lower().startswith("auto-replied")
        or mail.has("X-Autoreply", "X-Autorespond", "X-Auto-Reply")
        or mail.header("precedence").lower() == "auto_reply"
    )
    if patterns.AUTO_REPLY.search(subject) or (is_marked and not _is_from_mailer_daemon(mail)):
        return ReportKind.AUTO_REPLY
    return None


def _is_from_mailer_daemon(mail: ParsedMail) -> bool:
    _name, address = parseaddr(mail.header("from"))
    return patterns.MAILER_DAEMON.search(address.rpartition("@")[0] or address) is not None


def _non_standard(mail: ParsedMail) -> ReportKind | None:
    """A bounce in no standard form: by its headers, subject and text."""
    temporary, permanent = _failures(mail)
    has_failed = bool(permanent) or mail.has("X-Failed-Recipients")
    is_bounce = (
        bool(temporary)
        or has_failed
        or patterns.BOUNCE_SUBJECT.search(mail.header("subject"))
        or (_is_from_mailer_daemon(mail) and patterns.bounce_kind_of(mail.text))
    )
    if not is_bounce:
        return None
    kind = _kind_of_reply("", mail.text)
    if temporary and not permanent and kind is not ReportKind.HARD:
        return ReportKind.NOTICE
    return kind or (ReportKind.SOFT if has_failed else None)


def _failures(mail: ParsedMail) -> tuple[set[bytes], set[bytes]]:
    """Addresses with temporary and permanent failures, by flufl.bounce, which may raise."""
    truncated = mail.truncated()
    if truncated is None:
        return set(), set()
    try:
        temporary, permanent = all_failures(truncated)
    except Exception:
        return set(), set()
    return set(temporary), set(permanent)
