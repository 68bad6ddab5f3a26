"""A language's state above its text, and the buttons that change it."""

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
from articles.editorial.warnings import doubts
from articles.models import Article, ArticleLanguage, ArticleText, Draft, Revision, Status
from core import languages

DESPITE = "!"
"""After the language of a button that publishes: its doubts have been seen."""


@dataclass(frozen=True)
class Button:
    """Saves what was typed, and then does this."""

    name: str
    value: str
    label: str
    variant: str = "default"

    @property
    def attrs(self) -> SafeString:
        """Of its element."""
        title = __("Saves first.")
        named = {"form": "article_form", "name": self.name, "value": self.value, "title": title}
        return flatatt(named)


@dataclass(frozen=True)
class LanguagePanel:
    """What an editor sees of one language before its text."""

    code: str
    article: Article | None
    row: ArticleLanguage | None
    may_write: bool
    may_publish: bool
    needs_review: bool
    draft: Draft | None
    """What is in the fields, if it is not what was saved."""
    is_of_another: bool
    has_moved_on: bool
    """Somebody saved this language after the draft was begun."""
    buttons: list[Button] = field(default_factory=list)
    handed_in: list[Draft] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    """What to look at before it is published, or mended if it is."""

    @property
    def name(self) -> str:
        return languages.own_name(self.code)

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
        """What is saved, for whoever only reads it."""
        return (
            self.article.text_in(self.code) if self.article else ArticleText(self.code, "", "", "")
        )

    @property
    def stale_source(self) -> str:
        """The language whose change made it stale; empty if it is not."""
        if self.article is None or self.row is None:
            return ""
        return self.row.source_language if self.code in self.article.stale_languages else ""

    @property
    def stale_source_name(self) -> str:
        return languages.own_name(self.stale_source)

    @property
    def sources(self) -> list[tuple[str, str]]:
        """Other languages with a text to translate from."""
        if self.article is None:
            return []
        written = (text.language for text in self.article.texts())
        return [(code, languages.own_name(code)) for code in written if code != self.code]

    @property
    def obstacles(self) -> list[str]:
        """Why it was not published at its hour."""
        if self.row is None or self.row.missed_at is None or self.article is None:
            return []
        self.row.article = self.article
        return self.row.obstacles(self.text)

    @property
    def public_since(self) -> dt.datetime | None:
        return self.row.published_at if self.row is not None and self.row.is_public else None

    @property
    def remark(self) -> str:
        """Why it was sent back, until it is public."""
        return self.row.remark if self.row is not None and not self.row.is_public else ""

    @property
    def publishes_at_once(self) -> bool:
        """Whether the public sees at once what this person saves."""
        is_public = self.row is not None and self.row.is_public
        return is_public and self.may_write and not self.is_withdrawn

    @property
    def save_label(self) -> str:
        """What saving does, as this person's button says it."""
        if self.needs_review:
            return __("Hand in for review")
        return __("Publish changes") if self.row is not None and self.row.is_public else __("Save")

    @property
    def may_send_back(self) -> bool:
        return self.may_publish and self.row is not None and self.row.status == Status.REVIEW

    @property
    def is_only_read(self) -> bool:
        return not self.may_write and bool(self.text.title)

    @property
    def schedule_button(self) -> Button:
        return Button("_do", f"schedule:{self.code}", __("Schedule"))

    @property
    def can_be_scheduled(self) -> bool:
        """Whether to offer a day and hour."""
        return (
            self.may_publish
            and self.row is not None
            and not self.row.is_public
            and not self.is_withdrawn
        )


def panel_of(
    user: Any,
    article: Article | None,
    code: str,
    draft: Draft | None,
    newest: Revision | None,
) -> LanguagePanel:
    """The panel as this person sees it."""
    row = article.language_rows.get(code) if article else None
    may_write = permissions.may_write(user, article, code)
    may_publish = permissions.may_publish(user)
    needs_review = permissions.needs_review(user, article, code)
    handed_in = []
    if article is not None and may_publish:
        handed_in = [one for one in waiting_drafts(article) if one.language == code]
    doubted = doubts(article.text_in(code)) if article is not None and may_write else []
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
        buttons=_buttons(article, row, code, may_write, may_publish, bool(doubted)),
        doubts=doubted,
        handed_in=[one for one in handed_in if draft is None or one.pk != draft.pk],
    )


def waiting_drafts(article: Article) -> list[Draft]:
    """Changes to public texts that were handed in; asked for once a page."""
    known: list[Draft] | None = getattr(article, "_waiting_drafts", None)
    if known is None:
        known = list(article.drafts.handed_in().select_related("owner"))
        article._waiting_drafts = known  # type: ignore[attr-defined]
    return known


def _buttons(
    article: Article | None,
    row: ArticleLanguage | None,
    code: str,
    may_write: bool,
    may_publish: bool,
    is_doubted: bool,
) -> list[Button]:
    if article is not None and article.withdrawn_at is not None:
        return []
    found = []
    status = row.status if row else "missing"
    is_public = row is not None and row.is_public
    if may_publish and may_write and not is_public:
        label = __("Publish anyway") if is_doubted else __("Publish")
        found.append(Button("_publish", f"{code}{DESPITE if is_doubted else ''}", label, "primary"))
    if may_write and not may_publish and status in {"missing", Status.DRAFT, Status.WITHDRAWN}:
        found.append(Button("_do", f"hand-in:{code}", __("Hand in for review"), "primary"))
    if row is not None and code in (article.stale_languages if article else []) and may_write:
        found.append(Button("_do", f"still-right:{code}", __("Still right")))
    if may_publish and status in {Status.REVIEW, Status.SCHEDULED}:
        label = __("Take off the schedule") if status == Status.SCHEDULED else __("Send back")
        found.append(Button("_do", f"send-back:{code}", label))
    return found


def shown(panel: LanguagePanel, schedule_typed: str = "") -> SafeString:
    """The panel as HTML."""
    context = {"panel": panel, "schedule_typed": schedule_typed}
    return render_to_string("admin/articles/language.html", context)


class PanelWidget(forms.Widget):
    """Only shows: nothing in it is a field of the form."""

    panel: LanguagePanel | None = None
    schedule_typed = ""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        return shown(self.panel, self.schedule_typed) if self.panel else SafeString()

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return True


class PanelField(forms.Field):
    """Stands in a tab's list of fields so that the panel comes before the text."""

    def __init__(self) -> None:
        super().__init__(required=False, disabled=True, label=_("Status"), widget=PanelWidget)
