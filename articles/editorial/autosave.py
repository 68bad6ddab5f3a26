"""Autosave: drafts of what somebody is typing."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import transaction
from django.db.models import Q

from articles.models import Article, ArticleText, Draft, Revision


@transaction.atomic
def save_draft(
    owner: Any, article_id: int | None, text: ArticleText, base: int, now: dt.datetime
) -> Draft | None:
    """Stores one language as it is in somebody's editor.

    `base` is the revision that the editing began from. Returns None where the text equals a
    saved one. A submitted draft that is edited again is no longer submitted.
    """
    text = text.cleaned()
    found = Draft.objects.of(owner, article_id).filter(language=text.language)
    if _is_saved(article_id, text, base):
        found.delete()
        return None
    same = found.first()
    if same is not None and same.text.is_same_text(text):
        # Unchanged: a submitted draft stays submitted.
        return same
    fields = {
        "base_revision": base,
        "title": text.title,
        "lead": text.lead,
        "body": text.body,
        "saved_at": now,
        "handed_in_at": None,
    }
    key = {"owner": owner, "article_id": article_id, "language": text.language}
    draft, _created = found.update_or_create(defaults=fields, create_defaults={**key, **fields})
    return draft


def _is_saved(article_id: int | None, text: ArticleText, base: int) -> bool:
    """Whether the text equals its base revision or the newest one."""
    if article_id is None:
        return text.is_empty
    saved = Revision.objects.filter(article_id=article_id, language=text.language)
    known = saved.filter(Q(number=base) | Q(pk__in=saved.newest()))
    return any(revision.text.is_same_text(text) for revision in known) or (
        base == 0 and text.is_empty
    )


@transaction.atomic
def move_draft_to_new_article(draft: Draft, now: dt.datetime) -> None:
    """Attaches a draft whose article was deleted to the form of a new article.

    Does nothing if that form has a draft in this language already.
    """
    new = Draft.objects.of(draft.owner, None).filter(language=draft.language)
    if new.exists():
        return
    draft.article_id, draft.base_revision, draft.handed_in_at = None, 0, None
    draft.saved_at = now
    draft.save()


def drafts_by_language(owner: Any, article: Article | None) -> dict[str, Draft]:
    """This user's drafts of an article, or of a new one with None."""
    article_id = article.pk if article else None
    return {draft.language: draft for draft in Draft.objects.of(owner, article_id)}
