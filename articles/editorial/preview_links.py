"""Letting somebody without an account read one article before it is public."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import transaction

from articles.models import Article, PreviewLink
from keys import tokens
from keys.tokens import Kind
from staff.audit import record
from staff.models import AuditAction

DAYS = (1, 3, 7, 14)
"""How long a link may be open."""


class PreviewClosed(Exception):
    """The link was good once: it is revoked or over, or its article is withdrawn."""


@transaction.atomic
def share(article: Article, days: int, now: dt.datetime, *, by: Any) -> PreviewLink:
    """Makes a link that is open for so many days."""
    link = PreviewLink.objects.create(
        article=article, made_by=by, made_at=now, expires_at=now + dt.timedelta(days=days)
    )
    record(AuditAction.SHARED, article, by=by, now=now, detail=f"{days} d")
    return link


def path_of(link: PreviewLink, language: str) -> str:
    """Its address in a language, as its holder gets it."""
    return tokens.absolute("preview", language, token_of(link))


def token_of(link: PreviewLink) -> str:
    """Made anew each time: nothing that opens a preview is stored."""
    return tokens.make_token(Kind.PREVIEW, link.pk, link.article_id)


def open_preview(token: str, now: dt.datetime) -> Article:
    """The article that a link opens. Raises keys.tokens.BadToken and PreviewClosed."""
    subject = tokens.read_token(Kind.PREVIEW, token)
    found = PreviewLink.objects.filter(pk=subject.row, article_id=subject.detail).first()
    if found is None or not found.is_open(now):
        raise PreviewClosed
    article: Article = Article.objects.with_everything().get(pk=found.article_id)
    if article.withdrawn_at is not None or not article.texts():
        raise PreviewClosed
    return article
