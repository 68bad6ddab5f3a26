"""Model and form fields: week, lead, sanitised HTML body, old path."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from ckeditor.fields import RichTextField, RichTextFormField
from ckeditor.widgets import CKEditorWidget
from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator
from django.db import models
from django.db.models.fields import Field
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from articles import old_paths
from articles.text import sanitizer
from core import weeks
from core.weeks import InvalidWeek, Week

if TYPE_CHECKING:
    DateColumn = models.DateField[Any, Any]
    LeadColumn = models.TextField[Any, Any]
    PathColumn = models.CharField[Any, Any]
else:
    DateColumn = models.DateField
    LeadColumn = models.TextField
    PathColumn = models.CharField


class WeekFormField(forms.DateField):
    """Accepts any day of the week."""

    default_error_messages = {
        "too_far": _("There is no such week here. Choose a day from %(first)s to %(last)s.")
    }

    def prepare_value(self, value: Any) -> Any:
        return value.monday if isinstance(value, Week) else value

    def to_python(self, value: Any) -> Any:
        if isinstance(value, Week):
            return value
        day = super().to_python(value)
        try:
            return None if day is None else Week.containing(day)
        except InvalidWeek as error:
            bounds = {
                "first": date_format(weeks.FIRST_MONDAY, "SHORT_DATE_FORMAT"),
                "last": date_format(weeks.LAST_MONDAY, "SHORT_DATE_FORMAT"),
            }
            message = self.error_messages["too_far"]
            raise ValidationError(message, code="too_far", params=bounds) from error

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.prepare_value(initial), data)


def week_in_range(name: str) -> models.CheckConstraint:
    """A constraint for core.weeks' bounds."""
    return models.CheckConstraint(
        condition=models.Q(week__gte=weeks.FIRST_MONDAY, week__lte=weeks.LAST_MONDAY), name=name
    )


class WeekField(DateColumn):
    """A Week, stored as the date of its Monday.

    A date that got past the constraint reads as the nearest week, so that one bad row breaks
    no list.
    """

    _pyi_lookup_exact_type: Any
    _pyi_private_set_type: Any
    _pyi_private_get_type: Any

    description = _("Week")

    def from_db_value(self, value: dt.date | None, *_args: object) -> Week | None:
        return None if value is None else Week.nearest(value)

    def to_python(self, value: Any) -> Any:
        if value is None or isinstance(value, Week):
            return value
        day = super().to_python(value)
        try:
            return None if day is None else Week(day)
        except InvalidWeek as error:
            raise ValidationError(str(error)) from error

    def get_prep_value(self, value: Any) -> Any:
        week = self.to_python(value)
        return None if week is None else week.monday

    def value_to_string(self, obj: models.Model) -> str:
        week = self.value_from_object(obj)
        return "" if week is None else str(week)

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        monday = value if prepared else self.get_prep_value(value)
        return connection.ops.adapt_datefield_value(monday)

    def formfield(self, **kwargs: Any) -> Any:
        # DateField.formfield would force its own form class.
        return Field.formfield(self, **{"form_class": WeekFormField, **kwargs})


class LeadField(LeadColumn):
    """A paragraph. Its length is validated here: a `maxlength` truncates a paste silently."""

    default_validators = [
        MaxLengthValidator(
            sanitizer.MAX_LEAD_LENGTH,
            _("The lead is too long: %(show_value)s characters of %(limit_value)s."),
        )
    ]


def _sanitised(typed: Any) -> Any:
    """Sanitised HTML. Raises ValidationError for markup that is too complex to sanitise."""
    if not typed:
        return typed
    try:
        # For a text that is too long, the length is the error to report.
        return sanitizer.clean(typed, strict=len(typed) <= sanitizer.MAX_BODY_LENGTH)
    except sanitizer.TooComplex:
        raise ValidationError(
            _(
                "The text has more than %(tags)s tags, or more than %(depth)s of them within one "
                "another. Paste it as plain text, or make its lists and tables simpler."
            ),
            params={"tags": sanitizer.MAX_TAGS, "depth": sanitizer.MAX_DEPTH},
        ) from None


BODY_LENGTH_VALIDATOR = MaxLengthValidator(
    sanitizer.MAX_BODY_LENGTH,
    _("The text is too long: %(show_value)s characters of %(limit_value)s."),
)


class BodyFormField(RichTextFormField):
    """Cleans to sanitised HTML, which is what the form shows again."""

    default_validators = [BODY_LENGTH_VALIDATOR]

    def clean(self, value: Any) -> Any:
        typed = self.to_python(value)
        self.validate(typed)
        cleaned = _sanitised(typed)
        # The length counts after sanitising: a paste has much markup that goes.
        self.run_validators(cleaned)
        return cleaned


class BodyField(RichTextField):
    """HTML from the editor, sanitised on every way into the column."""

    default_validators = [BODY_LENGTH_VALIDATOR]

    def formfield(self, **kwargs: Any) -> Any:
        return super().formfield(**{"form_class": BodyFormField, **kwargs})

    def clean(self, value: Any, model_instance: models.Model | None) -> Any:
        return super().clean(_sanitised(value), model_instance)

    def pre_save(self, model_instance: models.Model, add: bool) -> str:
        # On the instance too: index and revision get the same text as the column.
        cleaned = sanitizer.clean(super().pre_save(model_instance, add) or "")
        setattr(model_instance, self.attname, cleaned)
        return cleaned

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        # update(), bulk_update() and fixtures come here without `pre_save`.
        cleaned = sanitizer.clean(value) if isinstance(value, str) else value
        return super().get_db_prep_save(cleaned, connection)


class OldPathFormField(forms.CharField):
    """Accepts a path or a URL; see old_paths.normalize."""

    def to_python(self, value: Any) -> str:
        text = super().to_python(value) or ""
        try:
            return old_paths.normalize(text) if text else ""
        except old_paths.InvalidOldPath as error:
            raise ValidationError(str(error)) from error


class OldPathField(PathColumn):
    """A path on the former site; see old_paths.normalize."""

    def formfield(self, **kwargs: Any) -> Any:
        # A URL may be longer than its normalised path.
        own = {"form_class": OldPathFormField, "max_length": None}
        return Field.formfield(self, **{**own, **kwargs})


def body_widget(code: str) -> CKEditorWidget:
    """The editor for a body in this language."""
    return CKEditorWidget(config_name=f"body_{code}")
