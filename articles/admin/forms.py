"""The article's form: what two people change at once is merged, and nothing typed is lost."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextareaWidget

from articles.admin.language_panels import LanguagePanel, PanelField, panel_of
from articles.editorial import permissions
from articles.editorial.autosave import drafts_by_language
from articles.editorial.conflicts import Choice, Conflict, merge, newest_revisions
from articles.editorial.workflow import IN_THE_PAST
from articles.models import Article, ArticleText, Draft, Revision
from articles.models.texts import TEXTS
from core import languages
from core.weeks import Week

PUBLISH = "_publish"
"""The name of the buttons that publish; each one's value is a language."""
DO = "_do"
"""The name of the other buttons of a language; the value is a verb and the language."""
FACTS = ("topic", "week", "verdict", "authors", "cover", "old_path")
"""What an article has once for all its languages, as far as two people may differ on it."""


def language_fields(
    user: Any, article: Article | None, code: str, *, writable: bool
) -> dict[str, forms.Field]:
    """What a language's tab has beside its text."""
    fields: dict[str, forms.Field] = {f"panel_{code}": PanelField()}
    if not writable:
        return fields
    fields[f"base_{code}"] = forms.IntegerField(
        label=_("revision"), required=False, min_value=0, widget=forms.HiddenInput
    )
    return fields | note_field(user, article, code)


def note_field(user: Any, article: Article | None, code: str) -> dict[str, forms.Field]:
    """What readers are told of a correction: where one can be made, for who may make it."""
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

    The texts are merged with what others saved meanwhile, see articles.editorial.conflicts: each
    language's hidden `base_` is the revision that the typing began from, and `seen` are the
    facts as they were when the page was opened.
    """

    user: Any
    draft: Draft | None
    """The handed-in draft that an editor reads, if any."""

    seen = forms.CharField(label=_("Facts"), required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conflicts: dict[str, Conflict] = {}
        self.to_hand_in: dict[str, tuple[ArticleText, int]] = {}
        self.newest: dict[str, Revision] = {}
        self.drafts: dict[str, Draft] = {}
        article = self.instance if self.instance.pk else None
        if article is not None:
            self.newest = newest_revisions(article)
            self.initial["seen"] = json.dumps(_facts(article))
        self.drafts = drafts_by_language(self.user, article)
        if self.draft is not None:
            self.drafts[self.draft.language] = self.draft
        for code in languages.codes():
            self._begin(code)
        for panel in self.panels():
            widget = self.fields[f"panel_{panel.code}"].widget
            widget.panel = panel
            widget.schedule_typed = self.data.get(f"schedule_{panel.code}", "")

    def _begin(self, code: str) -> None:
        """From what is saved, or from what was typed and not saved."""
        if f"base_{code}" not in self.fields:
            return
        newest, draft = self.newest.get(code), self.drafts.get(code)
        self.initial[f"base_{code}"] = newest.number if newest else 0
        if draft is not None:
            self.initial[f"base_{code}"] = draft.base_revision
            for field in TEXTS:
                self.initial[f"{field}_{code}"] = getattr(draft, field)

    @property
    def changed_data(self) -> list[str]:
        """For the history: what only carries the form is no change."""
        own = ("seen", "base_", "panel_")
        return [name for name in super().changed_data if not name.startswith(own)]

    def panels(self) -> list[LanguagePanel]:
        """Each language's state and what can be done about it."""
        article = self.instance if self.instance.pk else None
        return [
            panel_of(self.user, article, code, self.drafts.get(code), self.newest.get(code))
            for code in languages.codes()
            if f"panel_{code}" in self.fields
        ]

    # --- Checking ----------------------------------------------------------------------

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if self.instance.pk:
            self._catch_up()
            self._merge_facts(cleaned)
            self._merge_texts(cleaned)
            self._keep_public_texts(cleaned)
        self._check_schedule()
        names = [f"title_{code}" for code in languages.codes()]
        # What this user may not change is not in the form, but it is there.
        kept = [getattr(self.instance, name) for name in names if name not in self.fields]
        typed = [cleaned.get(name) or self.has_error(name) for name in names]
        if not any([*kept, *typed, *self.conflicts]):
            raise ValidationError(_("The article has no title. Write one in any one language."))
        return cleaned

    def _catch_up(self) -> None:
        """What others saved since the page was opened; they wait until this is saved."""
        try:
            self.instance.refresh_from_db(from_queryset=Article.objects.locked())
        except Article.DoesNotExist:
            raise ValidationError(_("Somebody has deleted this article meanwhile.")) from None
        self.newest = newest_revisions(self.instance)

    def _merge_texts(self, cleaned: dict[str, Any]) -> None:
        for code in languages.codes():
            names = [f"{field}_{code}" for field in TEXTS]
            if f"base_{code}" not in self.fields or any(self.has_error(name) for name in names):
                continue
            mine = ArticleText.typed(code, cleaned, f"_{code}")
            base = cleaned.get(f"base_{code}") or 0
            merged = self._merge_text(mine, base)
            if merged is not None:
                for field, name in zip(TEXTS, names, strict=True):
                    cleaned[name] = getattr(merged, field)

    def _merge_text(self, mine: ArticleText, base: int) -> ArticleText | None:
        """What is to be saved; None where somebody has to choose first."""
        code, theirs = mine.language, self.instance.text_in(mine.language)
        if permissions.needs_review(self.user, self.instance, code):
            if not mine.reads_as(theirs):
                self.to_hand_in[code] = (mine, base)
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

    def _merge_facts(self, cleaned: dict[str, Any]) -> None:
        now = _facts(self.instance)
        try:
            seen = {**now, **json.loads(cleaned.get("seen") or "{}")}
        except (ValueError, TypeError, RecursionError):
            seen = now
        for name in FACTS:
            if name not in cleaned:
                continue
            mine = _plain(cleaned[name])
            if mine == seen[name]:
                cleaned[name] = _value(self.instance, name)
            elif now[name] not in (seen[name], mine):
                self.add_error(
                    name, _("Somebody changed this while you were writing. Choose once more.")
                )
        # Shown again, the page asks about what is there now.
        shown_again = self.data.copy()  # type: ignore[attr-defined]
        shown_again["seen"] = json.dumps(now)
        self.data = shown_again

    def _keep_public_texts(self, cleaned: dict[str, Any]) -> None:
        rows = self.instance.language_rows
        answered_for = [code for code, row in rows.items() if row.is_answered_for]
        for name in ("topic", "week") if answered_for else ():
            if name in cleaned and not cleaned[name]:
                self.add_error(
                    name, _("The article is public. Choose another, but leave none out.")
                )
        for code in answered_for:
            for field in ("title", "body"):
                name = f"{field}_{code}"
                if name in cleaned and not cleaned[name] and code not in self.conflicts:
                    self.add_error(
                        name, _("This language is public. Withdraw it before you empty it.")
                    )

    def _check_schedule(self) -> None:
        """An hour that cannot be is said beside it; acting comes after the save."""
        verb, _colon, code = self.data.get(DO, "").partition(":")
        if verb != "schedule" or f"panel_{code}" not in self.fields:
            return
        try:
            if parse_schedule(self.data.get(f"schedule_{code}", "")) <= timezone.now():
                self.add_error(f"panel_{code}", IN_THE_PAST)
        except ValidationError as error:
            self.add_error(f"panel_{code}", error)

    def _post_clean(self) -> None:
        """Checks the verdict's constraint too: Django skips one that names a column not shown."""
        super()._post_clean()  # type: ignore[misc]
        if not self.errors:
            try:
                self.instance.validate_constraints()
            except ValidationError as error:
                self._update_errors(error)  # type: ignore[attr-defined]

    # --- What was chosen -----------------------------------------------------------------

    @property
    def notes(self) -> dict[str, str]:
        """What readers are told of a correction, by language."""
        found = {code: self.cleaned_data.get(f"note_{code}", "") for code in languages.codes()}
        return {code: note for code, note in found.items() if note}


def _facts(article: Article) -> dict[str, Any]:
    return {name: _plain(_value(article, name)) for name in FACTS}


def _value(article: Article, name: str) -> Any:
    return article.authors.all() if name == "authors" else getattr(article, name)


def _plain(value: Any) -> Any:
    """As JSON has it: a row is its id, rows are their ids."""
    if isinstance(value, Week):
        return str(value)
    if hasattr(value, "values_list"):
        return sorted(value.values_list("pk", flat=True))
    return getattr(value, "pk", value)


def parse_schedule(text: str) -> dt.datetime:
    """A local time as a browser sends it. Raises ValidationError."""
    if not text:
        raise ValidationError(_("Choose a day and an hour first."))
    moment: dt.datetime = forms.DateTimeField().clean(text)
    return moment if timezone.is_aware(moment) else timezone.make_aware(moment)
