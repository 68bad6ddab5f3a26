"""Saving articles: revisions, fingerprints, corrections, changes of verdict."""

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
    Revision,
    VerdictChange,
)
from articles.models.languages import UNPUBLISHED
from articles.models.verdicts import build_verdict_changes
from articles.search import indexing
from core import languages
from staff.audit import record
from staff.models import AuditAction

PUBLIC_SHARED_FIELDS = ("topic_id", "week", "verdict")
"""Shared fields that every language's public page shows."""


@transaction.atomic
def save_article(
    article: Article,
    *,
    by: Any,
    now: dt.datetime,
    notes: Mapping[str, str] | None = None,
    restored_from: int | None = None,
) -> list[str]:
    """Saves the article and updates each language's row.

    A language with its first text becomes a draft; an emptied draft loses its row; each
    changed text becomes a revision; a changed public text sends article_corrected; a changed
    verdict of a published article becomes a VerdictChange. `notes` are the public notes on a
    correction, by language. Returns the languages whose text changed.
    """
    before = _saved_shared_values(article)
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
        elif row.record_text(text, number) and row.is_public:
            corrected.append(code)
    if before and before != _shared_values(article):
        corrected = [code for code, row in rows.items() if row.is_public]
        if any(row.was_public for row in rows.values()):
            VerdictChange.objects.bulk_create(build_verdict_changes(article, before, now))
    _forget_prefetched(article)
    for code in corrected:
        rows[code].mark_corrected(now)
    if corrected:
        indexing.index_article(article.pk)
    _record_corrections(article, corrected, notes or {}, by, now)
    return changed


def restore_revision(
    article: Article, language: str, revision: Revision, *, by: Any, now: dt.datetime
) -> bool:
    """Saves an old revision's text as a new one. False if the text is the same."""
    old = revision.text
    if article.text_in(language) == old:
        return False
    article.set_text(old)
    save_article(article, by=by, now=now, restored_from=revision.number)
    return True


@transaction.atomic
def mark_translation_current(article: Article, language: str) -> bool:
    """A stale translation is confirmed as current; False if it was not stale."""
    rows = {row.language: row for row in article.article_languages.select_for_update()}
    row = rows.get(language)
    source = rows.get(row.source_language) if row else None
    if row is None or source is None or not row.is_stale(source):
        return False
    row.set_source(source.language, source.fingerprint)
    _forget_prefetched(article)
    return True


@transaction.atomic
def record_translation_source(
    article: Article, language: str, source: Revision, *, by: Any = None
) -> bool:
    """Records that the translation was made from this revision of its source.

    `by` is the new translator; None keeps the present one. False, and nothing is recorded,
    for a language that the source itself was translated from: a cycle.
    """
    rows = {row.language: row for row in article.article_languages.select_for_update()}
    row, above = rows.get(language), rows.get(source.language)
    if row is None or above is None:
        return False
    if row.source_language != source.language and language in _chain(rows, above):
        return False
    row.set_source(source.language, source.fingerprint, by)
    _forget_prefetched(article)
    return True


def _chain(rows: dict[str, ArticleLanguage], row: ArticleLanguage | None) -> set[str]:
    """This language, its source, the source's source and so on."""
    found: set[str] = set()
    while row is not None and row.language not in found:
        found.add(row.language)
        row = rows.get(row.source_language)
    return found


def _saved_shared_values(article: Article) -> tuple[Any, ...]:
    if article.pk is None:
        return ()
    kept = Article.objects.locked().order_by().values_list(*PUBLIC_SHARED_FIELDS)
    return kept.filter(pk=article.pk).first() or ()


def _shared_values(article: Article) -> tuple[Any, ...]:
    return tuple(getattr(article, name) for name in PUBLIC_SHARED_FIELDS)


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
    # The first language written counts as the source of the others.
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


def _record_corrections(
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
    # Else this instance would go on with the rows as they were before.
    getattr(article, "_prefetched_objects_cache", {}).pop("article_languages", None)
