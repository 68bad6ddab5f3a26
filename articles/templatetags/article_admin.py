"""Template tags of the admin pages."""

from __future__ import annotations

from urllib.parse import urlencode

from django import template
from django.urls import reverse

from core import languages

register = template.Library()


@register.simple_tag
def language_tab(language: str, article: int | None = None, **query: object) -> str:
    """URL of an article's form (None: a new article), opened at a language's tab."""
    form = "change" if article else "add"
    path = reverse(f"admin:articles_article_{form}", args=[article] if article else [])
    return f"{path}?{urlencode({**query, 'tab': languages.native_name(language).lower()})}"
