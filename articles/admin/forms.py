"""The article's form, which merges concurrent edits."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextareaWidget

from articles.admin.language_panels import LanguagePanel, PanelField, language_panel
from articles.editorial import permissions
from articles.editorial.autosave import drafts_by_language
from articles.editorial.conflicts import Choice, Conflict, merge, newest_revisions
from articles.editorial.workflow import PAST_TIME_MESSAGE
from articles.models import Article, ArticleText, Draft, Revision
from articles.models.texts import TEXT_FIELDS
from core import languages
from core.weeks import Week

PUBLISH_BUTTON = "_publish"
"""Name of the publish buttons; the value is a language code."""
ACTION_BUTTON = "_do"
"""Name of a language's other buttons; the value is `action:language`."""
SHARED_FIELDS = ("topic", "week", "verdict", "authors", "cover", "old_path")
"""Fields that all languages share and that two people may change at once."""


def language_fields(
    user: Any, article: Article | None, code: str, *, writable: bool
) -> dict[str, forms.Field]:
    """A language tab's fields beside its text."""
    fields: dict[str, forms.Field] = {f"panel_{code}": PanelField()}
    if not writable:
        return fields
    fields[f"base_{code}"] = forms.IntegerField(
        label=_("revision"), required=False, min_value=0, widget=forms.HiddenInput
    )
    return fields | note_field(user, article, code)


def note_field(user: Any, article: Article | None, code: str) -> dict[str, forms.Field]:
    """The public note on a correction: of a published language, for who may publish."""
    row = article.language_rows.get(code) if article else None
    if row is None or not row.is_public or not permissions.may_publish(user):
        return {}
    attrs = {"rows": 2, "lang": code, "spellcheck": "true"}
    note = forms.CharField(
        label=_("Note on the correction"),
        required=False,
        max_length=500,
        widget=UnfoldAdminTextareaWidget(attrs=attrs),
        help_text=_("Readers see it below the article, with today’s date. Empty: no note."),
    )
    return {f"note_{code}": note}


class ArticleForm(forms.ModelForm):
    """No language is compulsory, but an article has a title in one.

    Texts are merged with what others saved meanwhile, see articles.editorial.conflicts: the
    hidden `base_<language>` is the revision that the editing began from, and `seen` are the
    shared fields as they were when the page was opened.
    """

    user: Any
    draft: Draft | None
    """The submitted draft that an editor opened, if any."""

    seen = forms.CharField(label=_("Facts"), required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conflicts: dict[str, Conflict] = {}
        self.to_submit: dict[str, tuple[ArticleText, int]] = {}
        self.newest: dict[str, Revision] = {}
        self.drafts: dict[str, Draft] = {}
        article = self.instance if self.instance.pk else None
        if article is not None:
            self.newest = newest_revisions(article)
            self.initial["seen"] = json.dumps(_shared_values(article))
        self.drafts = drafts_by_language(self.user, article)
        if self.draft is not None:
            self.drafts[self.draft.language] = self.draft
        for code in languages.codes():
            self._set_initial_text(code)
        for panel in self.panels():
            widget = self.fields[f"panel_{panel.code}"].widget
            widget.panel = panel
            widget.schedule_typed = self.data.get(f"schedule_{panel.code}", "")

    def _set_initial_text(self, code: str) -> None:
        """From the draft if there is one, else from the saved text."""
        if f"base_{code}" not in self.fields:
            return
        newest, draft = self.newest.get(code), self.drafts.get(code)
        self.initial[f"base_{code}"] = newest.number if newest else 0
        if draft is not None:
            self.initial[f"base_{code}"] = draft.base_revision
            for field in TEXT_FIELDS:
                self.initial[f"{field}_{code}"] = getattr(draft, field)

    @property
    def changed_data(self) -> list[str]:
        """For the history, without the form's own hidden fields."""
        own = ("seen", "base_", "panel_")
        return [name for name in super().changed_data if not name.startswith(own)]

    def panels(self) -> list[LanguagePanel]:
        """Each language's panel."""
        article = self.instance if self.instance.pk else None
        return [
            language_panel(self.user, article, code, self.drafts.get(code), self.newest.get(code))
            for code in languages.codes()
            if f"panel_{code}" in self.fields
        ]

    # --- Checking ----------------------------------------------------------------------

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if self.instance.pk:
            self._lock_and_refresh()
            self._merge_shared_fields(cleaned)
            self._merge_texts(cleaned)
            self._check_public_texts(cleaned)
        self._check_schedule()
        names = [f"title_{code}" for code in languages.codes()]
        # Languages that this user may not change are not in the form.
        unchanged = [getattr(self.instance, name) for name in names if name not in self.fields]
        typed = [cleaned.get(name) or self.has_error(name) for name in names]
        if not any([*unchanged, *typed, *self.conflicts]):
            raise ValidationError(_("The article has no title. Write one in any one language."))
        return cleaned

    def _lock_and_refresh(self) -> None:
        """Loads what others saved since the page was opened; locks the article."""
        try:
            self.instance.refresh_from_db(from_queryset=Article.objects.locked())
        except Article.DoesNotExist:
            raise ValidationError(_("Somebody has deleted this article meanwhile.")) from None
        self.newest = newest_revisions(self.instance)

    def _merge_texts(self, cleaned: dict[str, Any]) -> None:
        for code in languages.codes():
            names = [f"{field}_{code}" for field in TEXT_FIELDS]
            if f"base_{code}" not in self.fields or any(self.has_error(name) for name in names):
                continue
            mine = ArticleText.from_form(code, cleaned, f"_{code}")
            base = cleaned.get(f"base_{code}") or 0
            merged = self._merge_text(mine, base)
            if merged is not None:
                for field, name in zip(TEXT_FIELDS, names, strict=True):
                    cleaned[name] = getattr(merged, field)

    def _merge_text(self, mine: ArticleText, base: int) -> ArticleText | None:
        """The text to save; None for a conflict."""
        code, theirs = mine.language, self.instance.text_in(mine.language)
        if permissions.needs_review(self.user, self.instance, code):
            if not mine.is_same_text(theirs):
                self.to_submit[code] = (mine, base)
            saved: ArticleText = theirs
            return saved
        choice = Choice(self.data.get(f"choice_{code}", ""), self._seen_revision(code))
        merged = merge(self.instance, mine, base, self.newest.get(code), choice)
        if isinstance(merged, ArticleText):
            return merged
        self.conflicts[code] = merged
        self.add_error(
            f"title_{code}", _("Somebody saved another text in this language. Choose above.")
        )
        return None

    def _seen_revision(self, code: str) -> int:
        seen = self.data.get(f"seen_{code}", "")
        return int(seen) if seen.isdecimal() and len(seen) < 10 else 0

    def _merge_shared_fields(self, cleaned: dict[str, Any]) -> None:
        now = _shared_values(self.instance)
        try:
            seen = {**now, **json.loads(cleaned.get("seen") or "{}")}
        except (ValueError, TypeError, RecursionError):
            seen = now
        for name in SHARED_FIELDS:
            if name not in cleaned:
                continue
            mine = _plain(cleaned[name])
            if mine == seen[name]:
                cleaned[name] = _value(self.instance, name)
            elif now[name] not in (seen[name], mine):
                self.add_error(
                    name, _("Somebody changed this while you were writing. Choose once more.")
                )
        # If the form is shown again, it compares with the present values.
        data = self.data.copy()  # type: ignore[attr-defined]
        data["seen"] = json.dumps(now)
        self.data = data

    def _check_public_texts(self, cleaned: dict[str, Any]) -> None:
        rows = self.instance.language_rows
        published = [code for code, row in rows.items() if row.is_public_or_scheduled]
        for name in ("topic", "week") if published else ():
            if name in cleaned and not cleaned[name]:
                self.add_error(
                    name, _("The article is public. Choose another, but leave none out.")
                )
        for code in published:
            for field in ("title", "body"):
                name = f"{field}_{code}"
                if name in cleaned and not cleaned[name] and code not in self.conflicts:
                    self.add_error(
                        name, _("This language is public. Withdraw it before you empty it.")
                    )

    def _check_schedule(self) -> None:
        """Reports an invalid time at its field: the action itself runs after the save."""
        action, _colon, code = self.data.get(ACTION_BUTTON, "").partition(":")
        if action != "schedule" or f"panel_{code}" not in self.fields:
            return
        try:
            if parse_schedule(self.data.get(f"schedule_{code}", "")) <= timezone.now():
                self.add_error(f"panel_{code}", PAST_TIME_MESSAGE)
        except ValidationError as error:
            self.add_error(f"panel_{code}", error)

    def _post_clean(self) -> None:
        """Validates all constraints: Django skips those with a field that is not in the form."""
        super()._post_clean()  # type: ignore[misc]
        if not self.errors:
            try:
                self.instance.validate_constraints()
            except ValidationError as error:
                self._update_errors(error)  # type: ignore[attr-defined]

    @property
    def notes(self) -> dict[str, str]:
        """Public notes on corrections, by language."""
        found = {code: self.cleaned_data.get(f"note_{code}", "") for code in languages.codes()}
        return {code: note for code, note in found.items() if note}


def _shared_values(article: Article) -> dict[str, Any]:
    return {name: _plain(_value(article, name)) for name in SHARED_FIELDS}


def _value(article: Article, name: str) -> Any:
    return article.authors.all() if name == "authors" else getattr(article, name)


def _plain(value: Any) -> Any:
    """As JSON: a row as its id, rows as sorted ids."""
    if isinstance(value, Week):
        return str(value)
    if hasattr(value, "values_list"):
        return sorted(value.values_list("pk", flat=True))
    return getattr(value, "pk", value)


def parse_schedule(text: str) -> dt.datetime:
    """A local time from a datetime-local input. Raises ValidationError."""
    if not text:
        raise ValidationError(_("Choose a day and an hour first."))
    moment: dt.datetime = forms.DateTimeField().clean(text)
    return moment if timezone.is_aware(moment) else timezone.make_aware(moment)
