"""The lines of a CSV as they come, however it was written. Pure: pieces of bytes in, rows out."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

DELIMITERS = (",", ";", "\t")
MOST_LINES_OF_A_ROW = 20
"""A quoted note may run over lines; a quotation mark that nobody closed must not eat the file."""
LONGEST_LINE = 64 * 1024
"""Characters; what is longer is no line of a list."""

Pieces = Callable[[], Iterable[bytes]]
"""The file from its beginning, as often as it is asked for."""


class NoList(Exception):
    """The file as a whole cannot be read; says what to do."""


@dataclass(frozen=True)
class Row:
    """One row by the number of its first line; None where it is broken."""

    line: int
    cells: list[str] | None


def rows(pieces: Pieces) -> Iterator[Row]:
    """Every row that is not empty. Raises NoList for a file that is empty or no text."""
    lines = _lines(pieces(), _encoding(pieces))
    first = next(lines, None)
    if first is None:
        raise NoList("The file is empty.")
    yield from _rows(first, lines)


def _encoding(pieces: Pieces) -> str:
    """By its mark, else UTF-8 if all of it is, else the Cyrillic of Windows."""
    first = next(iter(pieces()), b"")
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if first.startswith(mark):
            return name
    if first.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"%PDF")):
        raise NoList("This is no CSV but a workbook or another document. Save it as CSV first.")
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    beyond_ascii = broken = 0
    for piece, is_last in _with_end(pieces()):
        text = decoder.decode(piece, final=is_last)
        beyond_ascii += sum(not letter.isascii() for letter in text) if not text.isascii() else 0
        broken += text.count("\N{REPLACEMENT CHARACTER}")
    # A byte or two that somebody pasted in do not make it another coding.
    return "cp1251" if broken * 2 > beyond_ascii else "utf-8"


def _lines(pieces: Iterable[bytes], encoding: str) -> Iterator[tuple[int, str]]:
    """Numbered from 1, without their ends."""
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    rest, number = "", 0
    for piece, is_last in _with_end(pieces):
        text = rest + decoder.decode(piece, final=is_last)
        # A carriage return at the very end may be half of a line's end.
        whole = text.replace("\r\n", "\n")
        keep = "\r" if whole.endswith("\r") and not is_last else ""
        found = whole.removesuffix(keep).replace("\r", "\n").split("\n")
        rest = found.pop() + keep
        for line in found:
            number += 1
            yield number, line
        if len(rest) > LONGEST_LINE:
            # No end of a line for so long: keep counting, but not the text.
            rest = rest[: LONGEST_LINE + 1]
    if rest:
        yield number + 1, rest


def _with_end(pieces: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    for piece in pieces:
        yield piece, False
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
            # Only this line is given up: the next may be whole.
            taken = 1
        del waiting[:taken]
        yield Row(number, cells)


def _whole_row(
    waiting: list[tuple[int, str]], lines: Iterator[tuple[int, str]], delimiter: str
) -> int:
    """How many of the lines are the first row; 0 if no quotation mark ever closes it."""
    if not _begins_quoted(waiting[0][1], delimiter):
        return 1
    open_quote = False
    for taken in range(1, MOST_LINES_OF_A_ROW + 1):
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
    if not text or len(text) > LONGEST_LINE:
        return None
    # A mark within a word is a letter like any other: 5" of rain.
    quoting: Literal[0, 3] = (
        csv.QUOTE_MINIMAL if _begins_quoted(text, delimiter) else csv.QUOTE_NONE
    )
    source = [text.replace("\0", "")]
    try:
        return next(csv.reader(source, delimiter=delimiter, quoting=quoting, strict=True), None)
    except csv.Error:
        return None


def _begins_quoted(text: str, delimiter: str) -> bool:
    """Whether a quotation mark stands where a cell begins."""
    return text.startswith('"') or f'{delimiter}"' in text
