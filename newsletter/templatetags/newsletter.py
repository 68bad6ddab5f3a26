"""The sign-up box, for any page, and what the letters' templates need."""

from __future__ import annotations

from typing import Any

from django import template

from newsletter.forms import SignUpForm
from newsletter.rendering import paragraphs, wrap
from newsroom import languages

register = template.Library()


@register.inclusion_tag("newsletter/sign_up_box.html")
def sign_up_box() -> dict[str, Any]:
    """An empty form in the language of the page."""
    language = languages.current()
    return {"form": SignUpForm(language=language), "language": language, "warning": ""}


VERDICT_MARKS = {"improved": "▲", "unchanged": "■", "worsened": "▼"}


@register.simple_tag
def verdict_mark(verdict: str) -> str:
    """A shape for the verdict, so that no colour is needed."""
    return VERDICT_MARKS.get(verdict, "")


@register.filter
def wrapped(text: str) -> str:
    """Paragraphs of a mail's plain text, each wrapped."""
    return "\n\n".join("\n".join(wrap(" ".join(part.split()))) for part in paragraphs(text))


@register.filter
def repeated(text: str, times: int) -> str:
    """A rule made of characters."""
    return text * int(times)
