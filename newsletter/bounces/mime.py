"""A mail taken apart, within bounds: whoever writes one must not keep a worker busy with it.

Every limit is far above what a real report needs. What is beyond is cut or not looked at, so
that no pattern of ours meets more text than it can search at once.
"""

from __future__ import annotations

import html
import itertools
import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesParser
from email.policy import Compat32

MOST_READ = 256 * 1024
"""Bytes of a mail: a report stands at its beginning, and so do the headers of the letter that it
gives back."""
MOST_READ_OFTEN = 64 * 1024
"""Bytes of its very beginning, for who goes through it dozens of times."""
MOST_HEADER = 4_000
"""Characters of one header."""
MOST_TEXT = 20_000
"""Characters of words, of a status, of a returned letter's headers."""
MOST_PARTS, MOST_NESTED = 50, 50
RETURNED_LETTER = frozenset({"message/rfc822", "text/rfc822-headers", "message/rfc822-headers"})
OPENS_PARTS = re.compile(rb"content-type:[ \t\r\n]{0,9}(?:multipart|message)/", re.IGNORECASE)
TAG = re.compile(r"(<[^<>]*>)")
UNSEEN = re.compile(r"<(/?)(?:style|script|head|title)\b", re.IGNORECASE)

COPY_BEGINS = re.compile(
    r"""
    ^[^\w\n]{0,60}(
      (below\ this\ line|this|here|following|the\ following|attached)\ .{0,40}(is|are)\ .{0,30}
        (copy|header|original|message)\b.{0,200}
      | (the\ )?(original|unsent|returned|undelivered|rejected)\ (mail|message|text)\b.{0,40}
      | (your|included)\ .{0,20}(message|mail)\ (follows|is\ (enclosed|attached|below)
      |header).{0,40}
      | (message|mail)\ (header|text|body|contents?)s?\b.{0,20}(follow|:)?.{0,10}
      | исходное\ (письмо|сообщение).{0,20} | оригинал .{0,30}
    )[^\w\n]{0,60}$
    | ^(received|return-path|dkim-signature):\s
    """,
    re.IGNORECASE | re.VERBOSE | re.MULTILINE,
)
"""Where a report ends and the letter that it gives back begins: its words are the newsroom's."""
SAYS_SOMETHING = 40
"""Some write "the original message" first and only then why; so soon nothing was said yet."""


class TooDeep(ValueError):
    """It is folded into itself more often than any report."""


@dataclass
class Parts:
    """A mail as the reader of reports looks at it."""

    message: Message
    statuses: list[str] = field(default_factory=list)
    feedback: list[str] = field(default_factory=list)
    receipts: list[str] = field(default_factory=list)
    returned: list[str] = field(default_factory=list)
    text: str = ""
    start: bytes = b""

    def beginning(self) -> Message | None:
        """For who reads it over and over; None where it is cut in too many pieces for that."""
        message = _parse(self.start)
        pieces = sum(1 for _ in itertools.islice(message.walk(), MOST_PARTS + 1))
        return message if pieces <= MOST_PARTS else None

    def all(self, name: str) -> list[str]:
        """A header's values as people would read them, however they were written."""
        values = (value for known, value in self.message.raw_items() if known.lower() == name)
        return [_decoded(value) for value in itertools.islice(values, MOST_PARTS)]

    def header(self, name: str) -> str:
        """The first of them, or nothing."""
        return next(iter(self.all(name)), "")

    def has(self, *names: str) -> bool:
        """Whether any of these headers is there."""
        return any(name in self.message for name in names)


class _ShortHeaders(Compat32):
    """The standard library's lenient way, with no header longer than one can search."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        return name, value[:MOST_HEADER]


def take_apart(raw: bytes) -> Parts:
    """Raises TooDeep; and, as the standard library's parser does at times, others."""
    raw = raw[:MOST_READ]
    if sum(1 for _ in OPENS_PARTS.finditer(raw)) > MOST_NESTED:
        raise TooDeep
    parts = Parts(_parse(raw), start=raw[:MOST_READ_OFTEN])
    spoken: list[str] = []
    for part in _own_parts(parts.message):
        kind = part.get_content_type()
        if kind == "message/delivery-status":
            parts.statuses.append(_flat(part))
        elif kind == "message/feedback-report":
            parts.feedback.append(_flat(part))
        elif kind == "message/disposition-notification":
            parts.receipts.append(_flat(part))
        elif kind in RETURNED_LETTER:
            parts.returned.append(_flat(part))
        elif kind.startswith(("text/", "multipart/")):
            # Parts that could not be cut are one text, whatever should have been in them.
            spoken.append(_words(part))
            if kind.startswith("multipart/"):
                parts.statuses.append(spoken[-1])
    parts.text = _before_the_copy("\n".join(spoken)[:MOST_TEXT])
    return parts


def _parse(raw: bytes) -> Message:
    return BytesParser(policy=_ShortHeaders()).parsebytes(raw)


def _own_parts(message: Message) -> Iterator[Message]:
    """Without what is inside a letter that is given back."""
    return itertools.islice(_walk(message), MOST_PARTS)


def _walk(message: Message) -> Iterator[Message]:
    waiting = deque([message])
    while waiting:
        part = waiting.popleft()
        children = part.get_payload() if part.is_multipart() else None
        if part.get_content_maintype() == "multipart" and isinstance(children, list):
            waiting.extendleft(reversed(_messages(children)))
        else:
            yield part


def _messages(children: Iterable[object]) -> list[Message]:
    return [child for child in children if isinstance(child, Message)]


def _flat(part: Message) -> str:
    """A part as text, whatever the parser made of it."""
    payload = part.get_payload()
    if not isinstance(payload, list):
        return _words(part)
    blocks = [_headers(child) for child in _messages(payload[:MOST_PARTS])]
    return "\n\n".join(blocks)[:MOST_TEXT]


def _headers(part: Message) -> str:
    """Of a letter that is given back, what names it; of a status, all that it says."""
    return "\n".join(f"{name}: {value}" for name, value in part.raw_items()).replace("\r\n", "\n")


def _words(part: Message) -> str:
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes):
        return str(part.get_payload())[:MOST_TEXT]
    charset = part.get_content_charset() or "utf-8"
    try:
        text = content.decode(charset, "replace")
    except (LookupError, ValueError):
        # A charset that nobody knows, or one of those that are none.
        text = content.decode("latin-1")
    text = text.replace("\r\n", "\n").replace("\0", " ")
    return (_seen(text) if part.get_content_subtype() == "html" else text)[:MOST_TEXT]


def _seen(page: str) -> str:
    """A page's words without its tags, and without what a browser would not show."""
    words, is_hidden = [], False
    for piece in TAG.split(page):
        if unseen := UNSEEN.match(piece):
            is_hidden = not unseen.group(1)
        elif piece.startswith("<"):
            words.append(" ")
        elif not is_hidden:
            words.append(piece)
    return html.unescape("".join(words))


def _before_the_copy(text: str) -> str:
    begins = COPY_BEGINS.search(text)
    return text[: begins.start()] if begins and begins.start() > SAYS_SOMETHING else text


def _decoded(value: object) -> str:
    # Bytes beyond ASCII, which no header should have and many do, come as surrogates.
    text = str(value).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    try:
        return str(make_header(decode_header(text)))
    except (HeaderParseError, LookupError, ValueError):
        return text
