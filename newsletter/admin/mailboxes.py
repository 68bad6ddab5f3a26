"""Warnings of mailboxes that others may read."""

from __future__ import annotations

from django.contrib import admin
from modeltranslation.admin import TranslationAdmin

from articles.admin.languages import language_tabs
from newsletter.models import MailboxWarning
from staff.base_admin import DeskAdmin


@admin.register(MailboxWarning)
class MailboxWarningAdmin(DeskAdmin, TranslationAdmin):
    """The newsroom's own words, and which mailboxes they are about."""

    list_display = ("__str__",)
    fieldsets = [(None, {"fields": ["domains"]}), *language_tabs("text")]
