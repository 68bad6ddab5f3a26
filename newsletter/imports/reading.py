"""A tolerant, streaming CSV reader. Pure: chunks of bytes in, rows out."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

DELIMITERS = (",", ";", "\t")
MAX_LINES_PER_ROW = 20
"""A quoted cell may span lines; an unclosed quote must not swallow the file."""
MAX_LINE_LENGTH = 64 * 1024
"""Characters."""

ChunkSource = Callable[[], Iterable[bytes]]
"""Each call reads the file from its start."""


class UnreadableFile(Exception):
    """The whole file is refused; says what to do."""


@dataclass(frozen=True)
class Row:
    """`cells` is None where the row is broken."""

    line: int
    """The number of its first line."""
    cells: list[str] | None


def read_rows(chunks: ChunkSource) -> Iterator[Row]:
    """Every row that is not empty. Raises UnreadableFile for an empty file or no text."""
    lines = _lines(chunks(), _encoding(chunks))
    first = next(lines, None)
    if first is None:
        raise UnreadableFile("The file is empty.")
    yield from _rows(first, lines)


def _encoding(chunks: ChunkSource) -> str:
    """By the byte order mark, else UTF-8 if valid, else Windows-1251."""
    first = next(iter(chunks()), b"")
    for bom, name in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if first.startswith(bom):
            return name
    if first.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"%PDF")):
        raise UnreadableFile(
            "This is no CSV but a workbook or another document. Save it as CSV first."
        )
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    beyond_ascii = broken = 0
    for chunk, is_last in _with_end(chunks()):
        text = decoder.decode(chunk, final=is_last)
        beyond_ascii += sum(not letter.isascii() for letter in text) if not text.isascii() else 0
        broken += text.count("\N{REPLACEMENT CHARACTER}")
    # A few invalid bytes do not make it another encoding.
    return "cp1251" if broken * 2 > beyond_ascii else "utf-8"


def _lines(chunks: Iterable[bytes], encoding: str) -> Iterator[tuple[int, str]]:
    """Numbered from 1, without line endings."""
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    rest, number = "", 0
    for chunk, is_last in _with_end(chunks):
        text = rest + decoder.decode(chunk, final=is_last)
        # A trailing carriage return may be half of CRLF.
        whole = text.replace("\r\n", "\n")
        keep = "\r" if whole.endswith("\r") and not is_last else ""
        found = whole.removesuffix(keep).replace("\r", "\n").split("\n")
        rest = found.pop() + keep
        for line in found:
            number += 1
            yield number, line
        if len(rest) > MAX_LINE_LENGTH:
            # Bounds the memory; the line is refused later.
            rest = rest[: MAX_LINE_LENGTH + 1]
    if rest:
        yield number + 1, rest


def _with_end(chunks: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    for chunk in chunks:
        yield chunk, False
    yield b"", True


def _rows(first: tuple[int, str], lines: Iterator[tuple[int, str]]) -> Iterator[Row]:
    delimiter = max(DELIMITERS, key=first[1].count)
    waiting: list[tuple[int, str]] = [first]
    while True:
        while waiting and not waiting[0][1].strip(f" {delimiter}"):
            waiting.pop(0)
        if not waiting:
            following = next(lines, None)
            if following is None:
                return
            waiting.append(following)
            continue
        number, taken = waiting[0][0], _whole_row(waiting, lines, delimiter)
        cells = _cells("\n".join(line for _number, line in waiting[:taken]), delimiter)
        if cells is None:
            # Only this line is dropped: the next may be a row.
            taken = 1
        del waiting[:taken]
        yield Row(number, cells)


def _whole_row(
    waiting: list[tuple[int, str]], lines: Iterator[tuple[int, str]], delimiter: str
) -> int:
    """How many lines the first row spans; 0 if its quote is never closed."""
    if not _begins_quoted(waiting[0][1], delimiter):
        return 1
    open_quote = False
    for taken in range(1, MAX_LINES_PER_ROW + 1):
        if taken > len(waiting):
            following = next(lines, None)
            if following is None:
                return 0
            waiting.append(following)
        open_quote ^= waiting[taken - 1][1].count('"') % 2 == 1
        if not open_quote:
            return taken
    return 0


def _cells(text: str, delimiter: str) -> list[str] | None:
    if not text or len(text) > MAX_LINE_LENGTH:
        return None
    # A quotation mark inside an unquoted cell is literal: 5" of rain.
    quoting: Literal[0, 3] = (
        csv.QUOTE_MINIMAL if _begins_quoted(text, delimiter) else csv.QUOTE_NONE
    )
    source = [text.replace("\0", "")]
    try:
        return next(csv.reader(source, delimiter=delimiter, quoting=quoting, strict=True), None)
    except csv.Error:
        return None


def _begins_quoted(text: str, delimiter: str) -> bool:
    """Whether any cell begins with a quotation mark."""
    return text.startswith('"') or f'{delimiter}"' in text
