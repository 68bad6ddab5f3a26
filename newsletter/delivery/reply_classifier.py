"""Classifies SMTP replies. Only codes are kept: a reply's text may quote the address."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple

ENHANCED = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})\b")


class Outcome(StrEnum):
    """What to do next."""

    SENT = "sent"
    LATER = "later"  # temporary: retry this letter
    GONE = "gone"  # no such mailbox: the subscriber bounces
    REFUSED = "refused"  # the relay refuses the sender or the letter: pause the mailing


class Reply(NamedTuple):
    """A reply's code (RFC 5321) and enhanced code (RFC 3463), "" without one."""

    code: int
    enhanced: str = ""

    @classmethod
    def parse(cls, code: int, text: bytes) -> Reply:
        """Keeps the codes and forgets the text."""
        found = ENHANCED.match(text.decode("ascii", "replace"))
        return cls(code, found.group(1) if found else "")

    def __str__(self) -> str:
        return f"{self.code} {self.enhanced}".strip()

    @property
    def is_positive(self) -> bool:
        return 200 <= self.code < 400


# Enhanced codes (RFC 3463, IANA registry of RFC 5248) for a mailbox that permanently fails.
# Every other permanent code is about the sender or the letter.
MAILBOX_GONE = frozenset(
    {
        "5.1.1",  # bad destination mailbox address
        "5.1.2",  # bad destination system address
        "5.1.3",  # bad destination mailbox address syntax
        "5.1.6",  # destination mailbox has moved
        "5.1.10",  # recipient address has null MX (RFC 7505)
        "5.2.1",  # mailbox disabled, not accepting messages
    }
)
# Permanent by class, but a mailbox recovers from them.
MAILBOX_LATER = frozenset(
    {
        "5.2.2",  # mailbox full
        "5.4.4",  # unable to route: often a passing DNS fault
        "5.4.7",  # delivery time expired
    }
)
# Reply codes to RCPT that mean the same without an enhanced code (RFC 5321, 4.2.2).
GONE_WITHOUT_ENHANCED = frozenset({550, 551, 553})


def is_mailbox_gone(reply: Reply) -> bool:
    """Whether the subscriber bounces. A bare 550 may be policy (RFC 5321, 4.2.2): it fails the
    letter only."""
    return reply.enhanced in MAILBOX_GONE


def classify(reply: Reply, *, about_recipient: bool) -> Outcome:
    """`about_recipient`: the reply is to RCPT. Others are never about the subscriber."""
    if reply.is_positive:
        return Outcome.SENT
    if reply.enhanced.startswith("4") or (400 <= reply.code < 500 and not reply.enhanced):
        return Outcome.LATER
    if about_recipient and reply.enhanced in MAILBOX_GONE:
        return Outcome.GONE
    if about_recipient and reply.enhanced in MAILBOX_LATER:
        return Outcome.LATER
    if about_recipient and not reply.enhanced and reply.code in GONE_WITHOUT_ENHANCED:
        return Outcome.GONE
    if 400 <= reply.code < 500:
        return Outcome.LATER
    return Outcome.REFUSED
