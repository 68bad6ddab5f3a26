"""Parses the documents: blocks, commands, links and code spans."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FENCE = re.compile(r"^( *)```(\S*)\s*$")
SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^)\s]+)\)")
ASSIGNMENT = re.compile(r"[A-Z_][A-Z0-9_]*=")
SUBSTITUTION = re.compile(r"\$\(([^()]*)\)")
BETWEEN_COMMANDS = {"|", "||", "&&", ";", "&"}
REDIRECTIONS = {">", ">>", "<", "2>", "&>", ">&"}


@dataclass(frozen=True)
class Block:
    """A fenced block: its info string, text and first line."""

    language: str
    text: str
    line: int

    @property
    def holds_commands(self) -> bool:
        """Blocks without a language hold commands too."""
        return self.language in {"", "sh", "bash", "shell", "console"}


@dataclass(frozen=True)
class Command:
    """One command of a block, as one would paste it."""

    page: str
    line: int
    text: str

    @property
    def parts(self) -> list[list[str]]:
        """Its simple commands, without assignments and redirections."""
        return list(_simple_commands(self.text))

    @property
    def sets_variables(self) -> bool:
        return bool(ASSIGNMENT.match(self.text))

    def __str__(self) -> str:
        return f"{self.page}:{self.line} {self.text}"


@dataclass(frozen=True)
class Page:
    """One document."""

    path: Path
    text: str

    @property
    def name(self) -> str:
        return str(self.path.relative_to(ROOT))

    @property
    def blocks(self) -> list[Block]:
        return _split(self.text)[1]

    @property
    def prose(self) -> str:
        """The page with empty lines in place of blocks."""
        return _split(self.text)[0]

    @property
    def spans(self) -> list[str]:
        """The distinct code spans."""
        return list(dict.fromkeys(SPAN.findall(self.prose)))

    @property
    def links(self) -> list[str]:
        return LINK.findall(SPAN.sub("", self.prose))

    @property
    def anchors(self) -> set[str]:
        """The headings' anchors, as GitHub makes them."""
        headings = re.findall(r"^#+ +(.+?) *#*$", self.prose, re.MULTILINE)
        return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}

    @property
    def commands(self) -> list[Command]:
        found = []
        for block in self.blocks:
            if block.holds_commands:
                found += [Command(self.name, line, text) for line, text in _lines(block)]
        return found


def _split(text: str) -> tuple[str, list[Block]]:
    """Prose and blocks. Raises ValueError for an unclosed fence."""
    prose: list[str] = []
    blocks: list[Block] = []
    begun: tuple[str, str, int] | None = None
    inside: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        fence = FENCE.match(line)
        if begun is None and fence:
            begun, inside = (fence[1], fence[2], number), []
        elif begun and fence and not fence[2]:
            indent, language, start = begun
            body = "\n".join(one.removeprefix(indent) for one in inside)
            blocks.append(Block(language, body, start))
            begun = None
        elif begun:
            inside.append(line)
        prose.append("" if begun or fence else line)
    if begun:
        raise ValueError(f"The block that begins on line {begun[2]} has no end.")
    return "\n".join(prose), blocks


def _lines(block: Block) -> Iterator[tuple[int, str]]:
    """Commands with line numbers; a backslash continues one."""
    pending, begun = "", 0
    for number, line in enumerate(block.text.splitlines(), start=block.line + 1):
        begun = begun if pending else number
        pending += line.strip().removeprefix("$ ")
        if pending.endswith("\\"):
            pending = pending[:-1]
            continue
        if pending and not pending.startswith("#"):
            yield begun, pending
        pending = ""


def _simple_commands(text: str) -> Iterator[list[str]]:
    """With those inside of $(…)."""
    for inner in SUBSTITUTION.findall(text):
        yield from _simple_commands(inner)
    lexer = shlex.shlex(text, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    words: list[str] = []
    tokens = iter(lexer)
    for token in tokens:
        if token in BETWEEN_COMMANDS:
            yield _without_prefixes(words)
            words = []
        elif token in REDIRECTIONS:
            next(tokens, None)
        else:
            words.append(token)
    yield _without_prefixes(words)


def _without_prefixes(words: list[str]) -> list[str]:
    """Without leading assignments, sudo, setpriv, env and exec."""
    while words and (ASSIGNMENT.match(words[0]) or words[0] in {"sudo", "setpriv", "env", "exec"}):
        is_sudo, words = words[0] in {"sudo", "setpriv"}, words[1:]
        while is_sudo and words and words[0].startswith("-"):
            words = words[2 if words[0] in {"-u", "-g", "--user", "--group"} else 1 :]
    return words


def manage_arguments(words: list[str]) -> list[str] | None:
    """The arguments of manage.py; None for another program."""
    if words and Path(words[0]).name in {"python", "python3"}:
        words = words[1:]
    if words and Path(words[0]).name == "manage.py":
        return words[1:]
    return None


@cache
def pages() -> list[Page]:
    """All .md files of the root and of docs/."""
    paths = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
    return [Page(path, path.read_text(encoding="utf-8")) for path in paths]


def page(name: str) -> Page:
    """By its path from the root."""
    return next(one for one in pages() if one.name == name)
