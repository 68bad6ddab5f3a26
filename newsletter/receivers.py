"""Receivers of the articles app's signals: what becomes of mailings of an article."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.dispatch import receiver
from django.utils.translation import gettext as _

from articles.models import Article
from articles.signals import article_corrected, article_withdrawn, withdrawal_effects_requested
from newsletter.campaigns import lifecycle


@receiver(article_withdrawn)
def on_article_withdrawn(
    sender: object, article: Article, languages: list[str], now: dt.datetime, **_kwargs: Any
) -> None:
    """Cancels or pauses mailings that contain it."""
    reason = _("“%(article)s” was withdrawn.") % {"article": str(article)[:200]}
    lifecycle.withdraw_from_mailings(article, languages, now, reason)


@receiver(withdrawal_effects_requested)
def describe_withdrawal(
    sender: object, article: Article, languages: list[str], **_kwargs: Any
) -> list[str]:
    """What would become of mailings that contain it."""
    return lifecycle.withdrawal_effects(article, languages)


@receiver(article_corrected)
def on_article_corrected(
    sender: object, article: Article, languages: list[str], now: dt.datetime, **_kwargs: Any
) -> None:
    """The same: frozen letters still contain the old text."""
    reason = _("“%(article)s” was corrected.") % {"article": str(article)[:200]}
    lifecycle.withdraw_from_mailings(article, languages, now, reason)
