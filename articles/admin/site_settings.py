"""What the newsroom is called, what it writes about, and who signs."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from modeltranslation.admin import TranslationAdmin

from articles.admin.languages import language_tabs
from articles.models import Author, Masthead, Topic
from core import languages
from staff.base_admin import DeskAdmin


@admin.register(Masthead)
class MastheadAdmin(DeskAdmin, TranslationAdmin):
    """One row, so its list is its form."""

    fieldsets = language_tabs("name", "tagline", "digest_title")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and not Masthead.objects.exists()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        verb = "change" if Masthead.objects.exists() else "add"
        args = [Masthead.SINGLETON] if verb == "change" else []
        return HttpResponseRedirect(reverse(f"admin:articles_masthead_{verb}", args=args))

    def save_model(self, request: HttpRequest, obj: Masthead, form: Any, change: bool) -> None:
        obj.pk = Masthead.SINGLETON
        super().save_model(request, obj, form, change)


@admin.register(Topic)
class TopicAdmin(DeskAdmin, TranslationAdmin):
    """The few standing subjects."""

    list_display = ("name", "code", "position")
    fieldsets = [(None, {"fields": ["code", "position"]}), *language_tabs("name")]


@admin.register(Author)
class AuthorAdmin(DeskAdmin, TranslationAdmin):
    """Bylines, possibly pseudonyms; never log-ins."""

    list_display = ("name", "code")
    search_fields = ("code", *(f"name_{code}" for code in languages.codes()))
    fieldsets = [(None, {"fields": ["code"]}), *language_tabs("name")]
