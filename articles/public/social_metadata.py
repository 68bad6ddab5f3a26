"""What a link shows where it is shared, and what a search engine is told of a text.

The newsroom's name is on no card unless NAME_ON_CARDS says so: in its readers' country passing it
on is prosecuted. The data for search engines names it, since nobody is shown that.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from babel.core import get_global
from django.conf import settings
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from articles.images.share_image import HEIGHT, WIDTH, Words
from articles.models import Article, ArticleText, Author, Correction, Masthead
from articles.public import context
from core import languages

# In a script element no text may end it or begin a comment; as escapes JSON reads them the same.
ESCAPES = {ord(letter): f"\\u{ord(letter):04x}" for letter in "<>&\u2028\u2029"}


def words_of(article: Article, language: str) -> Words:
    """What the picture of a text says, in the language of the moment, which is to be the text's."""
    return Words(
        title=article.text_in(language).title,
        topic=str(article.topic or ""),
        week=article.week.label(language) if article.week else "",
        verdict=article.verdict,
        verdict_words=str(article.get_verdict_display()),
        name=context.masthead().name if settings.NAME_ON_CARDS else "",
    )


def picture_path(article: Article, language: str) -> str:
    """Where its picture is; another one for other words, since who shares a link keeps it."""
    version = words_of(article, language).version
    return reverse("share_picture", args=[language, article.pk, version])


def locale(language: str) -> str:
    """As OpenGraph writes it, with a territory: "be_BY"."""
    known = languages.locale(language)
    territory = known.territory or get_global("likely_subtags")[known.language].split("_")[-1]
    return f"{known.language}_{territory}"


@dataclass(frozen=True)
class Card:
    """A public text's. Addresses are absolute, on the public host."""

    article: Article
    text: ArticleText
    address: str
    picture: str
    published_at: dt.datetime
    changed_at: dt.datetime
    locales: list[str]
    """Its own, and those of the other languages that it is public in."""
    name: str
    """The newsroom's, where it is to be shown."""
    data: SafeString

    width, height = WIDTH, HEIGHT


def card_of(
    article: Article, language: str, corrections: Iterable[Correction], authors: Iterable[Author]
) -> Card:
    """For the head of a public text's page, in the language of the moment."""
    row, text = article.language_rows[language], article.text_in(language)
    address = settings.SITE_URL + article.path_in(language)
    picture = settings.SITE_URL + picture_path(article, language)
    masthead = context.masthead()
    published_at, changed_at = row.published_at, row.changed_at or row.published_at
    assert published_at is not None
    assert changed_at is not None
    data = _news_article(article, text, masthead, corrections, authors)
    data |= {
        "url": address,
        "mainEntityOfPage": address,
        "datePublished": published_at.isoformat(),
        "dateModified": changed_at.isoformat(),
        "image": [picture, *_cover(article)],
    }
    others = [code for code in article.public_languages if code != language]
    return Card(
        article=article,
        text=text,
        address=address,
        picture=picture,
        published_at=published_at,
        changed_at=changed_at,
        locales=[locale(code) for code in (language, *others)],
        name=masthead.name if settings.NAME_ON_CARDS else "",
        data=as_script(data),
    )


def as_script(data: dict[str, Any]) -> SafeString:
    """JSON that may stand in a script element, whatever is in it."""
    written = json.dumps(data, ensure_ascii=False).translate(ESCAPES)
    return mark_safe(written)  # noqa: S308


def _news_article(
    article: Article,
    text: ArticleText,
    masthead: Masthead,
    corrections: Iterable[Correction],
    authors: Iterable[Author],
) -> dict[str, Any]:
    """schema.org's NewsArticle, as far as the texts say it; what is empty is left out."""
    publisher = {"@type": "Organization", "name": masthead.name or _("Newsroom")}
    people = [{"@type": "Person", "name": str(author)} for author in authors]
    said = {
        "headline": text.title,
        "description": text.lead,
        "inLanguage": text.language,
        "articleSection": str(article.topic or ""),
        "author": people or [publisher],
        "publisher": publisher,
        "correction": [_correction(one) for one in corrections],
    }
    kind = {"@context": "https://schema.org", "@type": "NewsArticle", "isAccessibleForFree": True}
    return {**kind, **{name: value for name, value in said.items() if value}}


def _correction(one: Correction) -> dict[str, str]:
    when = one.corrected_at.isoformat()
    return {"@type": "CorrectionComment", "text": one.note, "datePublished": when}


def _cover(article: Article) -> list[str]:
    return [settings.SITE_URL + article.cover.path] if article.cover else []
