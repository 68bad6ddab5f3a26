"""Saving an article, whoever saves it: a form, an import, a command."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django.db import transaction

from articles import signals
from articles.models import (
    Article,
    ArticleLanguage,
    ArticleText,
    Correction,
    Draft,
    Revision,
    VerdictChange,
)
from articles.models.languages import UNPUBLISHED
from articles.models.verdicts import changes_of_verdict
from articles.search import indexing
from core import languages
from staff.audit import record
from staff.models import AuditAction

SHOWN_EVERYWHERE = ("topic_id", "week", "verdict")
"""What readers see of an article in each of its languages."""


@transaction.atomic
def save_article(
    article: Article,
    *,
    by: Any,
    now: dt.datetime,
    notes: Mapping[str, str] | None = None,
    restored_from: int | None = None,
) -> list[str]:
    """Saves the columns and takes note of each language's text.

    A language that gets its first words starts as a draft, a draft that was emptied is gone
    again, each changed text becomes a revision, and whoever listens hears of a public text
    that now says something else. A verdict that changes after the article came out is kept as
    it was, see VerdictChange. `notes` are what readers are told of a correction, by
    language. Returns the languages whose text changed.
    """
    before = _facts(article)
    if article.created_at is None:
        article.created_at = now
    article.save()
    rows = {row.language: row for row in article.article_languages.select_for_update()}
    newest = {row.language: row for row in article.revisions.newest()}
    changed, corrected = [], []
    for code in languages.codes():
        text, last = article.text_in(code), newest.get(code)
        if last.text == text if last else text.is_empty:
            continue
        number = last.number + 1 if last else 1
        _keep_revision(article, text, number, by, now, restored_from)
        changed.append(code)
        row = rows.get(code)
        if row is None:
            rows[code] = _start_language(article, text, number, rows, by)
        elif text.is_empty and row.status in UNPUBLISHED and not row.was_public:
            row.delete()
            del rows[code]
        elif row.note_text(text, number) and row.is_public:
            corrected.append(code)
    if before and before != _facts_of(article):
        corrected = [code for code, row in rows.items() if row.is_public]
        if any(row.was_public for row in rows.values()):
            VerdictChange.objects.bulk_create(changes_of_verdict(article, before, now))
    _forget_prefetched(article)
    for code in corrected:
        rows[code].note_correction(now)
    if corrected:
        indexing.index(article.pk)
    _tell_of_corrections(article, corrected, notes or {}, by, now)
    return changed


def restore(
    article: Article, language: str, revision: Revision, *, by: Any, now: dt.datetime
) -> bool:
    """Brings back what a language said once; the other languages stay. False if it says so."""
    old = revision.text
    if article.text_in(language) == old:
        return False
    article.put_text(old)
    save_article(article, by=by, now=now, restored_from=revision.number)
    return True


@transaction.atomic
def still_right(article: Article, language: str) -> bool:
    """The translation stands beside what its source says now; False if it was not stale."""
    rows = {row.language: row for row in article.article_languages.select_for_update()}
    row = rows.get(language)
    source = rows.get(row.source_language) if row else None
    if row is None or source is None or not row.is_stale(source):
        return False
    row.rest_on(source.language, source.fingerprint)
    _forget_prefetched(article)
    return True


@transaction.atomic
def translated_from(article: Article, language: str, source: Revision, *, by: Any = None) -> bool:
    """The translation stands beside that text of its source, as whoever saved it was shown it.

    `by` is who wrote it anew; without, its translator stays. False, and nothing is noted, for a
    text that this source was itself translated from: each would make the other stale for ever.
    """
    rows = {row.language: row for row in article.article_languages.select_for_update()}
    row, above = rows.get(language), rows.get(source.language)
    if row is None or above is None:
        return False
    if row.source_language != source.language and language in _chain(rows, above):
        return False
    row.rest_on(source.language, source.fingerprint, by)
    _forget_prefetched(article)
    return True


def forget_drafts(article: Article, changed: list[str], owner: Any) -> None:
    """What this person typed has reached the columns, or was given up."""
    Draft.objects.of(owner, article.pk).filter(language__in=changed).delete()


def _chain(rows: dict[str, ArticleLanguage], row: ArticleLanguage | None) -> set[str]:
    """This language, the one it was translated from, and so on."""
    found: set[str] = set()
    while row is not None and row.language not in found:
        found.add(row.language)
        row = rows.get(row.source_language)
    return found


def _facts(article: Article) -> tuple[Any, ...]:
    if article.pk is None:
        return ()
    kept = Article.objects.locked().order_by().values_list(*SHOWN_EVERYWHERE)
    return kept.filter(pk=article.pk).first() or ()


def _facts_of(article: Article) -> tuple[Any, ...]:
    return tuple(getattr(article, name) for name in SHOWN_EVERYWHERE)


def _keep_revision(
    article: Article,
    text: ArticleText,
    number: int,
    by: Any,
    now: dt.datetime,
    restored_from: int | None,
) -> None:
    Revision.objects.create(
        article=article,
        language=text.language,
        number=number,
        title=text.title,
        lead=text.lead,
        body=text.body,
        fingerprint=text.fingerprint,
        saved_at=now,
        saved_by=by,
        restored_from=restored_from,
    )


def _start_language(
    article: Article, text: ArticleText, number: int, rows: dict[str, ArticleLanguage], by: Any
) -> ArticleLanguage:
    # Whatever was there first is what this one was translated from.
    source = min(rows.values(), key=lambda row: row.pk, default=None)
    return ArticleLanguage.objects.create(
        article=article,
        language=text.language,
        revision=number,
        fingerprint=text.fingerprint,
        source_language=source.language if source else "",
        source_fingerprint=source.fingerprint if source else "",
        translator=by if source else None,
    )


def _tell_of_corrections(
    article: Article, corrected: list[str], notes: Mapping[str, str], by: Any, now: dt.datetime
) -> None:
    if not corrected:
        return
    for code in corrected:
        note = notes.get(code, "")
        if note:
            Correction.objects.create(article=article, language=code, corrected_at=now, note=note)
        record(AuditAction.CORRECTED, article, by=by, now=now, language=code, detail=note)
    signals.article_corrected.send(Article, article=article, languages=corrected, now=now)


def _forget_prefetched(article: Article) -> None:
    # A page that goes on with this instance must not see the states of before.
    getattr(article, "_prefetched_objects_cache", {}).pop("article_languages", None)
