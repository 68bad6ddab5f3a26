"""What becomes of letters when an article is withdrawn or corrected; articles know of none."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.dispatch import receiver
from django.utils.translation import gettext as _

from articles.models import Article
from articles.signals import article_corrected, article_withdrawn, withdrawal_asked
from newsletter.campaigns import lifecycle


@receiver(article_withdrawn)
def on_withdrawn(
    sender: object, article: Article, languages: list[str], now: dt.datetime, **_kwargs: Any
) -> None:
    """No letter that has not been handed over may show it."""
    why = _("“%(article)s” was withdrawn.") % {"article": str(article)[:200]}
    lifecycle.withdraw_from_mailings(article, languages, now, why)


@receiver(withdrawal_asked)
def on_asked(sender: object, article: Article, languages: list[str], **_kwargs: Any) -> list[str]:
    """What would become of the letters that show it."""
    return lifecycle.consequences(article, languages)


@receiver(article_corrected)
def on_corrected(
    sender: object, article: Article, languages: list[str], now: dt.datetime, **_kwargs: Any
) -> None:
    """Letters on their way still show the old text; a person decides."""
    why = _("“%(article)s” was corrected.") % {"article": str(article)[:200]}
    lifecycle.withdraw_from_mailings(article, languages, now, why)
