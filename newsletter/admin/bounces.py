"""Quarantined mail of the return path: size, time and reason; never the content."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext_lazy as _

from newsletter.models import QuarantinedMail
from staff.base_admin import BaseModelAdmin


@admin.register(QuarantinedMail)
class QuarantinedMailAdmin(BaseModelAdmin):
    """`manage.py show_quarantined_mail` opens one, where the worker's key is."""

    list_display = ("id", "arrived_at", "reason", "how_large")
    list_filter = ("reason",)
    fields = readonly_fields = ("id", "arrived_at", "reason", "how_large")

    @admin.display(description=_("size"), ordering="size")
    def how_large(self, row: QuarantinedMail) -> str:
        return filesizeformat(row.size)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
