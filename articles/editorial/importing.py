"""Importing articles from JSON Lines."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from html import escape
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from articles import old_paths
from articles.editorial.saving import save_article
from articles.editorial.workflow import publish
from articles.models import Article, CannotPublish, Topic, Verdict
from core import languages
from core.weeks import InvalidWeek, Week

SENTENCES_PER_PARAGRAPH = 4


class BadLine(ValueError):
    """A line that cannot be imported, with the reason."""


@dataclass
class ImportReport:
    """Counts, and the bad lines with their reasons."""

    imported: int = 0
    published: int = 0
    known: int = 0
    drafts: int = 0
    bad: list[tuple[int, str]] = field(default_factory=list)


@dataclass(frozen=True)
class ImportOptions:
    """Options of an import."""

    owner: Any
    now: dt.datetime
    spread_weeks: int = 0
    """Spreads lines without topic and week over the topics and this many last full weeks."""
    publish: bool = False


def import_articles(lines: Iterable[str], options: ImportOptions) -> ImportReport:
    """Imports each good line in its own transaction; a bad one is reported and skipped.

    A line is an object with an `id` and, for each language, a list of sentences: title, lead,
    then the body in paragraphs of four. Topic, week, verdict and `old_path` are optional;
    without topic and week it stays a draft. A known id is skipped.
    """
    report = ImportReport()
    topics = {topic.code: topic for topic in Topic.objects.all()}
    # Continues where an earlier import stopped, so that a second file fills other weeks.
    place = Article.objects.exclude(imported_as="").count()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            data = _read(line)
            if Article.objects.filter(imported_as=data["id"]).exists():
                report.known += 1
                continue
            with transaction.atomic():
                article = _article(data, topics, place, options)
                published = _publish(article, options) if options.publish else 0
        except BadLine as reason:
            report.bad.append((number, str(reason)))
            continue
        place += 1
        report.imported += 1
        report.published += bool(published)
        report.drafts += not published
    return report


def _read(line: str) -> dict[str, Any]:
    try:
        data = json.loads(line)
    except json.JSONDecodeError as error:
        raise BadLine(f"This is not JSON: {error.msg} at character {error.pos + 1}.") from None
    except (ValueError, RecursionError) as error:  # A number too long, brackets too deep.
        raise BadLine(f"This is not JSON that can be read: {error}.") from None
    if not isinstance(data, dict):
        raise BadLine("A line has to be an object: {…}.")
    if not isinstance(data.get("id"), str) or not data["id"].strip():
        raise BadLine("The id is missing: a text that is this line's own.")
    _check_storable(data["id"], "The id")
    if len(data["id"]) > _most("imported_as"):
        raise BadLine(f"The id is longer than {_most('imported_as')} characters.")
    return data


def _article(
    data: dict[str, Any], topics: dict[str, Topic], place: int, options: ImportOptions
) -> Article:
    topic, week = _topic(data, topics), _week(data)
    if options.spread_weeks and topic is None and week is None and topics:
        in_order = list(topics.values())
        last = Week.last_full(options.now.date())
        topic = in_order[place % len(in_order)]
        week = last.previous(place // len(in_order) % options.spread_weeks)
    article = Article(
        topic=topic,
        week=week,
        verdict=_verdict(data),
        owner=options.owner,
        imported_as=data["id"],
        old_path=_old_path(data),
    )
    written = [code for code in languages.codes() if code in data]
    if not written:
        raise BadLine(f"There is no text: one of {', '.join(languages.codes())} is needed.")
    for code in written:
        _put_text(article, code, data[code])
    try:
        article.validate_constraints()
        save_article(article, by=options.owner, now=options.now)
    except (ValidationError, IntegrityError) as error:
        raise BadLine(" ".join(getattr(error, "messages", [str(error)]))) from None
    return article


def _topic(data: dict[str, Any], topics: dict[str, Topic]) -> Topic | None:
    code = data.get("topic")
    if code is None:
        return None
    if not isinstance(code, str) or code not in topics:
        raise BadLine(f"There is no topic {code!r}. There are: {', '.join(topics) or 'none yet'}.")
    return topics[code]


def _week(data: dict[str, Any]) -> Week | None:
    text = data.get("week")
    if text is None:
        return None
    if not isinstance(text, str):
        raise BadLine(f'The week {text!r} is not a date in quotes. Write: "2026-11-16".')
    try:
        return Week.parse(text)
    except InvalidWeek as error:
        raise BadLine(str(error)) from None


def _verdict(data: dict[str, Any]) -> str:
    verdict = data.get("verdict")
    if verdict is None or verdict == "":
        return ""
    if verdict not in Verdict.values:
        raise BadLine(f"The verdict is {verdict!r}. It has to be {', '.join(Verdict.values)}.")
    return str(verdict)


def _old_path(data: dict[str, Any]) -> str:
    path = data.get("old_path")
    if path is None or path == "":
        return ""
    if not isinstance(path, str):
        raise BadLine(f'The old path {path!r} is not a text. Write: "/2019/05/12/".')
    try:
        return old_paths.normalize(path)
    except old_paths.InvalidOldPath as error:
        raise BadLine(str(error)) from None


def _put_text(article: Article, code: str, sentences: Any) -> None:
    if not isinstance(sentences, list) or not all(isinstance(one, str) for one in sentences):
        raise BadLine(f"The text in {code} has to be a list of sentences.")
    _check_storable("".join(sentences), f"The text in {code}")
    title, lead, *rest = [*(one.strip() for one in sentences), "", ""][: max(len(sentences), 2)]
    if not title:
        raise BadLine(f"The text in {code} has no title: its first sentence is empty.")
    if len(title) > _most("title"):
        raise BadLine(f"The title in {code} is longer than {_most('title')} characters.")
    paragraphs = (" ".join(some) for some in _by(SENTENCES_PER_PARAGRAPH, rest))
    setattr(article, f"title_{code}", title)
    setattr(article, f"lead_{code}", lead)
    body = "".join(f"<p>{escape(paragraph, quote=False)}</p>" for paragraph in paragraphs)
    setattr(article, f"body_{code}", body)


def _check_storable(text: str, what: str) -> None:
    """NUL and lone surrogates are valid JSON, but not storable in both databases."""
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise BadLine(f"{what} has a character that cannot be stored.")


def _by(count: int, sentences: list[str]) -> list[list[str]]:
    return [sentences[start : start + count] for start in range(0, len(sentences), count)]


def _most(column: str) -> int:
    return int(getattr(Article._meta.get_field(column), "max_length", 0))


def _publish(article: Article, options: ImportOptions) -> int:
    """Publishes every complete language; returns how many."""
    published = 0
    for text in article.texts():
        try:
            published += publish(article, text.language, options.now)
        except CannotPublish:
            continue
    return published
