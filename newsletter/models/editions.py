"""Editions: languages, send time and senders."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, RegexValidator, validate_email
from django.db import models
from django.utils.translation import gettext_lazy as _

from articles.site_version import bumps_site_version
from core import languages
from core.weeks import Week

ONE_LINE = RegexValidator(r"[\r\n]", _("Write one line."), inverse_match=True)


class Weekday(models.IntegerChoices):
    """As `datetime.date.weekday` counts them."""

    MONDAY = 0, _("Monday")
    TUESDAY = 1, _("Tuesday")
    WEDNESDAY = 2, _("Wednesday")
    THURSDAY = 3, _("Thursday")
    FRIDAY = 4, _("Friday")
    SATURDAY = 5, _("Saturday")
    SUNDAY = 6, _("Sunday")


def validate_time_zone(name: str) -> None:
    """Raises ValidationError for a name that is not in the time zone database."""
    if name not in zoneinfo.available_timezones():
        raise ValidationError(_("Not a time zone. Write one such as Europe/Vilnius."))


def validate_languages(codes: Any) -> None:
    """Raises ValidationError for anything but a list of the site's languages."""
    known = languages.codes()
    if not isinstance(codes, list) or not codes or not all(code in known for code in codes):
        raise ValidationError(
            _("Write a list of language codes in order of preference, out of: %(codes)s."),
            params={"codes": ", ".join(known)},
        )


# The sign-up form on every page offers them.
@bumps_site_version
class Edition(models.Model):
    """What a subscriber chooses: languages in order of preference, send time, senders."""

    code = models.SlugField(_("code"), unique=True)
    name = models.CharField(_("name"), max_length=40, help_text=_("As readers see it: BE/RU."))
    languages = models.JSONField(
        _("languages"),
        validators=[validate_languages],
        help_text=_("In order of preference. An article appears in the first that is published."),
    )
    weekday = models.PositiveSmallIntegerField(
        _("weekday"), choices=Weekday, default=Weekday.MONDAY
    )
    hour = models.PositiveSmallIntegerField(
        _("hour"), default=9, validators=[MaxValueValidator(23)]
    )
    time_zone = models.CharField(
        _("time zone"), max_length=60, default="UTC", validators=[validate_time_zone]
    )
    sender_name = models.CharField(_("sender’s name"), max_length=100, validators=[ONE_LINE])
    sender_address = models.EmailField(_("sender’s address"))
    list_id = models.CharField(
        _("List-Id"),
        max_length=100,
        validators=[
            RegexValidator(
                r"^[a-z0-9.-]+\.[a-z0-9-]+$", _("Write a name such as news.example.org.")
            )
        ],
        help_text=_("A name below your domain that stays the same: news.example.org."),
    )
    discreet_subject = models.CharField(
        _("subject of the discreet letter"), max_length=100, blank=True, validators=[ONE_LINE]
    )
    discreet_sender_name = models.CharField(
        _("sender’s name, discreet"), max_length=100, blank=True, validators=[ONE_LINE]
    )
    discreet_sender_address = models.EmailField(_("sender’s address, discreet"), blank=True)
    discreet_list_id = models.CharField(_("List-Id, discreet"), max_length=100, blank=True)
    discreet_site_url = models.URLField(_("base address, discreet"), blank=True)
    position = models.PositiveSmallIntegerField(_("position"), default=0)

    class Meta:
        verbose_name, verbose_name_plural = _("edition"), _("editions")
        ordering = ["position", "code"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(weekday__lte=6) & models.Q(hour__lte=23),
                name="edition_has_a_real_hour",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def language(self) -> str:
        """The language of the letter itself: the first."""
        return str(self.languages[0])

    @property
    def offers_discreet(self) -> bool:
        """Whether every field that a discreet letter needs is filled in."""
        return bool(
            self.discreet_subject
            and self.discreet_sender_address
            and self.discreet_list_id
            and self.discreet_site_url
        )

    def clean(self) -> None:
        if self.sender_address:
            validate_email(self.sender_address)

    def due_at(self, week: Week) -> dt.datetime:
        """The first sending hour after the week's Sunday, in UTC.

        An hour that daylight saving repeats or skips comes once: fold=0 (PEP 495) takes the first
        of two, and moves a skipped one forward by the gap.
        """
        first_day = week.sunday + dt.timedelta(days=1)
        day = first_day + dt.timedelta(days=(self.weekday - first_day.weekday()) % 7)
        local = dt.datetime.combine(day, dt.time(self.hour), zoneinfo.ZoneInfo(self.time_zone))
        return local.astimezone(dt.UTC)

    def coming_week(self, now: dt.datetime) -> Week:
        """The week whose digest is due next."""
        week = Week.containing(now.date())
        return next(
            one for one in (week.previous(2), week.previous(), week) if self.due_at(one) > now
        )
