"""Warnings about mailboxes that a hostile state can read."""

from __future__ import annotations

from django.contrib import admin
from modeltranslation.admin import TranslationAdmin

from articles.admin.languages import language_tabs
from newsletter.models import MailboxWarning
from staff.base_admin import BaseModelAdmin


@admin.register(MailboxWarning)
class MailboxWarningAdmin(BaseModelAdmin, TranslationAdmin):
    """A text per language, and the domains it is shown for."""

    list_display = ("__str__",)
    fieldsets = [(None, {"fields": ["domains"]}), *language_tabs("text")]
