"""Editions."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from newsletter.models import Edition
from staff.desk import DeskAdmin


@admin.register(Edition)
class EditionAdmin(DeskAdmin):
    """What subscribers may choose, and when it goes."""

    list_display = ("name", "code", "weekday", "hour", "time_zone", "sender_address")
    fieldsets = (
        (None, {"fields": ("name", "code", "languages", "position")}),
        (_("Hour"), {"fields": (("weekday", "hour"), "time_zone")}),
        (_("Sender"), {"fields": ("sender_name", "sender_address", "list_id")}),
        (
            _("Discreet letter"),
            {
                "description": _(
                    "Text only, under a neutral subject and sender. Offered to readers once "
                    "all of these are filled in."
                ),
                "fields": (
                    "discreet_subject",
                    "discreet_sender_name",
                    "discreet_sender_address",
                    "discreet_list_id",
                    "discreet_site_url",
                ),
            },
        ),
    )
