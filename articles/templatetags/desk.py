"""Tags of the pages that the newsroom works on."""

from __future__ import annotations

from urllib.parse import urlencode

from django import template
from django.urls import reverse

from core import languages

register = template.Library()


@register.simple_tag
def language_tab(language: str, article: int | None = None, **query: object) -> str:
    """An article's form, or that of a new one, opened at a language; `query` says what else."""
    form = "change" if article else "add"
    path = reverse(f"admin:articles_article_{form}", args=[article] if article else [])
    return f"{path}?{urlencode({**query, 'tab': languages.own_name(language).lower()})}"
