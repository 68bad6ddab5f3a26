"""Saving the pages that stand for years, and what links to them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from articles.models import Page
from articles.text import sanitizer
from core import languages
from core.languages import InLanguage
from staff.audit import record
from staff.models import AuditAction


@transaction.atomic
def save_page(page: Page, *, by: Any, now: dt.datetime) -> list[str]:
    """Readers see it at once, so the audit says who changed which language.

    Returns the languages whose text changed.
    """
    before = Page.objects.select_for_update().filter(pk=page.pk).first() or Page()
    changed = []
    for code in languages.codes():
        was = before.title_in(code), before.body_in(code)
        # As the column is going to have it.
        is_now = page.title_in(code), sanitizer.clean(page.body_in(code))
        if was != is_now:
            setattr(page, f"changed_at_{code}", now)
            changed.append((code, _action(was, is_now)))
    page.save()
    for code, action in changed:
        record(action, page, by=by, now=now, language=code)
    return [code for code, _action in changed]


def _action(was: tuple[str, str], is_now: tuple[str, str]) -> AuditAction:
    if not any(was):
        return AuditAction.PUBLISHED
    return AuditAction.CORRECTED if any(is_now) else AuditAction.WITHDREW


@dataclass(frozen=True)
class PageLink(InLanguage):
    """In the page's language, or to the nearest that there is."""

    title: str
    path: str


def links(language: str) -> list[PageLink]:
    """To each page that is written in any language."""
    found = []
    for page in Page.objects.with_titles():
        nearest = next(filter(page.title_in, languages.nearest_first(language)), None)
        if nearest is not None:
            title, path = page.title_in(nearest), page.path_in(nearest)
            found.append(PageLink(nearest, language, title, path))
    return found
