"""Editorial permissions: rules on top of Django's model permissions."""

from __future__ import annotations

from typing import Any

from articles.models import Article
from core import languages

WRITE = "articles.change_article"
WRITE_OTHERS = "articles.change_others_article"
TRANSLATE = "articles.translate_article"
PUBLISH = "articles.publish_article"
APPROVE = "articles.approve_digest"


def may_publish(user: Any) -> bool:
    """Publish, schedule, correct, withdraw, request changes."""
    return bool(user.has_perm(PUBLISH))


def may_write_shared_fields(user: Any, article: Article | None) -> bool:
    """Topic, week, verdict, authors, cover: of one's own articles with WRITE, of others' with
    WRITE_OTHERS too. None is a new article, which is one's own.
    """
    if not user.has_perm(WRITE):
        return False
    own = article is None or article.owner_id == user.pk
    return own or bool(user.has_perm(WRITE_OTHERS))


def may_write(user: Any, article: Article | None, language: str) -> bool:
    """One language's text. A translator may write all languages but the original ones."""
    if may_write_shared_fields(user, article):
        return True
    if article is None or not user.has_perm(TRANSLATE):
        return False
    return language not in article.original_languages


def may_open(user: Any, article: Article | None) -> bool:
    """Whether they may change anything in it."""
    return any(may_write(user, article, code) for code in languages.codes())


def needs_review(user: Any, article: Article | None, language: str) -> bool:
    """Whether their change of this language waits for who may publish."""
    if article is None or may_publish(user):
        return False
    row = article.language_rows.get(language)
    return row is not None and row.is_public_or_scheduled
