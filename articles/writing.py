"""Saving an article, whoever saves it: a form, an import, a command."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import transaction

from articles import signals
from articles.models import Article, ArticleLanguage
from newsroom import languages


@transaction.atomic
def save_article(article: Article, *, by: Any, now: dt.datetime) -> list[str]:
    """Saves the columns and takes note of each language's text.

    A language that gets its first words starts as a draft, a draft that was emptied is gone
    again, and whoever listens hears of a public text that now says something else. Returns
    the languages whose text changed.
    """
    if article.created_at is None:
        article.created_at = now
    article.save()
    rows = {row.language: row for row in article.article_languages.select_for_update()}
    changed = []
    for code in languages.codes():
        text, row = article.text_in(code), rows.get(code)
        if row is None:
            if not text.is_empty:
                rows[code] = _start_language(article, code, rows, by)
                changed.append(code)
        elif text.is_empty and not row.is_public:
            row.delete()
            del rows[code]
            changed.append(code)
        elif row.note_text(text):
            changed.append(code)
    corrected = [code for code in changed if code in rows and rows[code].is_public]
    if corrected:
        signals.article_corrected.send(Article, article=article, languages=corrected, now=now)
    return changed


def _start_language(
    article: Article, code: str, rows: dict[str, ArticleLanguage], by: Any
) -> ArticleLanguage:
    # Whatever was there first is what this one was translated from.
    source = min(rows.values(), key=lambda row: row.pk, default=None)
    return ArticleLanguage.objects.create(
        article=article,
        language=code,
        revision=1,
        fingerprint=article.text_in(code).fingerprint,
        source_language=source.language if source else "",
        source_fingerprint=source.fingerprint if source else "",
        translator=by if source else None,
    )
