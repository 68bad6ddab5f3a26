"""Site settings, topics and authors."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from modeltranslation.admin import TranslationAdmin

from articles.admin.languages import language_tabs
from articles.models import Author, SiteSettings, Topic
from core import languages
from staff.base_admin import BaseModelAdmin


@admin.register(SiteSettings)
class SiteSettingsAdmin(BaseModelAdmin, TranslationAdmin):
    """A single row: the list redirects to its form."""

    fieldsets = language_tabs("name", "tagline", "digest_title")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and not SiteSettings.objects.exists()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if SiteSettings.objects.exists():
            path = reverse("admin:articles_sitesettings_change", args=[SiteSettings.SINGLETON])
        else:
            path = reverse("admin:articles_sitesettings_add")
        return HttpResponseRedirect(path)

    def save_model(self, request: HttpRequest, obj: SiteSettings, form: Any, change: bool) -> None:
        obj.pk = SiteSettings.SINGLETON
        super().save_model(request, obj, form, change)


@admin.register(Topic)
class TopicAdmin(BaseModelAdmin, TranslationAdmin):
    """Topics, in their order."""

    list_display = ("name", "code", "position")
    fieldsets = [(None, {"fields": ["code", "position"]}), *language_tabs("name")]


@admin.register(Author)
class AuthorAdmin(BaseModelAdmin, TranslationAdmin):
    """Bylines; no user accounts."""

    list_display = ("name", "code")
    search_fields = ("code", *(f"name_{code}" for code in languages.codes()))
    fieldsets = [(None, {"fields": ["code"]}), *language_tabs("name")]
