"""Parses a mail within bounds, so that no hostile mail keeps a worker busy.

Every limit is far above what a real report needs. What exceeds one is truncated or ignored, so
that no regular expression meets more text than it can search.
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

MAX_PARSED_BYTES = 256 * 1024
"""What is parsed of a mail: the report and the returned letter's headers come first."""
MAX_DETECTOR_BYTES = 64 * 1024
"""What flufl.bounce gets, whose detectors parse a mail dozens of times."""
MAX_HEADER_LENGTH = 4_000
"""Characters of one header."""
MAX_TEXT_LENGTH = 20_000
"""Characters of the text, of a status, of a returned letter's headers."""
MAX_PARTS, MAX_NESTED_PARTS = 50, 50
RETURNED_MESSAGE_TYPES = frozenset(
    {"message/rfc822", "text/rfc822-headers", "message/rfc822-headers"}
)
NESTED_PART_HEADER = re.compile(
    rb"content-type:[ \t\r\n]{0,9}(?:multipart|message)/", re.IGNORECASE
)
HTML_TAG = re.compile(r"(<[^<>]*>)")
HIDDEN_HTML_TAG = re.compile(r"<(/?)(?:style|script|head|title)\b", re.IGNORECASE)

RETURNED_COPY_START = re.compile(
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
"""Where the report's text ends and the copy of the letter begins."""
MIN_REPORT_LENGTH = 40
"""Characters. Some write "the original message" before the reason: that early it ends nothing."""


class TooManyNestedParts(ValueError):
    """Nested deeper than any report."""


@dataclass
class ParsedMail:
    """The parts that the classifier looks at."""

    message: Message
    statuses: list[str] = field(default_factory=list)
    feedback: list[str] = field(default_factory=list)
    receipts: list[str] = field(default_factory=list)
    returned: list[str] = field(default_factory=list)
    text: str = ""
    start: bytes = b""

    def truncated(self) -> Message | None:
        """The first MAX_DETECTOR_BYTES; None with more than MAX_PARTS parts."""
        message = _parse(self.start)
        parts = sum(1 for _ in itertools.islice(message.walk(), MAX_PARTS + 1))
        return message if parts <= MAX_PARTS else None

    def get_all(self, name: str) -> list[str]:
        """A header's values, decoded (RFC 2047)."""
        values = (value for known, value in self.message.raw_items() if known.lower() == name)
        return [_decoded(value) for value in itertools.islice(values, MAX_PARTS)]

    def header(self, name: str) -> str:
        """The first value, or an empty string."""
        return next(iter(self.get_all(name)), "")

    def has(self, *names: str) -> bool:
        """Whether any of these headers is present."""
        return any(name in self.message for name in names)


class _ShortHeaders(Compat32):
    """The standard library's lenient policy, with headers truncated."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        return name, value[:MAX_HEADER_LENGTH]


def parse_mail(raw: bytes) -> ParsedMail:
    """Raises TooManyNestedParts; the standard library's parser may raise others."""
    raw = raw[:MAX_PARSED_BYTES]
    if sum(1 for _ in NESTED_PART_HEADER.finditer(raw)) > MAX_NESTED_PARTS:
        raise TooManyNestedParts
    mail = ParsedMail(_parse(raw), start=raw[:MAX_DETECTOR_BYTES])
    texts: list[str] = []
    for part in _own_parts(mail.message):
        content_type = part.get_content_type()
        if content_type == "message/delivery-status":
            mail.statuses.append(_as_text(part))
        elif content_type == "message/feedback-report":
            mail.feedback.append(_as_text(part))
        elif content_type == "message/disposition-notification":
            mail.receipts.append(_as_text(part))
        elif content_type in RETURNED_MESSAGE_TYPES:
            mail.returned.append(_as_text(part))
        elif content_type.startswith(("text/", "multipart/")):
            # A multipart without its boundary is one text, whatever it should contain.
            texts.append(_decoded_text(part))
            if content_type.startswith("multipart/"):
                mail.statuses.append(texts[-1])
    mail.text = _without_copy("\n".join(texts)[:MAX_TEXT_LENGTH])
    return mail


def _parse(raw: bytes) -> Message:
    return BytesParser(policy=_ShortHeaders()).parsebytes(raw)


def _own_parts(message: Message) -> Iterator[Message]:
    """Without the parts of a returned letter."""
    return itertools.islice(_walk(message), MAX_PARTS)


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


def _as_text(part: Message) -> str:
    """A part as text, parsed or not."""
    payload = part.get_payload()
    if not isinstance(payload, list):
        return _decoded_text(part)
    blocks = [_headers(child) for child in _messages(payload[:MAX_PARTS])]
    return "\n\n".join(blocks)[:MAX_TEXT_LENGTH]


def _headers(part: Message) -> str:
    """A returned letter's headers, or a block of a delivery status."""
    return "\n".join(f"{name}: {value}" for name, value in part.raw_items()).replace("\r\n", "\n")


def _decoded_text(part: Message) -> str:
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes):
        return str(part.get_payload())[:MAX_TEXT_LENGTH]
    charset = part.get_content_charset() or "utf-8"
    try:
        text = content.decode(charset, "replace")
    except (LookupError, ValueError):
        # An unknown charset, or a codec that is no charset.
        text = content.decode("latin-1")
    text = text.replace("\r\n", "\n").replace("\0", " ")
    return (_visible(text) if part.get_content_subtype() == "html" else text)[:MAX_TEXT_LENGTH]


def _visible(page: str) -> str:
    """The text of HTML, without tags and without elements that a browser does not show."""
    text, is_hidden = [], False
    for piece in HTML_TAG.split(page):
        if hidden := HIDDEN_HTML_TAG.match(piece):
            is_hidden = not hidden.group(1)
        elif piece.startswith("<"):
            text.append(" ")
        elif not is_hidden:
            text.append(piece)
    return html.unescape("".join(text))


def _without_copy(text: str) -> str:
    copy = RETURNED_COPY_START.search(text)
    return text[: copy.start()] if copy and copy.start() > MIN_REPORT_LENGTH else text


def _decoded(value: object) -> str:
    # Raw 8-bit bytes in a header come as surrogates.
    text = str(value).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    try:
        return str(make_header(decode_header(text)))
    except (HeaderParseError, LookupError, ValueError):
        return text
