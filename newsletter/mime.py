"""Serialises mail: a frozen letter per variant, and each subscriber's values inserted into it.

Templates are rendered with *placeholders* for what differs per subscriber, drawn at random for each
freezing, so that no text can contain one. Then they are cut out: a frozen letter is its bytes
without them and *slots*, the offsets at which a subscriber's values are inserted. So text that
looks like a placeholder or a MIME boundary stays text.

The frozen form is 8bit (RFC 6152). For a relay without 8BITMIME it is encoded as quoted-printable;
base64, which Python uses for Cyrillic, would break up the placeholders.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import quopri
import re
import secrets
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from email.header import Header
from email.utils import format_datetime, formataddr
from enum import StrEnum
from functools import lru_cache, partial
from itertools import zip_longest
from typing import NamedTuple

from django.utils.translation import gettext as _

from keys.tokens import ALPHABET, TOKEN_LENGTH

MAX_LINE_OCTETS = 990
"""RFC 5322, 2.1.1 allows 998."""
CRLF = b"\r\n"
TRANSFER_ENCODING = b"Content-Transfer-Encoding: "
EIGHT_BIT, QUOTED_PRINTABLE = b"8bit", b"quoted-printable"
BOUNDARY = re.compile(rb'; boundary="([^"]+)"$')
LEGACY_PLACEHOLDERS = re.compile(r"01(?:token|message|recipient|date)0{8}")
"""Of an earlier version. Whoever writes one into a text today is after addresses."""
CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
NOT_IN_ADDRESS = re.compile(r"[\s<>]")


class InvalidLetter(Exception):
    """The letter cannot be serialised; says why."""


@dataclass(frozen=True)
class RenderedMail:
    """A rendered mail. `html` is empty for a mail with plain text only."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True)
class Sender:
    """The sender of a mail (From)."""

    name: str
    address: str

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]

    @property
    def header(self) -> str:
        return formataddr((self.name, self.address))


class Slot(StrEnum):
    """What is inserted for each subscriber."""

    LINK = "link"  # the token of the unsubscribe link
    MESSAGE_ID = "message id"
    RECIPIENT = "recipient"
    DATE = "date"


@dataclass(frozen=True)
class Placeholders:
    """What stands for each slot until the letter is frozen."""

    token: str
    message_token: str
    recipient: str
    date: str

    @classmethod
    def draw(cls) -> Placeholders:
        """Random ones of 225 bits, as long as a token, so that lines break in the same places."""
        return cls(
            *(
                "".join(secrets.choice(ALPHABET) for _letter in range(TOKEN_LENGTH))
                for _slot in Slot
            )
        )

    def cut_out(self, marked: bytes) -> tuple[bytes, tuple[tuple[int, str], ...]]:
        """The bytes without placeholders, and the offset of each slot."""
        slots: list[tuple[int, str]] = []
        texts, at = [], 0
        for text, slot in self.split(marked):
            texts.append(text)
            at += len(text)
            if slot is not None:
                slots.append((at, slot.value))
        return b"".join(texts), tuple(slots)

    def put_in(self, content: bytes, slots: tuple[tuple[int, str], ...]) -> bytes:
        """The reverse of `cut_out`."""
        placeholder_of = dict(zip(Slot, astuple(self), strict=True))
        pieces, done = [], 0
        for at, slot in slots:
            pieces += [content[done:at], placeholder_of[Slot(slot)].encode()]
            done = at
        return b"".join([*pieces, content[done:]])

    def split(self, marked: bytes) -> Iterator[tuple[bytes, Slot | None]]:
        """Pieces of text, each with the slot behind it; None behind the last."""
        slot_of = {one.encode(): slot for one, slot in zip(astuple(self), Slot, strict=True)}
        found = re.split(b"(" + b"|".join(slot_of) + b")", marked)
        for text, placeholder in zip_longest(found[::2], found[1::2]):
            yield text, slot_of[placeholder] if placeholder else None


@dataclass(frozen=True)
class FrozenLetter:
    """What a Variant stores: the letter's bytes, and the offset of each slot."""

    subject: str
    content: bytes
    slots: tuple[tuple[int, str], ...]

    def signed_bytes(self) -> bytes:
        """A canonical form of all of it, to be signed."""
        return json.dumps(self.slots).encode() + b"\n" + self.content


# --- Freezing ------------------------------------------------------------------------


def freeze(
    rendered: RenderedMail,
    sender: Sender,
    placeholders: Placeholders,
    *,
    list_id: str,
    list_name: str,
    unsubscribe_url: str,
) -> FrozenLetter:
    """The letter with its slots: RFC 5322 lines, CRLF, 8bit.

    `unsubscribe_url` contains the token's placeholder. Raises InvalidLetter if a part does not have
    exactly one unsubscribe link, a field could inject a header, or a word is longer than a line.
    """
    _check_legacy_placeholders(rendered)
    _check_header_fields(
        [rendered.subject, sender.name, list_name], [sender.address, list_id, unsubscribe_url]
    )
    list_headers = {
        "List-Id": f"{_encoded(list_name, 'List-Id')} <{list_id}>",
        "List-Unsubscribe": f"<{unsubscribe_url}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    head = _head(
        rendered,
        sender,
        placeholders.recipient,
        placeholders.message_token,
        placeholders.date,
        list_headers,
    )
    parts = _parts(rendered)
    texts = [placeholders.cut_out(text.encode())[0] for _kind, text in parts]
    marked = CRLF.join([*head, *_body(parts, _boundary(texts)), b""])
    content, slots = placeholders.cut_out(marked)
    _check_slots(content, slots, unsubscribe_url.partition(placeholders.token)[0], len(parts))
    return FrozenLetter(rendered.subject, content, slots)


def transactional_mail(
    rendered: RenderedMail, sender: Sender, recipient: str, token: str, sent_at: dt.datetime
) -> bytes:
    """A mail to one subscriber, serialised as a letter is: RFC 5322 lines, CRLF, 8bit.

    `token` is the left part of its Message-ID. Raises InvalidLetter.
    """
    _check_header_fields([rendered.subject, sender.name], [sender.address])
    if not _is_plain(recipient):
        # Without the address: messages are logged.
        raise InvalidLetter("The recipient’s address cannot stand in a header.")
    head = _head(rendered, sender, recipient, token, _date_header(sent_at.replace(microsecond=0)))
    parts = _parts(rendered)
    boundary = _boundary([text.encode() for _kind, text in parts])
    return CRLF.join([*head, *_body(parts, boundary), b""])


def _head(
    rendered: RenderedMail,
    sender: Sender,
    recipient: str,
    message_token: str,
    date: str,
    list_headers: dict[str, str] | None = None,
) -> list[bytes]:
    headers = {
        "Date": date,
        "Message-ID": f"<{message_token}@{sender.domain}>",
        "From": _from_header(sender),
        "To": recipient,
        "Subject": _encoded(rendered.subject, "Subject"),
        **(list_headers or {}),
        "Auto-Submitted": "auto-generated",
        "MIME-Version": "1.0",
    }
    return [f"{name}: {value}".encode("ascii") for name, value in headers.items()]


def _parts(rendered: RenderedMail) -> list[tuple[bytes, str]]:
    rich = [(b"html", rendered.html)] if rendered.html else []
    return [(b"plain", rendered.text), *rich]


def _check_legacy_placeholders(rendered: RenderedMail) -> None:
    for text in (rendered.subject, rendered.text, rendered.html):
        if found := LEGACY_PLACEHOLDERS.search(text):
            raise InvalidLetter(
                _(
                    "“%(text)s…” stands in a text of this letter. Letters once carried the "
                    "subscriber’s address in such a place. Remove it, and ask who wrote it."
                )
                % {"text": found[0]}
            )


def _check_header_fields(texts: list[str], addresses: list[str]) -> None:
    """Against header injection, such as a request for a receipt."""
    broken = [text for text in texts if CONTROL.search(text)]
    broken += [address for address in addresses if not _is_plain(address)]
    if broken:
        raise InvalidLetter(
            _("“%(text)s” has a character that no header of a letter can hold. Change the edition.")
            % {"text": CONTROL.sub("·", broken[0])[:100]}
        )


def _is_plain(address: str) -> bool:
    return address.isascii() and not (CONTROL.search(address) or NOT_IN_ADDRESS.search(address))


def _check_slots(content: bytes, slots: tuple[tuple[int, str], ...], link: str, parts: int) -> None:
    """Slots are allowed in the headers, and in one unsubscribe link of each part."""
    head = [Slot.DATE, Slot.MESSAGE_ID, Slot.RECIPIENT, Slot.LINK]
    if [slot for _at, slot in slots] != head + [Slot.LINK] * parts:
        raise InvalidLetter(_("Each part of a letter needs one link to leave by, and only one."))
    for at, slot in slots:
        if slot == Slot.LINK and not content[:at].endswith(link.encode()):
            raise InvalidLetter(
                _("Each part of a letter needs one link to leave by, and only one.")
            )


def _boundary(texts: list[bytes]) -> bytes:
    """RFC 2046, 5.1.1: found in no part, since it comes from all of them."""
    return b"=_" + hashlib.sha256(b"\0".join(texts)).hexdigest()[:40].encode()


def _body(parts: list[tuple[bytes, str]], boundary: bytes) -> Iterator[bytes]:
    if len(parts) == 1:
        yield from _part(*parts[0])
        return
    yield b'Content-Type: multipart/alternative; boundary="%s"' % boundary
    yield b""
    for subtype, text in parts:
        yield b"--" + boundary
        yield from _part(subtype, text)
    yield b"--" + boundary + b"--"


def _part(subtype: bytes, text: str) -> Iterator[bytes]:
    yield b"Content-Type: text/%s; charset=utf-8" % subtype
    yield TRANSFER_ENCODING + EIGHT_BIT
    yield b""
    for line in text.splitlines():
        yield from _short_lines(line.encode())
    yield b""


def _short_lines(line: bytes) -> Iterator[bytes]:
    """Breaks long lines at spaces, which HTML ignores; a relay might break them anywhere."""
    while len(line) > MAX_LINE_OCTETS:
        cut = line.rfind(b" ", 1, MAX_LINE_OCTETS)
        if cut < 0:
            raise InvalidLetter(
                _("A word of more than %(count)s bytes cannot be mailed.")
                % {"count": MAX_LINE_OCTETS}
            )
        yield line[:cut]
        line = line[cut + 1 :]
    yield line


def _encoded(text: str, header: str) -> str:
    """A header as RFC 2047 encoded words, folded."""
    charset = "us-ascii" if text.isascii() else "utf-8"
    return Header(text, charset, header_name=header, maxlinelen=76).encode(linesep="\r\n")


def _from_header(sender: Sender) -> str:
    if sender.name.isascii():
        return sender.header
    return f"{_encoded(sender.name, 'From')}\r\n <{sender.address}>"


# --- Per subscriber ------------------------------------------------------------------


class Personalisation(NamedTuple):
    """A subscriber's values for the slots."""

    recipient: str
    token: str
    message_token: str
    sent_at: dt.datetime


class EncodedLetter:
    """A frozen letter encoded once for relays with or without 8BITMIME, dots doubled."""

    def __init__(self, letter: FrozenLetter, *, eight_bit: bool) -> None:
        # Encoding moves every offset: new placeholders mark the slots meanwhile.
        placeholders = Placeholders.draw()
        marked = placeholders.put_in(letter.content, letter.slots)
        encoded = encode_for_smtp(marked, eight_bit=eight_bit, keep=placeholders.token.encode())
        self._pieces: list[bytes] = []
        self._places: list[tuple[int, Slot]] = []
        for text, slot in placeholders.split(encoded):
            self._pieces.append(text)
            if slot is not None:
                self._places.append((len(self._pieces), slot))
                self._pieces.append(b"")

    def to(self, personalisation: Personalisation) -> bytes:
        """The bytes for one subscriber, with their values inserted."""
        values = {
            Slot.LINK: personalisation.token,
            Slot.RECIPIENT: personalisation.recipient,
            Slot.MESSAGE_ID: personalisation.message_token,
            Slot.DATE: _date_header(personalisation.sent_at.replace(microsecond=0)),
        }
        pieces = self._pieces.copy()
        for place, slot in self._places:
            pieces[place] = values[slot].encode()
        return b"".join(pieces)


@lru_cache(maxsize=4)
def _date_header(second: dt.datetime) -> str:
    return format_datetime(second)


def encode_for_smtp(mail: bytes, *, eight_bit: bool, keep: bytes = b"") -> bytes:
    """The mail as sent after DATA. `keep` is never broken up."""
    prepared = mail if eight_bit else quoted_printable(mail, keep)
    # Dot stuffing (RFC 5321, 4.5.2).
    return re.sub(rb"(?m)^\.", b"..", prepared)


def quoted_printable(marked: bytes, keep: bytes = b"") -> bytes:
    """The letter with every 8bit part in quoted-printable (RFC 2045, 6.7)."""
    encode = partial(_quoted_part, keep=keep)
    head, _crlf, body = marked.partition(2 * CRLF)
    found = BOUNDARY.search(head)
    if found is None:
        return encode(marked)
    delimiter = b"--" + found[1]
    before, *parts, after = body.split(delimiter)
    encoded = delimiter.join([before, *map(encode, parts), after])
    return head + 2 * CRLF + encoded


def _quoted_part(part: bytes, keep: bytes) -> bytes:
    head, _crlf, text = part.partition(2 * CRLF)
    eight_bit = TRANSFER_ENCODING + EIGHT_BIT
    head = head.removesuffix(eight_bit) + TRANSFER_ENCODING + QUOTED_PRINTABLE
    # A placeholder is on a line of its own between soft line breaks.
    pieces = text.split(keep) if keep else [text]
    around = [quopri.encodestring(piece.replace(CRLF, b"\n")) for piece in pieces]
    return head + 2 * CRLF + (b"=\n" + keep + b"=\n").join(around).replace(b"\n", CRLF)
