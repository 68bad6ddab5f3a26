"""Open Graph and schema.org metadata of an article.

Link previews name the newsroom only with SITE_NAME_IN_PREVIEWS: in its visitors' country sharing
the name is prosecuted. The schema.org data, which no preview shows, always names it.
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

from articles.images.share_image import HEIGHT, WIDTH, ShareImageText
from articles.models import Article, ArticleText, Author, Correction, SiteSettings
from articles.public import context
from core import languages

# Against `</script>` and `<!--` in a script element; JSON reads the escapes the same.
SCRIPT_ESCAPES = {ord(letter): f"\\u{ord(letter):04x}" for letter in "<>&\u2028\u2029"}


def share_image_text(article: Article, language: str) -> ShareImageText:
    """In the active language, which must be the text's."""
    return ShareImageText(
        title=article.text_in(language).title,
        topic=str(article.topic or ""),
        week=article.week.label(language) if article.week else "",
        verdict=article.verdict,
        verdict_label=str(article.get_verdict_display()),
        name=context.cached_masthead().name if settings.SITE_NAME_IN_PREVIEWS else "",
    )


def share_image_path(article: Article, language: str) -> str:
    """With a version that changes with the text, since platforms cache it."""
    version = share_image_text(article, language).version
    return reverse("share_image", args=[language, article.pk, version])


def og_locale(language: str) -> str:
    """og:locale, with a territory: "be_BY"."""
    known = languages.locale(language)
    territory = known.territory or get_global("likely_subtags")[known.language].split("_")[-1]
    return f"{known.language}_{territory}"


@dataclass(frozen=True)
class SocialMetadata:
    """Of a public text. URLs are absolute, on SITE_URL."""

    article: Article
    text: ArticleText
    url: str
    image: str
    published_at: dt.datetime
    changed_at: dt.datetime
    locales: list[str]
    """Its own first, then the other public languages'."""
    site_name: str
    """The newsroom's; empty unless SITE_NAME_IN_PREVIEWS."""
    json_ld: SafeString

    width, height = WIDTH, HEIGHT


def build_social_metadata(
    article: Article, language: str, corrections: Iterable[Correction], authors: Iterable[Author]
) -> SocialMetadata:
    """For the head of an article's page, in the active language."""
    row, text = article.language_rows[language], article.text_in(language)
    url = settings.SITE_URL + article.path_in(language)
    image = settings.SITE_URL + share_image_path(article, language)
    masthead = context.cached_masthead()
    published_at, changed_at = row.published_at, row.changed_at or row.published_at
    assert published_at is not None
    assert changed_at is not None
    data = _news_article(article, text, masthead, corrections, authors)
    data |= {
        "url": url,
        "mainEntityOfPage": url,
        "datePublished": published_at.isoformat(),
        "dateModified": changed_at.isoformat(),
        "image": [image, *_cover(article)],
    }
    others = [code for code in article.public_languages if code != language]
    return SocialMetadata(
        article=article,
        text=text,
        url=url,
        image=image,
        published_at=published_at,
        changed_at=changed_at,
        locales=[og_locale(code) for code in (language, *others)],
        site_name=masthead.name if settings.SITE_NAME_IN_PREVIEWS else "",
        json_ld=json_for_script(data),
    )


def json_for_script(data: dict[str, Any]) -> SafeString:
    """JSON that is safe in a script element."""
    written = json.dumps(data, ensure_ascii=False).translate(SCRIPT_ESCAPES)
    return mark_safe(written)  # noqa: S308


def _news_article(
    article: Article,
    text: ArticleText,
    masthead: SiteSettings,
    corrections: Iterable[Correction],
    authors: Iterable[Author],
) -> dict[str, Any]:
    """schema.org's NewsArticle, without empty properties."""
    publisher = {"@type": "Organization", "name": masthead.name or _("Newsroom")}
    people = [{"@type": "Person", "name": str(author)} for author in authors]
    properties = {
        "headline": text.title,
        "description": text.lead,
        "inLanguage": text.language,
        "articleSection": str(article.topic or ""),
        "author": people or [publisher],
        "publisher": publisher,
        "correction": [_correction(one) for one in corrections],
    }
    kind = {"@context": "https://schema.org", "@type": "NewsArticle", "isAccessibleForFree": True}
    return {**kind, **{name: value for name, value in properties.items() if value}}


def _correction(one: Correction) -> dict[str, str]:
    when = one.corrected_at.isoformat()
    return {"@type": "CorrectionComment", "text": one.note, "datePublished": when}


def _cover(article: Article) -> list[str]:
    return [settings.SITE_URL + article.cover.path] if article.cover else []
