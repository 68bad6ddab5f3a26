"""From templates to bytes: frozen letters, and the few bytes that differ per reader.

A letter is serialised once for each variant, with placeholders of fixed length in ASCII;
for a reader only these are replaced. The frozen form is 8bit (RFC 6152). For a relay
without 8BITMIME it is turned into quoted-printable as a whole, placeholders kept in one
piece; base64, which Python picks for Cyrillic, would hide them.
"""

from __future__ import annotations

import datetime as dt
import quopri
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from email.header import Header
from email.utils import format_datetime, formataddr
from functools import lru_cache
from typing import NamedTuple

import css_inline
from django.template.loader import render_to_string
from django.utils import translation

from newsroom import html
from newsroom.links import TOKEN_LENGTH

TEXT_WIDTH = 72
LONGEST_LINE = 990
"""Octets; RFC 5322, 2.1.1 allows 998."""
# Digits 0 and 1 are not in base32, so that no real token can look like a placeholder.
TOKEN = "01token".ljust(TOKEN_LENGTH, "0")
MESSAGE_TOKEN = "01message".ljust(TOKEN_LENGTH, "0")
RECIPIENT = "01recipient".ljust(TOKEN_LENGTH, "0")
DATE = "01date".ljust(31, "0")
PLACEHOLDERS = re.compile("({})".format("|".join([TOKEN, MESSAGE_TOKEN, RECIPIENT, DATE])).encode())
BOUNDARY = b"=_01newsroom10_="
EIGHT_BIT, QUOTED_PRINTABLE = b"8bit", b"quoted-printable"
_TRANSFER_ENCODING = b"Content-Transfer-Encoding: "
_INLINER = css_inline.CSSInliner(load_remote_stylesheets=False, keep_style_tags=True)


class LetterBroken(Exception):
    """The letter cannot be frozen; says why."""


@dataclass(frozen=True)
class Rendered:
    """A mail as its templates say it. `html` is empty for a mail of text alone."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True)
class Sender:
    """Who a mail is from."""

    name: str
    address: str

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]

    @property
    def header(self) -> str:
        return formataddr((self.name, self.address))


def render(
    kind: str, context: dict[str, object], language: str, *, with_html: bool = True
) -> Rendered:
    """Renders templates/email/<kind>/{subject.txt,body.txt,body.html} in one language."""
    with translation.override(language):
        subject = render_to_string(f"email/{kind}/subject.txt", context)
        text = render_to_string(f"email/{kind}/body.txt", context)
        rich = render_to_string(f"email/{kind}/body.html", context) if with_html else ""
    return Rendered(
        subject=" ".join(subject.split()),
        text=re.sub(r"\n{3,}", "\n\n", text).strip() + "\n",
        html=_INLINER.inline(rich) if rich else "",
    )


# --- Plain text ----------------------------------------------------------------------


def plain_text(body: str) -> str:
    """A body of sanitised HTML as text for a mail: paragraphs wrapped, links written out."""
    lines: list[str] = []
    previous = ""
    for number, block in enumerate(html.blocks(html.with_bare_pictures_told(body))):
        in_list = block.kind.endswith("li") or block.kind == "tr"
        if number and not (in_list and previous == block.kind):
            lines.append("")
        lines.extend(_wrapped(block))
        previous = block.kind
    return "\n".join(lines)


def _wrapped(block: html.Block) -> list[str]:
    links = [link.removeprefix("mailto:") for link in block.links]
    said = f"[{block.text or '…'}]" if block.kind == "figure" else block.text
    text = " ".join([said, *(f"<{link}>" for link in links if link not in block.text)])
    first, rest = {
        "blockquote": ("> ", "> "),
        "li": ("• ", "  "),
        "ol-li": ("• ", "  "),
    }.get(block.kind, ("", ""))
    if block.kind in {"h2", "h3"}:
        return [text, "-" * min(len(text), TEXT_WIDTH)]
    return wrap(text, first, rest)


def paragraphs(text: str) -> list[str]:
    """Plain text cut at its empty lines."""
    return [part for part in re.split(r"\n\s*\n", text.strip()) if part]


def wrap(text: str, first: str = "", rest: str = "") -> list[str]:
    """Lines of a paragraph; a link is never cut."""
    return textwrap.wrap(
        text,
        TEXT_WIDTH,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )


# --- Freezing ------------------------------------------------------------------------


def freeze(
    rendered: Rendered, sender: Sender, *, list_id: str, list_name: str, unsubscribe_url: str
) -> bytes:
    """The letter's bytes with placeholders: RFC 5322 lines, CRLF, 8bit.

    `unsubscribe_url` contains TOKEN. Raises LetterBroken where a part has no link to leave
    by, or a word that no line can hold.
    """
    headers = {
        "Date": DATE,
        "Message-ID": f"<{MESSAGE_TOKEN}@{sender.domain}>",
        "From": _from_header(sender),
        "To": RECIPIENT,
        "Subject": _encoded(rendered.subject, "Subject"),
        "List-Id": f"{_encoded(list_name, 'List-Id')} <{list_id}>",
        "List-Unsubscribe": f"<{unsubscribe_url}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "Auto-Submitted": "auto-generated",
        "MIME-Version": "1.0",
    }
    head = [f"{name}: {value}".encode("ascii") for name, value in headers.items()]
    parts = [(b"plain", rendered.text)]
    if rendered.html:
        parts.append((b"html", rendered.html))
    if not all(TOKEN in text for _, text in parts):
        raise LetterBroken("A part of the letter has no link to leave by.")
    return b"\r\n".join([*head, *_body(parts), b""])


def _body(parts: list[tuple[bytes, str]]) -> Iterator[bytes]:
    if len(parts) == 1:
        yield from _part(*parts[0])
        return
    yield b'Content-Type: multipart/alternative; boundary="%s"' % BOUNDARY
    yield b""
    for subtype, text in parts:
        yield b"--" + BOUNDARY
        yield from _part(subtype, text)
    yield b"--" + BOUNDARY + b"--"


def _part(subtype: bytes, text: str) -> Iterator[bytes]:
    yield b"Content-Type: text/%s; charset=utf-8" % subtype
    yield _TRANSFER_ENCODING + EIGHT_BIT
    yield b""
    for line in text.splitlines():
        yield from _short_lines(line.encode())
    yield b""


def _short_lines(line: bytes) -> Iterator[bytes]:
    """Breaks at spaces, which HTML does not mind, what a relay would cut anywhere."""
    while len(line) > LONGEST_LINE:
        cut = line.rfind(b" ", 1, LONGEST_LINE)
        if cut < 0:
            raise LetterBroken(f"A word of more than {LONGEST_LINE} bytes cannot be mailed.")
        yield line[:cut]
        line = line[cut + 1 :]
    yield line


def _encoded(text: str, header: str) -> str:
    """RFC 2047 words, folded."""
    charset = "us-ascii" if text.isascii() else "utf-8"
    return Header(text, charset, header_name=header, maxlinelen=76).encode(linesep="\r\n")


def _from_header(sender: Sender) -> str:
    if sender.name.isascii():
        return sender.header
    return f"{_encoded(sender.name, 'From')}\r\n <{sender.address}>"


# --- Per reader ----------------------------------------------------------------------


class Personal(NamedTuple):
    """What differs from reader to reader."""

    recipient: str
    token: str
    message_token: str
    sent_at: dt.datetime


class WireLetter:
    """A frozen letter made ready for one relay, once for all readers: encoded, dots doubled."""

    def __init__(self, content: bytes, *, eight_bit: bool) -> None:
        prepared = content if eight_bit else _quoted_printable(content)
        # RFC 5321, 4.5.2: a line that begins with a dot gets another.
        self._pieces = PLACEHOLDERS.split(re.sub(rb"(?m)^\.", b"..", prepared))
        # Split by a group: what was between the pieces stands at the odd places.
        self._places = [
            (place, self._pieces[place].decode()) for place in range(1, len(self._pieces), 2)
        ]

    def to(self, personal: Personal) -> bytes:
        """For one reader: the placeholders replaced, and nothing else."""
        said = {
            TOKEN: personal.token,
            RECIPIENT: personal.recipient,
            MESSAGE_TOKEN: personal.message_token,
            DATE: _date_header(personal.sent_at.replace(microsecond=0)),
        }
        pieces = self._pieces.copy()
        for place, what in self._places:
            pieces[place] = said[what].encode()
        return b"".join(pieces)


@lru_cache(maxsize=4)
def _date_header(second: dt.datetime) -> str:
    return format_datetime(second)


def _quoted_printable(content: bytes) -> bytes:
    """The letter with every 8bit part in quoted-printable (RFC 2045, 6.7)."""
    pieces = content.split(_TRANSFER_ENCODING + EIGHT_BIT + b"\r\n\r\n")
    done = [pieces[0]]
    for piece in pieces[1:]:
        text, boundary, rest = piece.partition(b"--" + BOUNDARY)
        done.append(_quoted_lines(text) + boundary + rest)
    return (_TRANSFER_ENCODING + QUOTED_PRINTABLE + b"\r\n\r\n").join(done)


def _quoted_lines(text: bytes) -> bytes:
    # A placeholder stands on a line of its own between soft breaks, so none cuts it.
    around = [
        quopri.encodestring(piece.replace(b"\r\n", b"\n")) for piece in text.split(TOKEN.encode())
    ]
    return (b"=\n" + TOKEN.encode() + b"=\n").join(around).replace(b"\n", b"\r\n")
