"""Preview links: one unpublished article for somebody without an account."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import transaction

from articles.models import Article, PreviewLink
from keys import tokens
from keys.tokens import TokenKind
from staff.audit import record
from staff.models import AuditAction

LIFETIME_CHOICES_DAYS = (1, 3, 7, 14)
"""Choices of the form, in days."""


class PreviewUnavailable(Exception):
    """The link is revoked or expired, or its article is withdrawn."""


@transaction.atomic
def create_preview_link(article: Article, days: int, now: dt.datetime, *, by: Any) -> PreviewLink:
    """Creates a link that expires after so many days."""
    link = PreviewLink.objects.create(
        article=article, made_by=by, made_at=now, expires_at=now + dt.timedelta(days=days)
    )
    record(AuditAction.SHARED, article, by=by, now=now, detail=f"{days} d")
    return link


def preview_url(link: PreviewLink, language: str) -> str:
    """The link's URL in a language."""
    return tokens.absolute_url("preview", language, preview_token(link))


def preview_token(link: PreviewLink) -> str:
    """Derived each time; not stored."""
    return tokens.make_token(TokenKind.PREVIEW, link.pk, link.article_id)


def open_preview(token: str, now: dt.datetime) -> Article:
    """The article of a link. Raises keys.tokens.InvalidToken and PreviewUnavailable."""
    subject = tokens.read_token(TokenKind.PREVIEW, token)
    found = PreviewLink.objects.filter(pk=subject.row, article_id=subject.detail).first()
    if found is None or not found.is_open(now):
        raise PreviewUnavailable
    article: Article = Article.objects.with_related().get(pk=found.article_id)
    if article.withdrawn_at is not None or not article.texts():
        raise PreviewUnavailable
    return article
