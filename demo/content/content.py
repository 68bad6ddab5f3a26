"""Parses and validates the demo's hand-written YAML files."""

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
MAX_TITLE_CHARACTERS = 200
EMPTY_LINE = re.compile(r"\n[ \t]*\n")
Translated = dict[str, str]


class InvalidDemoContent(Exception):
    """Names the file and the position in it."""


@dataclass(frozen=True)
class Named:
    """A topic or an author."""

    code: str
    name: Translated


@dataclass(frozen=True)
class DemoArticle:
    """One article of a week's file."""

    topic: str
    verdict: str
    was: str
    """The verdict before a correction; may be empty."""
    authors: tuple[str, ...]
    texts: tuple[ArticleText, ...]


@dataclass(frozen=True)
class Content:
    """The demo's content. Week 1 is the last full one, 2 the one before."""

    masthead: dict[str, Translated]
    topics: tuple[Named, ...]
    authors: tuple[Named, ...]
    cover_credit: str
    weeks: dict[int, tuple[DemoArticle, ...]]
    introductions: dict[int, Translated]
    pages: dict[str, dict[str, Translated]]
    """By code: the titles, and the bodies as HTML."""


@dataclass(frozen=True)
class Place:
    """A position in a file, for error messages."""

    path: str

    def at(self, step: str) -> Place:
        return Place(f"{self.path}, {step}")

    def error(self, message: str) -> InvalidDemoContent:
        return InvalidDemoContent(f"{self.path}: {message}")

    def mapping(self, value: Any, allowed: set[str] | None = None) -> dict[Any, Any]:
        """The value, if it is a mapping without other keys."""
        if not isinstance(value, dict):
            raise self.error("here must stand names with values, as in `name: value`.")
        unknown = [str(key) for key in value if allowed is not None and key not in allowed]
        if unknown:
            raise self.error(
                f"{', '.join(unknown)} is not known here. "
                f"Known: {', '.join(sorted(allowed or ()))}."
            )
        return value

    def items(self, value: Any) -> Iterator[tuple[Place, Any]]:
        """The items with their positions, if it is a non-empty list."""
        if not isinstance(value, list) or not value:
            raise self.error("here must stand a list, each item with a dash before it.")
        for number, item in enumerate(value, start=1):
            yield self.at(f"item {number}"), item

    def text(self, mapping: dict[Any, Any], key: str) -> str:
        """The non-empty text of a key."""
        value = mapping.get(key)
        if not isinstance(value, str) or not value.strip():
            raise self.error(f"{key} is missing, empty or not a text.")
        return value.strip()

    def translated(self, value: Any) -> Translated:
        """A text per language; one language may be enough."""
        found = self.mapping(value, set(languages.codes()))
        if not found:
            raise self.error("no language is given.")
        return {code: self.text(found, code) for code in found}


def read_content(folder: Path = FOLDER) -> Content:
    """Reads newsroom.yaml, weeks/*.yaml and, if they are there, introductions.yaml and pages.yaml.

    Raises InvalidDemoContent.
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
        raise InvalidDemoContent(f"{folder / 'weeks'}: there is no file such as 1.yaml.")
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
    """Renders a subset of Markdown: paragraphs, `## ` headings, `> ` quotations, `- ` lists."""
    return "\n".join(_block(block) for block in EMPTY_LINE.split(written.strip()))


def _block(block: str) -> str:
    lines = [line.strip() for line in block.splitlines() if line.strip()]
    if lines[0].startswith("## "):
        rest = f"\n{_block(chr(10).join(lines[1:]))}" if lines[1:] else ""
        return f"<h2>{_inline(lines[0][3:])}</h2>{rest}"
    if all(line.startswith(">") for line in lines):
        quotation = " ".join(line.removeprefix(">").strip() for line in lines)
        return f"<blockquote><p>{_inline(quotation)}</p></blockquote>"
    if lines[0].startswith("- "):
        # A line without a dash continues the item.
        items: list[str] = []
        for line in lines:
            if line.startswith("- "):
                items.append(line[2:])
            else:
                items[-1] += f" {line}"
        return f"<ul>{''.join(f'<li>{_inline(item)}</li>' for item in items)}</ul>"
    return f"<p>{_inline(' '.join(lines))}</p>"


def _inline(text: str) -> str:
    return escape(_nonbreaking_dashes(text.strip()), quote=False)


def _nonbreaking_dashes(text: str) -> str:
    """No line begins with a dash."""
    return text.replace(" — ", SLAVIC.spaced_dash)


def _read(path: Path, file: Place) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise file.error(f"there is no such file in {path.parent}.") from None
    except UnicodeDecodeError as error:
        raise file.error(f"this is not UTF-8: {error}.") from None
    except yaml.YAMLError as error:
        # The message has line and column.
        raise file.error(f"this is not YAML: {error}") from None


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
            raise InvalidDemoContent(
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
            raise place.error("the week has an article on this topic already.")
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
        if len(title) > MAX_TITLE_CHARACTERS:
            raise here.error(f"title has {len(title)} characters; at most {MAX_TITLE_CHARACTERS}.")
        lead, body = here.text(text, "lead"), here.text(text, "body")
        fields = (_nonbreaking_dashes(title), _nonbreaking_dashes(lead), to_html(body))
        texts.append(ArticleText(code, *fields))
    if not texts:
        raise place.error("it is written in no language.")
    return tuple(texts)


def _introductions(path: Path, weeks: dict[int, tuple[DemoArticle, ...]]) -> dict[int, Translated]:
    if not path.exists():
        return {}
    file = Place(path.name)
    written = file.mapping(_read(path, file))
    unknown = [str(number) for number in written if number not in weeks]
    if unknown:
        raise file.error(f"there is no week {', '.join(unknown)}.")
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
            raise place.error("title and body have to be there in the same languages.")
        bodies = {language: to_html(text) for language, text in body.items()}
        found[code] = {"title": title, "body": bodies}
    return found


def _one_of(place: Place, value: Any, what: str, known: list[str]) -> str:
    if value not in known:
        raise place.error(f"{value!r} is no {what}. Known: {', '.join(known)}.")
    return str(value)
