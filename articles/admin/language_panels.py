"""Language panels: one language's state, and the buttons that change it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.forms.utils import flatatt
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext as __
from django.utils.translation import gettext_lazy as _

from articles.editorial import permissions
from articles.editorial.warnings import publish_warnings
from articles.models import Article, ArticleLanguage, ArticleText, Draft, Revision, Status
from core import languages

WARNINGS_SEEN_SUFFIX = "!"
"""Suffix of a publish button's value: its warnings have been shown."""


@dataclass(frozen=True)
class Button:
    """A submit button: saves the form, then runs its action."""

    name: str
    value: str
    label: str
    variant: str = "default"

    @property
    def attrs(self) -> SafeString:
        """HTML attributes."""
        title = __("Saves first.")
        named = {"form": "article_form", "name": self.name, "value": self.value, "title": title}
        return flatatt(named)


@dataclass(frozen=True)
class LanguagePanel:
    """One language's panel, as one user sees it."""

    code: str
    article: Article | None
    row: ArticleLanguage | None
    may_write: bool
    may_publish: bool
    needs_review: bool
    draft: Draft | None
    """The draft in the fields, if they do not show the saved text."""
    is_of_another: bool
    has_moved_on: bool
    """Somebody saved this language since the draft was begun."""
    buttons: list[Button] = field(default_factory=list)
    submitted: list[Draft] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    """See articles.editorial.warnings."""

    @property
    def name(self) -> str:
        return languages.native_name(self.code)

    @property
    def is_withdrawn(self) -> bool:
        return self.article is not None and self.article.withdrawn_at is not None

    @property
    def status(self) -> str:
        if self.is_withdrawn and self.row is not None:
            return Status.WITHDRAWN.value
        return self.row.status if self.row else "missing"

    @property
    def status_label(self) -> str:
        return str(Status(self.status).label) if self.row else __("Missing")

    @property
    def text(self) -> ArticleText:
        """The saved text."""
        return (
            self.article.text_in(self.code) if self.article else ArticleText(self.code, "", "", "")
        )

    @property
    def stale_source(self) -> str:
        """Its source language if it is stale, else empty."""
        if self.article is None or self.row is None:
            return ""
        return self.row.source_language if self.code in self.article.stale_languages else ""

    @property
    def stale_source_name(self) -> str:
        return languages.native_name(self.stale_source)

    @property
    def sources(self) -> list[tuple[str, str]]:
        """Other languages with a text to translate from."""
        if self.article is None:
            return []
        written = (text.language for text in self.article.texts())
        return [(code, languages.native_name(code)) for code in written if code != self.code]

    @property
    def publish_errors(self) -> list[str]:
        """Why its scheduled publication was missed."""
        if self.row is None or self.row.missed_at is None or self.article is None:
            return []
        self.row.article = self.article
        return self.row.publish_errors(self.text)

    @property
    def public_since(self) -> dt.datetime | None:
        return self.row.published_at if self.row is not None and self.row.is_public else None

    @property
    def remark(self) -> str:
        """The reviewer's remark, until it is public."""
        return self.row.remark if self.row is not None and not self.row.is_public else ""

    @property
    def publishes_at_once(self) -> bool:
        """Whether saving changes the public page."""
        is_public = self.row is not None and self.row.is_public
        return is_public and self.may_write and not self.is_withdrawn

    @property
    def save_label(self) -> str:
        """Of the save button: what saving does for this user."""
        if self.needs_review:
            return __("Hand in for review")
        return __("Publish changes") if self.row is not None and self.row.is_public else __("Save")

    @property
    def may_request_changes(self) -> bool:
        return self.may_publish and self.row is not None and self.row.status == Status.REVIEW

    @property
    def is_only_read(self) -> bool:
        return not self.may_write and bool(self.text.title)

    @property
    def schedule_button(self) -> Button:
        return Button("_do", f"schedule:{self.code}", __("Schedule"))

    @property
    def can_be_scheduled(self) -> bool:
        """Whether to show the schedule's field."""
        return (
            self.may_publish
            and self.row is not None
            and not self.row.is_public
            and not self.is_withdrawn
        )


def language_panel(
    user: Any,
    article: Article | None,
    code: str,
    draft: Draft | None,
    newest: Revision | None,
) -> LanguagePanel:
    """The panel as this user sees it."""
    row = article.language_rows.get(code) if article else None
    may_write = permissions.may_write(user, article, code)
    may_publish = permissions.may_publish(user)
    needs_review = permissions.needs_review(user, article, code)
    submitted = []
    if article is not None and may_publish:
        submitted = [one for one in submitted_drafts(article) if one.language == code]
    warnings = publish_warnings(article.text_in(code)) if article is not None and may_write else []
    return LanguagePanel(
        code=code,
        article=article,
        row=row,
        may_write=may_write,
        may_publish=may_publish,
        needs_review=needs_review,
        draft=draft if may_write else None,
        is_of_another=draft is not None and draft.owner_id != user.pk,
        has_moved_on=draft is not None
        and newest is not None
        and newest.number > draft.base_revision,
        buttons=_buttons(article, row, code, may_write, may_publish, bool(warnings)),
        warnings=warnings,
        submitted=[one for one in submitted if draft is None or one.pk != draft.pk],
    )


def submitted_drafts(article: Article) -> list[Draft]:
    """Submitted changes to public texts; queried once a page."""
    known: list[Draft] | None = getattr(article, "_submitted_drafts", None)
    if known is None:
        known = list(article.drafts.submitted().select_related("owner"))
        article._submitted_drafts = known  # type: ignore[attr-defined]
    return known


def _buttons(
    article: Article | None,
    row: ArticleLanguage | None,
    code: str,
    may_write: bool,
    may_publish: bool,
    has_warnings: bool,
) -> list[Button]:
    if article is not None and article.withdrawn_at is not None:
        return []
    found = []
    status = row.status if row else "missing"
    is_public = row is not None and row.is_public
    if may_publish and may_write and not is_public:
        label = __("Publish anyway") if has_warnings else __("Publish")
        found.append(
            Button(
                "_publish",
                f"{code}{WARNINGS_SEEN_SUFFIX if has_warnings else ''}",
                label,
                "primary",
            )
        )
    if may_write and not may_publish and status in {"missing", Status.DRAFT, Status.WITHDRAWN}:
        found.append(
            Button("_do", f"submit-for-review:{code}", __("Hand in for review"), "primary")
        )
    if row is not None and code in (article.stale_languages if article else []) and may_write:
        found.append(Button("_do", f"mark-current:{code}", __("Still right")))
    if may_publish and status in {Status.REVIEW, Status.SCHEDULED}:
        label = __("Take off the schedule") if status == Status.SCHEDULED else __("Send back")
        found.append(Button("_do", f"request-changes:{code}", label))
    return found


def render_panel(panel: LanguagePanel, schedule_typed: str = "") -> SafeString:
    """The panel as HTML."""
    context = {"panel": panel, "schedule_typed": schedule_typed}
    return render_to_string("admin/articles/language_panel.html", context)


class PanelWidget(forms.Widget):
    """Renders the panel; has no value."""

    panel: LanguagePanel | None = None
    schedule_typed = ""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        return render_panel(self.panel, self.schedule_typed) if self.panel else SafeString()

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return True


class PanelField(forms.Field):
    """Places the panel among a tab's fields, before the text."""

    def __init__(self) -> None:
        super().__init__(required=False, disabled=True, label=_("Status"), widget=PanelWidget)
