"""What a mail at the address for bounces says. Pure: bytes in, a report out; nothing is trusted.

In this order: a feedback report (ARF, RFC 5965), a delivery status (RFC 3464), an answering
machine (RFC 3834), then the forms without a standard, for which flufl.bounce and our own words
(newsletter/bounces/patterns.py) are asked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.utils import parseaddr
from enum import StrEnum

from flufl.bounce import all_failures

from keys.tokens import TOKEN_LENGTH
from newsletter.bounces import patterns
from newsletter.bounces.mime import Parts, take_apart
from newsletter.delivery.reply_classifier import MAILBOX_GONE, MAILBOX_LATER
from newsletter.models.bounces import BounceKind

ENVELOPE_HEADERS = ("delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "to", "cc")
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
READ = frozenset({"displayed", "processed", "dispatched"})
NOT_ABUSE = frozenset({"not-spam", "auth-failure", "dkim", "virus"})
MICROSOFT = re.compile(r"staff@hotmail\.com", re.IGNORECASE)
MICROSOFT_MARK = re.compile(r"^X-HmXmrOriginalRecipient:", re.IGNORECASE | re.MULTILINE)
DISPOSITION = re.compile(r"^Disposition:.*;\s*(\w+)", re.IGNORECASE | re.MULTILINE)


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


MILDEST_FIRST = (Verdict.NOTICE, Verdict.POLICY, Verdict.SOFT, Verdict.HARD)
MOST_BLOCKS = 50


@dataclass(frozen=True)
class Report:
    """What the mail says, and which letters it may be about."""

    verdict: Verdict
    return_paths: frozenset[str] = frozenset()
    """Tokens of the addresses that the mail itself was sent to."""
    letters: frozenset[str] = frozenset()
    messages: frozenset[str] = frozenset()
    """Tokens in the letter that a complaint gives back, which has nothing else."""


class Unreadable(Exception):
    """It is no mail at all."""


def read(raw: bytes, envelope: str = "") -> Report:
    """`envelope` is the recipient where the mail server says it apart. Raises Unreadable."""
    try:
        parts = take_apart(raw)
        return_paths = _return_paths(parts, envelope)
        verdict = _verdict(parts)
    except Exception:
        # The standard library's parser is lenient and still meets mails that break it, each in a
        # way of its own. One that nobody foresaw must not stand before all that come after it.
        raise Unreadable from None
    if verdict is not Verdict.COMPLAINT:
        return Report(verdict, return_paths)
    given_back = "\n".join([*parts.returned, *parts.feedback])
    return Report(
        verdict,
        return_paths | _found(RETURN_PATH, given_back),
        letters=_found(LETTER, given_back),
        messages=_found(MESSAGE_ID, given_back),
    )


def _return_paths(parts: Parts, envelope: str) -> frozenset[str]:
    """Only where the mail was sent to: what it quotes may be anybody's."""
    said = [envelope, *(value for name in ENVELOPE_HEADERS for value in parts.all(name))]
    return _found(RETURN_PATH, "\n".join(said))


def _found(pattern: re.Pattern[str], text: str) -> frozenset[str]:
    return frozenset(token.lower() for token in pattern.findall(text))


# --- What it is ----------------------------------------------------------------------


def _verdict(parts: Parts) -> Verdict:
    for found in (_complaint, _status, _answering_machine, _other_forms):
        verdict = found(parts)
        if verdict is not None:
            return verdict
    return Verdict.UNRECOGNISED


def _complaint(parts: Parts) -> Verdict | None:
    """RFC 5965; and Microsoft's, which only gives the letter back."""
    if parts.feedback:
        kind = FEEDBACK.search("\n".join(parts.feedback))
        is_abuse = kind is None or kind.group(1).lower() not in NOT_ABUSE
        return Verdict.COMPLAINT if is_abuse else Verdict.NOTICE
    is_microsofts = MICROSOFT.search(parts.header("from")) or any(
        MICROSOFT_MARK.search(letter) for letter in parts.returned
    )
    return Verdict.COMPLAINT if parts.returned and is_microsofts else None


def _status(parts: Parts) -> Verdict | None:
    """RFC 3464. Each letter has one reader, so several recipients are where it was forwarded to:
    who is reached at one of them is reached."""
    found = [_of_block(block, parts.text) for block in _blocks("\n\n".join(parts.statuses))]
    return next((verdict for verdict in MILDEST_FIRST if verdict in found), None)


def _blocks(text: str) -> list[str]:
    """One for each recipient; the first, about the whole report, has no action."""
    blocks = re.split(r"\n[ \t]*\n", text)
    return [block for block in blocks if ACTION.search(block) or STATUS.search(block)][:MOST_BLOCKS]


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
    spoken = patterns.kind_of(said)
    if exact in MAILBOX_GONE:
        return _of_a_gone_one(exact, said, spoken)
    if exact.startswith("5.7.") and patterns.PLAINLY_GONE.search(said):
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


def _of_a_gone_one(exact: str, said: str, spoken: BounceKind) -> Verdict:
    """The code says that there is no such mailbox, and some use it for everything."""
    is_doubtful = _is_vague(exact) or not patterns.say_gone(said)
    if is_doubtful and spoken is BounceKind.POLICY:
        return Verdict.POLICY
    return Verdict.SOFT if is_doubtful and patterns.say_full(said) else Verdict.HARD


def _says_little(code: str) -> bool:
    return code.endswith(".0.0") or code in {"5.1.0", "5.5.0", "5.4.0", "5.2.0", "5.3.0"}


def _is_vague(code: str) -> bool:
    """Used for a mailbox that is switched off, and for one that takes nothing from us."""
    return code == "5.2.1"


def _answering_machine(parts: Parts) -> Verdict | None:
    """RFC 3834, the headers that were there before it, and receipts (RFC 8098)."""
    subject = parts.header("subject")
    receipt = DISPOSITION.search("\n".join(parts.receipts))
    if receipt is not None and receipt.group(1).lower() in READ:
        return Verdict.AUTO_REPLY
    if patterns.BOUNCE_SUBJECT.search(subject) or parts.has("X-Failed-Recipients"):
        return None
    is_marked = (
        parts.header("auto-submitted").lower().startswith("auto-replied")
        or parts.has("X-Autoreply", "X-Autorespond", "X-Auto-Reply")
        or parts.header("precedence").lower() == "auto_reply"
    )
    if patterns.AUTO_REPLY.search(subject) or (is_marked and not _is_from_robot(parts)):
        return Verdict.AUTO_REPLY
    return None


def _is_from_robot(parts: Parts) -> bool:
    _name, address = parseaddr(parts.header("from"))
    return patterns.ROBOT.search(address.rpartition("@")[0] or address) is not None


def _other_forms(parts: Parts) -> Verdict | None:
    """No standard: does it look like a bounce, and what do its words say?"""
    temporary, permanent = _failures(parts)
    has_failed = bool(permanent) or parts.has("X-Failed-Recipients")
    looks_so = (
        bool(temporary)
        or has_failed
        or patterns.BOUNCE_SUBJECT.search(parts.header("subject"))
        or (_is_from_robot(parts) and patterns.kind_of(parts.text))
    )
    if not looks_so:
        return None
    judged = _judge("", parts.text)
    if temporary and not permanent and judged is not Verdict.HARD:
        return Verdict.NOTICE
    return judged or (Verdict.SOFT if has_failed else None)


def _failures(parts: Parts) -> tuple[set[bytes], set[bytes]]:
    """flufl.bounce: addresses that failed for now, and for good. Its detectors may stumble."""
    beginning = parts.beginning()
    if beginning is None:
        return set(), set()
    try:
        temporary, permanent = all_failures(beginning)
    except Exception:
        return set(), set()
    return set(temporary), set(permanent)
