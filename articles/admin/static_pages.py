"""The admin of the static pages."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from articles.admin.languages import Fieldset, TranslatedTextsAdmin, language_tabs
from articles.models import Page
from articles.models.static_pages import PageCode, content_hash
from articles.public.static_pages import save_page
from core import languages

EDIT_CONFLICT_MESSAGE = _(
    "Somebody saved another text in this language while you were writing. Yours stands here and is"
    " not saved yet. Look at the page as readers see it; save once more to replace it."
)


class PageForm(forms.ModelForm):
    """Detects concurrent edits.

    The hidden `base_<language>` is the hash of the text that the form began from. A language
    that only somebody else changed keeps their text; one that both changed is an error, and
    saving again overwrites.
    """

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        posted: Any = self.data
        again = posted.copy()
        now = Page.objects.select_for_update().filter(pk=self.instance.pk).first()
        for code in languages.codes():
            title, body, base = f"title_{code}", f"body_{code}", f"base_{code}"
            if now is None or title not in cleaned or body not in cleaned:
                continue
            mine = content_hash(cleaned[title] or "", cleaned[body] or "")
            theirs = now.content_hash_in(code)
            if theirs in (mine, cleaned.get(base)):
                continue
            if mine == cleaned.get(base):
                cleaned[title], cleaned[body] = now.title_in(code), now.body_in(code)
            else:
                again[base] = theirs
                self.add_error(title, EDIT_CONFLICT_MESSAGE)
        self.data = again
        return cleaned

    @property
    def changed_data(self) -> list[str]:
        """For the history, without the form's own hidden fields."""
        return [name for name in super().changed_data if not name.startswith("base_")]


@admin.register(Page)
class PageAdmin(TranslatedTextsAdmin):
    """One row for each page; an empty language has no page."""

    list_display = ("__str__", "languages_written")
    form = PageForm

    @admin.display(description=_("languages"))
    def languages_written(self, page: Page) -> str:
        return ", ".join(languages.native_name(code) for code in page.written_in) or "–"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and bool(_codes_left())

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Emptying a language removes its page."""
        return False

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[Fieldset]:
        own = ("title", "body", "base") if self._may_write(request, obj) else ("title", "body")
        description = _("Readers see at once what is saved here. A language left empty is no page.")
        return [(None, {"fields": ["code"], "description": description}), *language_tabs(*own)]

    def _may_write(self, request: HttpRequest, obj: Page | None) -> bool:
        return (
            self.has_add_permission(request)
            if obj is None
            else self.has_change_permission(request, obj)
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("code",) if obj is not None else ()

    def get_form(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        bases = {
            f"base_{code}": forms.CharField(
                label="",
                required=False,
                initial=obj.content_hash_in(code) if obj else "",
                widget=forms.HiddenInput,
            )
            for code in languages.codes()
        }
        kwargs["form"] = type("PageForm", (self.form,), bases)
        return super().get_form(request, obj, **kwargs)

    def formfield_for_choice_field(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "code":
            kwargs["choices"] = _codes_left()
        return super().formfield_for_choice_field(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: Page, form: Any, change: bool) -> None:
        save_page(obj, by=request.user, now=timezone.now())

    def view_on_site(self, obj: Page) -> str | None:
        return obj.get_absolute_url() if obj.written_in else None


def _codes_left() -> list[tuple[str, str]]:
    taken = set(Page.objects.values_list("code", flat=True))
    return [(code, str(label)) for code, label in PageCode.choices if code not in taken]
