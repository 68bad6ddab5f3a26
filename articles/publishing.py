"""Letting a text out, and taking it back."""

from __future__ import annotations

import datetime as dt

from django.db import transaction

from articles import signals
from articles.models import Article, ArticleLanguage, CannotPublish
from newsroom import languages


@transaction.atomic
def publish(article: Article, language: str, now: dt.datetime) -> bool:
    """Publishes one language; False if it was public already. Raises CannotPublish."""
    row = article.article_languages.select_for_update().filter(language=language).first()
    if row is None:
        missing = ArticleLanguage(article=article, language=language)
        raise CannotPublish(missing.obstacles(article.text_in(language)))
    row.article = article
    return row.publish(article.text_in(language), now)


@transaction.atomic
def withdraw_language(article: Article, language: str, now: dt.datetime) -> bool:
    """Takes one language back; False if it was not public."""
    row = article.article_languages.select_for_update().filter(language=language).first()
    if row is None or not row.withdraw():
        return False
    signals.article_withdrawn.send(Article, article=article, languages=[language], now=now)
    return True


@transaction.atomic
def withdraw(article: Article, now: dt.datetime) -> bool:
    """Takes the whole article back, in every language; False if it was so already."""
    if not article.mark_withdrawn(now):
        return False
    signals.article_withdrawn.send(Article, article=article, languages=languages.codes(), now=now)
    return True
