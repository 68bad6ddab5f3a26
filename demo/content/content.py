"""Reads the demo's texts, and says exactly where one of them is wrong.

People write these files by hand, so everything is checked before anything is stored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import yaml

from articles.models import ArticleText, Verdict
from articles.models.static_pages import PageCode
from articles.text.typography import SLAVIC
from core import languages

FOLDER = Path(__file__).parent
LONGEST_TITLE = 200
EMPTY_LINE = re.compile(r"\n[ \t]*\n")
Translated = dict[str, str]


class DemoBroken(Exception):
    """A file of the demo is wrong; names the file and the place."""


@dataclass(frozen=True)
class Named:
    """A topic or an author: a code, and a name per language."""

    code: str
    name: Translated


@dataclass(frozen=True)
class DemoArticle:
    """One commentary as it is written down."""

    topic: str
    verdict: str
    was: str
    """The verdict that it came out with, where that was corrected."""
    authors: tuple[str, ...]
    texts: tuple[ArticleText, ...]


@dataclass(frozen=True)
class Content:
    """All that the demo has; weeks are numbered back from the last full one, which is 1."""

    masthead: dict[str, Translated]
    topics: tuple[Named, ...]
    authors: tuple[Named, ...]
    cover_credit: str
    weeks: dict[int, tuple[DemoArticle, ...]]
    introductions: dict[int, Translated]
    pages: dict[str, dict[str, Translated]]
    """Of each code its title, and its body as HTML."""


@dataclass(frozen=True)
class Place:
    """Where in a file we are, for whoever has to mend it."""

    path: str

    def at(self, step: str) -> Place:
        return Place(f"{self.path}, {step}")

    def broken(self, what: str) -> DemoBroken:
        return DemoBroken(f"{self.path}: {what}")

    def mapping(self, value: Any, allowed: set[str] | None = None) -> dict[Any, Any]:
        """The value, if it is a mapping with no other keys than these."""
        if not isinstance(value, dict):
            raise self.broken("here must stand names with values, as in `name: value`.")
        strange = [str(key) for key in value if allowed is not None and key not in allowed]
        if strange:
            raise self.broken(
                f"{', '.join(strange)} is not known here. "
                f"Known: {', '.join(sorted(allowed or ()))}."
            )
        return value

    def items(self, value: Any) -> Iterator[tuple[Place, Any]]:
        """The value's items with their places, if it is a list with something in it."""
        if not isinstance(value, list) or not value:
            raise self.broken("here must stand a list, each item with a dash before it.")
        for number, item in enumerate(value, start=1):
            yield self.at(f"item {number}"), item

    def text(self, mapping: dict[Any, Any], key: str) -> str:
        """The mapping's text under a key; refuses an empty one."""
        value = mapping.get(key)
        if not isinstance(value, str) or not value.strip():
            raise self.broken(f"{key} is missing, empty or not a text.")
        return value.strip()

    def translated(self, value: Any) -> Translated:
        """A text per language; one language may be enough."""
        found = self.mapping(value, set(languages.codes()))
        if not found:
            raise self.broken("no language is given.")
        return {code: self.text(found, code) for code in found}


def read_content(folder: Path = FOLDER) -> Content:
    """Reads newsroom.yaml, weeks/*.yaml and, if they are there, introductions.yaml and pages.yaml.

    Raises DemoBroken.
    """
    file = Place("newsroom.yaml")
    newsroom = file.mapping(
        _read(folder / "newsroom.yaml", file), {"masthead", "topics", "authors", "cover_credit"}
    )
    topics = tuple(_named(file.at("topics"), newsroom.get("topics")))
    authors = tuple(_named(file.at("authors"), newsroom.get("authors")))
    weeks = {
        number: tuple(_articles(path, topics, authors)) for number, path in _week_files(folder)
    }
    if not weeks:
        raise DemoBroken(f"{folder / 'weeks'}: there is no file such as 1.yaml.")
    return Content(
        _masthead(file.at("masthead"), newsroom.get("masthead")),
        topics,
        authors,
        file.text(newsroom, "cover_credit"),
        weeks,
        _introductions(folder / "introductions.yaml", weeks),
        _pages(folder / "pages.yaml"),
    )


def to_html(written: str) -> str:
    """The small notation of the files as HTML.

    Paragraphs are parted by empty lines; `## ` begins a heading, `> ` a quotation, and lines
    that all begin with `- ` are a list.
    """
    return "\n".join(_block(block) for block in EMPTY_LINE.split(written.strip()))


def _block(block: str) -> str:
    lines = [line.strip() for line in block.splitlines() if line.strip()]
    if lines[0].startswith("## "):
        rest = f"\n{_block(chr(10).join(lines[1:]))}" if lines[1:] else ""
        return f"<h2>{_inline(lines[0][3:])}</h2>{rest}"
    if all(line.startswith(">") for line in lines):
        said = " ".join(line.removeprefix(">").strip() for line in lines)
        return f"<blockquote><p>{_inline(said)}</p></blockquote>"
    if lines[0].startswith("- "):
        # A line without a dash goes on with the item before it.
        items: list[str] = []
        for line in lines:
            if line.startswith("- "):
                items.append(line[2:])
            else:
                items[-1] += f" {line}"
        return f"<ul>{''.join(f'<li>{_inline(item)}</li>' for item in items)}</ul>"
    return f"<p>{_inline(' '.join(lines))}</p>"


def _inline(text: str) -> str:
    return escape(_kept_together(text.strip()), quote=False)


def _kept_together(text: str) -> str:
    """No line begins with a dash; in the files a plain space is easier to see."""
    return text.replace(" — ", SLAVIC.spaced_dash)


def _read(path: Path, file: Place) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise file.broken(f"there is no such file in {path.parent}.") from None
    except UnicodeDecodeError as error:
        raise file.broken(f"this is not UTF-8: {error}.") from None
    except yaml.YAMLError as error:
        # The parser's message names line and column.
        raise file.broken(f"this is not YAML: {error}") from None


def _masthead(place: Place, value: Any) -> dict[str, Translated]:
    fields = {"name", "tagline", "digest_title"}
    found = place.mapping(value, fields)
    return {field: place.at(field).translated(found.get(field)) for field in sorted(fields)}


def _named(place: Place, value: Any) -> Iterator[Named]:
    for item_place, item in place.items(value):
        found = item_place.mapping(item, {"code", "name"})
        name = item_place.at("name").translated(found.get("name"))
        yield Named(item_place.text(found, "code"), name)


def _week_files(folder: Path) -> list[tuple[int, Path]]:
    found = []
    for path in (folder / "weeks").glob("*.yaml"):
        if not path.stem.isdecimal() or int(path.stem) < 1:
            raise DemoBroken(
                f"weeks/{path.name}: the file's name must be the number of weeks ago, from 1 on."
            )
        found.append((int(path.stem), path))
    return sorted(found)


def _articles(
    path: Path, topics: tuple[Named, ...], authors: tuple[Named, ...]
) -> Iterator[DemoArticle]:
    file = Place(f"weeks/{path.name}")
    written = file.mapping(_read(path, file), {"articles"})
    seen: set[str] = set()
    for number, (_place, item) in enumerate(
        file.at("articles").items(written.get("articles")), start=1
    ):
        place = file.at(f"article {number}")
        found = place.mapping(item, {"topic", "verdict", "was", "authors", *languages.codes()})
        topic = _one_of(place, place.text(found, "topic"), "topic", [t.code for t in topics])
        place = Place(f"{place.path} ({topic})")
        if topic in seen:
            raise place.broken("the week has an article on this topic already.")
        seen.add(topic)
        verdict, was = (found.get(name) or "" for name in ("verdict", "was"))
        for given in filter(None, (verdict, was)):
            _one_of(place, given, "verdict", Verdict.values)
        bylines = tuple(
            _one_of(place, code, "author", [author.code for author in authors])
            for _at, code in place.at("authors").items(found.get("authors"))
        )
        yield DemoArticle(topic, verdict, was, bylines, _texts(place, found))


def _texts(place: Place, found: dict[Any, Any]) -> tuple[ArticleText, ...]:
    texts = []
    for code in languages.codes():
        if code not in found:
            continue
        here = place.at(code)
        text = here.mapping(found[code], {"title", "lead", "body"})
        title = here.text(text, "title")
        if len(title) > LONGEST_TITLE:
            raise here.broken(f"title has {len(title)} characters; at most {LONGEST_TITLE}.")
        lead, body = here.text(text, "lead"), here.text(text, "body")
        told = (_kept_together(title), _kept_together(lead), to_html(body))
        texts.append(ArticleText(code, *told))
    if not texts:
        raise place.broken("it is written in no language.")
    return tuple(texts)


def _introductions(path: Path, weeks: dict[int, tuple[DemoArticle, ...]]) -> dict[int, Translated]:
    if not path.exists():
        return {}
    file = Place(path.name)
    written = file.mapping(_read(path, file))
    strange = [str(number) for number in written if number not in weeks]
    if strange:
        raise file.broken(f"there is no week {', '.join(strange)}.")
    return {
        number: file.at(f"week {number}").translated(value) for number, value in written.items()
    }


def _pages(path: Path) -> dict[str, dict[str, Translated]]:
    if not path.exists():
        return {}
    file = Place(path.name)
    found = {}
    for code, value in file.mapping(_read(path, file), set(PageCode.values)).items():
        place = file.at(code)
        texts = place.mapping(value, {"title", "body"})
        title = place.at("title").translated(texts.get("title"))
        body = place.at("body").translated(texts.get("body"))
        if title.keys() != body.keys():
            raise place.broken("title and body have to be there in the same languages.")
        bodies = {language: to_html(text) for language, text in body.items()}
        found[code] = {"title": title, "body": bodies}
    return found


def _one_of(place: Place, value: Any, what: str, known: list[str]) -> str:
    if value not in known:
        raise place.broken(f"{value!r} is no {what}. Known: {', '.join(known)}.")
    return str(value)
