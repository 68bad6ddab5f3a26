"""Static pages (about, privacy): saving them, and the links to them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from articles.models import Page
from articles.text import sanitizer
from core import languages
from core.languages import LocalizedContent
from staff.audit import record
from staff.models import AuditAction


@transaction.atomic
def save_page(page: Page, *, by: Any, now: dt.datetime) -> list[str]:
    """Public at once, so each changed language is audited. Returns the changed languages."""
    before = Page.objects.select_for_update().filter(pk=page.pk).first() or Page()
    changed = []
    for code in languages.codes():
        old = before.title_in(code), before.body_in(code)
        # Sanitised, as the column will have it.
        new = page.title_in(code), sanitizer.clean(page.body_in(code))
        if old != new:
            setattr(page, f"changed_at_{code}", now)
            changed.append((code, _action(old, new)))
    page.save()
    for code, action in changed:
        record(action, page, by=by, now=now, language=code)
    return [code for code, _action in changed]


def _action(old: tuple[str, str], new: tuple[str, str]) -> AuditAction:
    if not any(old):
        return AuditAction.PUBLISHED
    return AuditAction.CORRECTED if any(new) else AuditAction.WITHDREW


@dataclass(frozen=True)
class PageLink(LocalizedContent):
    """In the page's language, or the nearest available."""

    title: str
    path: str


def page_links(language: str) -> list[PageLink]:
    """For each static page with a text in any language."""
    found = []
    for page in Page.objects.with_titles():
        nearest = next(filter(page.title_in, languages.preference_order(language)), None)
        if nearest is not None:
            title, path = page.title_in(nearest), page.path_in(nearest)
            found.append(PageLink(nearest, language, title, path))
    return found
