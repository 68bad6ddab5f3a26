"""Who may do what at the desk: the rules beyond Django's table of permissions."""

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
    """Answers for what readers see: publishes, schedules, corrects, withdraws, sends back."""
    return bool(user.has_perm(PUBLISH))


def may_write_facts(user: Any, article: Article | None) -> bool:
    """Topic, week, verdict, authors, cover: whoever writes the article itself.

    With the permission to write, one's own; of others only with the one for that. None is
    a new article, which is one's own.
    """
    if not user.has_perm(WRITE):
        return False
    own = article is None or article.owner_id == user.pk
    return own or bool(user.has_perm(WRITE_OTHERS))


def may_write(user: Any, article: Article | None, language: str) -> bool:
    """One language's text: a translator's are all that the article was not written in."""
    if may_write_facts(user, article):
        return True
    if article is None or not user.has_perm(TRANSLATE):
        return False
    return language not in article.original_languages


def may_open(user: Any, article: Article | None) -> bool:
    """Whether there is anything in it that they may change."""
    return any(may_write(user, article, code) for code in languages.codes())


def needs_review(user: Any, article: Article | None, language: str) -> bool:
    """Whether what they write in this language goes to whoever may publish, not to readers."""
    if article is None or may_publish(user):
        return False
    row = article.language_rows.get(language)
    return row is not None and row.is_answered_for
