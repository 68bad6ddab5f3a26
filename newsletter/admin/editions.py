"""Editions."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.utils.translation import gettext as __
from django.utils.translation import gettext_lazy as _

from newsletter.models import Edition, SignUp, Subscriber
from newsletter.models.imports import StagedReader
from staff.base_admin import DeskAdmin


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

    def formfield_for_dbfield(
        self, db_field: models.Field[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> Any:
        """An address typed without a scheme is a site's of today."""
        if isinstance(db_field, models.URLField):
            kwargs["assume_scheme"] = "https"
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[Any]]:
        """One that is in use says so; what is left of old imports goes with one that is not.

        Django's own would load each subscriber's row and each hash of a check, which the web
        process may not see, and blame the account for lacking a permission that nobody has.
        """
        editions = list(objs)
        in_use = [said for edition in editions if (said := _use_of(edition))]
        if in_use:
            return [], {}, set(), in_use
        named = str(Edition._meta.verbose_name_plural)
        return [str(edition) for edition in editions], {named: len(editions)}, set(), []


def _use_of(edition: Edition) -> str:
    """Empty where nothing stands on it. How many people do is not said: small numbers are hidden
    in the list, and their sum by edition would let them be worked out."""
    people = (Subscriber, SignUp, StagedReader)
    mailings = edition.mailings.count()
    said = []
    if any(rows.objects.filter(edition=edition).exists() for rows in people):
        said.append(__("Somebody is on its list, has been, or waits to be."))
    if mailings:
        said.append(__("Mailings: %(count)s.") % {"count": mailings})
    return " ".join([f"{edition}.", *said]) if said else ""
