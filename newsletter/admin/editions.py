"""Editions."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.utils.translation import gettext as __
from django.utils.translation import gettext_lazy as _

from newsletter.models import Edition, SignUp, Subscriber
from newsletter.models.imports import StagedSubscriber
from staff.base_admin import BaseModelAdmin


@admin.register(Edition)
class EditionAdmin(BaseModelAdmin):
    """What subscribers may choose, and when it is sent."""

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

    def formfield_for_dbfield(
        self, db_field: models.Field[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> Any:
        """A URL typed without a scheme gets https."""
        if isinstance(db_field, models.URLField):
            kwargs["assume_scheme"] = "https"
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[Any]]:
        """Editions in use are protected; imports of unused ones are deleted with them.

        Django's own collects rows that the web process may not read (subscribers, staged rows),
        and asks for permissions that nobody has.
        """
        editions = list(objs)
        in_use = [use for edition in editions if (use := _use_of(edition))]
        if in_use:
            return [], {}, set(), in_use
        name = str(Edition._meta.verbose_name_plural)
        return [str(edition) for edition in editions], {name: len(editions)}, set(), []


def _use_of(edition: Edition) -> str:
    """Empty if unused. The number of people is not named: it could reveal hidden small counts."""
    people = (Subscriber, SignUp, StagedSubscriber)
    mailings = edition.mailings.count()
    uses = []
    if any(rows.objects.filter(edition=edition).exists() for rows in people):
        uses.append(__("Somebody is on its list, has been, or waits to be."))
    if mailings:
        uses.append(__("Mailings: %(count)s.") % {"count": mailings})
    return " ".join([f"{edition}.", *uses]) if uses else ""
