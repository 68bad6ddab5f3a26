"""What a mail at the address for bounces says. Pure: bytes in, a report out; nothing is trusted.

In this order: a feedback report (ARF, RFC 5965), a delivery status (RFC 3464), an answering
machine (RFC 3834), then the forms without a standard, for which flufl.bounce and our own words
(newsletter/bounces/words.py) are asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from enum import StrEnum

from flufl.bounce import all_failures

from newsletter.bounces import words
from newsletter.models.bounces import BounceKind
from newsletter.sending.outcomes import MAILBOX_GONE, MAILBOX_LATER
from newsroom.links import TOKEN_LENGTH

MOST_BYTES = 1024 * 1024
"""What is longer than this is cut: a report stands at the beginning."""
MOST_TEXT = 20_000
"""Characters of words that are looked at."""
ENVELOPE_HEADERS = ("Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "To", "Cc")
_TOKEN = rf"[a-z2-7]{{{TOKEN_LENGTH}}}"
RETURN_PATH = re.compile(rf"\bb-({_TOKEN})@", re.IGNORECASE)
LETTER = re.compile(rf"/letter/({_TOKEN})\b", re.IGNORECASE)
MESSAGE_ID = re.compile(rf"<({_TOKEN})@", re.IGNORECASE)
ENHANCED = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")
CODE = re.compile(r"(?<![\d.])([45]\d\d)(?![\d.])")
FEEDBACK = re.compile(r"^Feedback-Type:\s*([\w-]+)", re.IGNORECASE | re.MULTILINE)
ACTION = re.compile(r"^Action:\s*([\w-]+)", re.IGNORECASE | re.MULTILINE)
STATUS = re.compile(r"^Status:\s*(\d\.\d{1,3}\.\d{1,3})", re.IGNORECASE | re.MULTILINE)
DIAGNOSTIC = re.compile(r"^Diagnostic-Code:\s*(.*(?:\n[ \t].*)*)", re.IGNORECASE | re.MULTILINE)
RETURNED_LETTER = frozenset({"message/rfc822", "text/rfc822-headers", "message/rfc822-headers"})
NOT_ABUSE = frozenset({"not-spam", "auth-failure", "dkim", "virus"})
MICROSOFT_FEEDBACK = re.compile(r"staff@hotmail\.com", re.IGNORECASE)


class Verdict(StrEnum):
    """What a mail is."""

    HARD = BounceKind.HARD.value
    SOFT = BounceKind.SOFT.value
    POLICY = BounceKind.POLICY.value
    COMPLAINT = BounceKind.COMPLAINT.value
    AUTO_REPLY = "auto reply"
    NOTICE = "notice"
    """It will still arrive, or has arrived."""
    UNRECOGNISED = "unrecognised"


@dataclass(frozen=True)
class Report:
    """What the mail says, and which letters it may be about."""

    verdict: Verdict
    return_paths: frozenset[str] = frozenset()
    """Tokens of the addresses that the mail itself was sent to."""
    letters: frozenset[str] = frozenset()
    messages: frozenset[str] = frozenset()
    """Tokens in the letter that a complaint gives back, which has nothing else."""


@dataclass
class _Parts:
    """A mail taken apart once."""

    message: Message
    statuses: list[str] = field(default_factory=list)
    feedback: list[str] = field(default_factory=list)
    returned: list[str] = field(default_factory=list)
    text: str = ""


class Unreadable(Exception):
    """It is no mail at all."""


def read(raw: bytes, envelope: str = "") -> Report:
    """`envelope` is the recipient where the mail server says it apart. Raises Unreadable."""
    try:
        message = message_from_bytes(raw[:MOST_BYTES])
        parts = _take_apart(message)
        return_paths = _return_paths(message, envelope)
        verdict = _verdict(parts)
    except (ValueError, LookupError, TypeError, AttributeError, AssertionError, RecursionError):
        # The standard library's parser is lenient, and still meets mails that break it.
        raise Unreadable from None
    if verdict is not Verdict.COMPLAINT:
        return Report(verdict, return_paths)
    returned = "\n".join(parts.returned)
    return Report(
        verdict,
        return_paths | _found(RETURN_PATH, returned),
        letters=_found(LETTER, returned),
        messages=_found(MESSAGE_ID, returned),
    )


def _return_paths(message: Message, envelope: str) -> frozenset[str]:
    """Only where the mail was sent to: what it quotes may be anybody's."""
    said = [envelope, *(value for name in ENVELOPE_HEADERS for value in _all(message, name))]
    return _found(RETURN_PATH, "\n".join(said))


def _all(message: Message, name: str) -> list[str]:
    """A header's values as people would read them, however they were written."""
    return [
        _decoded(value) for known, value in message.raw_items() if known.lower() == name.lower()
    ]


def _header(message: Message, name: str) -> str:
    return next(iter(_all(message, name)), "")


def _decoded(value: object) -> str:
    # Bytes beyond ASCII, which no header should have and many do, come as surrogates.
    text = str(value).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    try:
        return str(make_header(decode_header(text)))
    except (HeaderParseError, LookupError, ValueError):
        return text


def _found(pattern: re.Pattern[str], text: str) -> frozenset[str]:
    return frozenset(token.lower() for token in pattern.findall(text))


def _take_apart(message: Message) -> _Parts:
    parts = _Parts(message)
    spoken: list[str] = []
    for part in _own_parts(message):
        kind = part.get_content_type()
        if kind == "message/delivery-status":
            parts.statuses.append(_flat(part))
        elif kind == "message/feedback-report":
            parts.feedback.append(_flat(part))
        elif kind in RETURNED_LETTER:
            parts.returned.append(_flat(part))
        elif kind.startswith("text/"):
            spoken.append(_words(part))
    parts.text = _before_the_copy("\n".join(spoken))[:MOST_TEXT]
    return parts


def _own_parts(message: Message) -> Iterator[Message]:
    """Without what is inside a letter that is given back."""
    waiting = [message]
    while waiting:
        part = waiting.pop(0)
        kind = part.get_content_type()
        children = part.get_payload() if part.is_multipart() else None
        if kind.startswith("multipart/") and isinstance(children, list):
            waiting = [child for child in children if isinstance(child, Message)] + waiting
        else:
            yield part


def _flat(part: Message) -> str:
    """A part as text, whatever the parser made of it."""
    payload = part.get_payload()
    if isinstance(payload, list):
        return "\n".join(str(child) for child in payload)
    return _words(part)


def _words(part: Message) -> str:
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes):
        return str(part.get_payload())
    charset = part.get_content_charset() or "utf-8"
    try:
        text = content.decode(charset, "replace")
    except LookupError:
        text = content.decode("latin-1")
    if part.get_content_subtype() == "html":
        text = re.sub(r"<(style|script)\b.*?</\1>|<[^>]*>", " ", text, flags=re.I | re.S)
    return text


def _before_the_copy(text: str) -> str:
    begins = words.COPY_BEGINS.search(text)
    # Some say "the original message" first and only then why.
    return text[: begins.start()] if begins and begins.start() > 40 else text


# --- What it is ----------------------------------------------------------------------


def _verdict(parts: _Parts) -> Verdict:
    for found in (_complaint, _status, _answering_machine, _other_forms):
        verdict = found(parts)
        if verdict is not None:
            return verdict
    return Verdict.UNRECOGNISED


def _complaint(parts: _Parts) -> Verdict | None:
    """RFC 5965; and Microsoft's, which only gives the letter back."""
    if parts.feedback:
        kind = FEEDBACK.search("\n".join(parts.feedback))
        is_abuse = kind is None or kind.group(1).lower() not in NOT_ABUSE
        return Verdict.COMPLAINT if is_abuse else Verdict.NOTICE
    sender = _header(parts.message, "From")
    if parts.returned and MICROSOFT_FEEDBACK.search(sender):
        return Verdict.COMPLAINT
    return None


def _status(parts: _Parts) -> Verdict | None:
    """RFC 3464. Several recipients are one reader's forwarding: the worst of them counts."""
    if not parts.statuses:
        return None
    found = [_of_block(block, parts.text) for block in _blocks("\n\n".join(parts.statuses))]
    for verdict in (Verdict.HARD, Verdict.SOFT, Verdict.POLICY, Verdict.NOTICE):
        if verdict in found:
            return verdict
    return None


def _blocks(text: str) -> list[str]:
    """One for each recipient; the first, about the whole report, has no action."""
    blocks = re.split(r"\n\s*\n", text.replace("\r\n", "\n"))
    return [block for block in blocks if ACTION.search(block) or STATUS.search(block)]


def _of_block(block: str, text: str) -> Verdict:
    action = ACTION.search(block)
    if action is not None and action.group(1).lower() not in {"failed", "failure"}:
        return Verdict.NOTICE
    status, diagnostic = STATUS.search(block), DIAGNOSTIC.search(block)
    said = diagnostic.group(1) if diagnostic else ""
    return _judge(status.group(1) if status else "", said) or _judge("", text) or Verdict.SOFT


def _judge(status: str, said: str) -> Verdict | None:
    """By the codes where they say something, else by the words."""
    codes = [status, *(".".join(code) for code in ENHANCED.findall(said))]
    # The server's own code is the more exact one; the other often is a mere x.0.0.
    exact = next((code for code in reversed(codes) if code and not _says_little(code)), "")
    spoken = words.kind_of(said)
    if exact in MAILBOX_GONE:
        return Verdict.POLICY if spoken is BounceKind.POLICY and _is_vague(exact) else Verdict.HARD
    if exact.startswith("5.7.") and words.PLAINLY_GONE.search(said):
        return Verdict.POLICY if spoken is BounceKind.POLICY else Verdict.HARD
    if exact.startswith(("5.7.", "5.6.", "5.3.4", "5.2.3", "4.7.")) or exact == "5.1.8":
        return Verdict.POLICY
    code = CODE.search(said)
    is_for_now = status.startswith("4.") or (code is not None and code.group(1)[0] == "4")
    if is_for_now or exact.startswith("4.") or exact in MAILBOX_LATER:
        return Verdict.SOFT
    if spoken is not BounceKind.NONE:
        return Verdict(spoken.value)
    return Verdict.SOFT if exact else None


def _says_little(code: str) -> bool:
    return code.endswith(".0.0") or code in {"5.1.0", "5.5.0", "5.4.0", "5.2.0", "5.3.0"}


def _is_vague(code: str) -> bool:
    """Used for a mailbox that is switched off, and for one that takes nothing from us."""
    return code == "5.2.1"


def _answering_machine(parts: _Parts) -> Verdict | None:
    """RFC 3834, and the headers that were there before it."""
    message = parts.message
    subject, sender = _header(message, "Subject"), _header(message, "From")
    if words.BOUNCE_SUBJECT.search(subject) or "X-Failed-Recipients" in message:
        return None
    is_marked = _header(message, "Auto-Submitted").lower().startswith("auto-replied") or any(
        name in message for name in ("X-Autoreply", "X-Autorespond", "X-Auto-Reply")
    )
    is_marked = is_marked or _header(message, "Precedence").lower() == "auto_reply"
    is_robot = words.ROBOT.search(_address_in(sender)) is not None
    if words.AUTO_REPLY.search(subject) or (is_marked and not is_robot):
        return Verdict.AUTO_REPLY
    return None


def _address_in(header: str) -> str:
    found = re.search(r"([^\s<>@\"]*)@", header)
    return found.group(1) if found else header


def _other_forms(parts: _Parts) -> Verdict | None:
    """No standard: does it look like a bounce, and what do its words say?"""
    temporary, permanent = _failures(parts.message)
    message = parts.message
    looks_so = bool(
        temporary
        or permanent
        or "X-Failed-Recipients" in message
        or words.BOUNCE_SUBJECT.search(_header(message, "Subject"))
        or (words.ROBOT.search(_address_in(_header(message, "From"))) and words.kind_of(parts.text))
    )
    if not looks_so:
        return None
    judged = _judge("", parts.text)
    if temporary and not permanent and judged is not Verdict.HARD:
        return Verdict.NOTICE
    if judged is not None:
        return judged
    return Verdict.SOFT if permanent or "X-Failed-Recipients" in message else None


def _failures(message: Message) -> tuple[set[bytes], set[bytes]]:
    """flufl.bounce: addresses that failed for now, and for good. Its detectors may stumble."""
    try:
        temporary, permanent = all_failures(message)
    except Exception:
        return set(), set()
    return set(temporary), set(permanent)
