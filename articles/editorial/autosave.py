"""What somebody is typing: kept while they type, and given back."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import transaction
from django.db.models import Q

from articles.models import Article, ArticleText, Draft, Revision


@transaction.atomic
def keep_draft(
    owner: Any, article_id: int | None, text: ArticleText, base: int, now: dt.datetime
) -> Draft | None:
    """Keeps one language as it stands in somebody's editor.

    `base` is the revision that the typing began from. None where there is nothing to keep:
    the text is what that revision says. A draft that was handed in is taken back by typing on.
    """
    text = text.cleaned()
    found = Draft.objects.of(owner, article_id).filter(language=text.language)
    if _is_saved(article_id, text, base):
        found.delete()
        return None
    same = found.first()
    if same is not None and same.text.reads_as(text):
        # Only looked at: an editor may still be reading what was handed in.
        return same
    said = {
        "base_revision": base,
        "title": text.title,
        "lead": text.lead,
        "body": text.body,
        "saved_at": now,
        "handed_in_at": None,
    }
    whose = {"owner": owner, "article_id": article_id, "language": text.language}
    kept, _created = found.update_or_create(defaults=said, create_defaults={**whose, **said})
    return kept


def _is_saved(article_id: int | None, text: ArticleText, base: int) -> bool:
    """Whether this is what the typing began from, or what is saved by now."""
    if article_id is None:
        return text.is_empty
    saved = Revision.objects.filter(article_id=article_id, language=text.language)
    known = saved.filter(Q(number=base) | Q(pk__in=saved.newest()))
    return any(revision.text.reads_as(text) for revision in known) or (base == 0 and text.is_empty)


def give_up(draft: Draft) -> None:
    """Throws away what was typed."""
    draft.delete()


@transaction.atomic
def begin_again(draft: Draft, now: dt.datetime) -> None:
    """Makes a draft whose article somebody deleted the beginning of a new article.

    A new article that is being typed in this language already keeps its own.
    """
    new = Draft.objects.of(draft.owner, None).filter(language=draft.language)
    if new.exists():
        return
    draft.article_id, draft.base_revision, draft.handed_in_at = None, 0, None
    draft.saved_at = now
    draft.save()


def drafts_by_language(owner: Any, article: Article | None) -> dict[str, Draft]:
    """What this person has typed and not saved, of an article or of a new one."""
    article_id = article.pk if article else None
    return {draft.language: draft for draft in Draft.objects.of(owner, article_id)}
