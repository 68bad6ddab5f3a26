"""The retention policy `retention.yaml`: applied once a day, and shown to subscribers."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import models
from django.utils import formats
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from core import languages
from newsletter.models import Delivery, OutboxMail, Subscriber
from newsletter.subscribers import departures
from newsletter.subscribers.departures import DeparturesLogBroken

logger = logging.getLogger(__name__)

POLICY_FILE = Path(__file__).with_name("retention.yaml")
BATCH_SIZE = 5000
"""Rows per statement, so that no other process waits long for the database."""


class InvalidRetentionPolicy(Exception):
    """retention.yaml is invalid."""


@dataclass(frozen=True)
class RetentionRule:
    """After `days`, delete the row, or clear one of its fields."""

    after: str
    days: int
    where: dict[str, Any]
    clear: str = ""

    def due(self, model: type[models.Model], now: dt.datetime) -> models.QuerySet[Any]:
        """The rows that have expired."""
        expired = {f"{self.after}__lte": now - dt.timedelta(days=self.days)}
        rows = model._default_manager.filter(**expired, **self.where)
        return rows.exclude(**{f"{self.clear}__isnull": True}) if self.clear else rows

    def apply(self, model: type[models.Model], now: dt.datetime) -> int:
        """Returns how many rows it deleted or cleared."""
        rows, done = self.due(model, now), 0
        while ids := list(rows.order_by().values_list("pk", flat=True)[:BATCH_SIZE]):
            # Filtered again: a row may have changed since it was found.
            batch = rows.filter(pk__in=ids)
            changed = batch.update(**{self.clear: None}) if self.clear else batch.delete()[0]
            if not changed:
                break
            done += len(ids)
        return done


@dataclass(frozen=True)
class FieldPolicy:
    """Why a field is kept, and until when, by language; for staff in English alone."""

    why: dict[str, str]
    until: dict[str, str]

    def in_language(self, language: str) -> tuple[str, str]:
        """Why and until when, in this language or the nearest one that the policy has."""
        code = next(one for one in languages.preference_order(language) if one in self.why)
        return self.why[code], self.until[code]


@dataclass(frozen=True)
class TablePolicy:
    """The policy of one model."""

    model: type[models.Model]
    fields: dict[str, FieldPolicy]
    rules: list[RetentionRule]
    is_personal: bool
    """Whether every field needs a policy; else only those that refer to a person."""


@lru_cache(maxsize=1)
def load_policy() -> list[TablePolicy]:
    """Raises InvalidRetentionPolicy."""
    return parse_policy(POLICY_FILE.read_text(encoding="utf-8"))


def parse_policy(text: str) -> list[TablePolicy]:
    """Raises InvalidRetentionPolicy for an unknown model or field, or an invalid rule."""
    try:
        return [
            _table(name, entry)
            for tables in yaml.safe_load(text).values()
            for name, entry in tables.items()
        ]
    except (yaml.YAMLError, LookupError, AttributeError, TypeError, ValueError) as error:
        raise InvalidRetentionPolicy(f"retention.yaml: {error}") from error


def _table(name: str, entry: dict[str, Any]) -> TablePolicy:
    model = apps.get_model(name)
    fields = {
        one: FieldPolicy(_by_language(kept["why"]), _by_language(kept["until"]))
        for one, kept in entry.get("fields", {}).items()
    }
    rules = [_rule(rule) for rule in entry.get("rules", [])]
    known = {one.name for one in _own_fields(model)}
    named = {*fields, *(rule.after for rule in rules), *(rule.clear for rule in rules)}
    for one in named - known - {""}:
        raise LookupError(f"{name} has no field {one!r}.")
    is_personal = bool(fields) and not entry.get("partly", False)
    return TablePolicy(model, fields, rules, is_personal)


def _rule(entry: dict[str, Any]) -> RetentionRule:
    if bool(entry.get("delete")) == bool(entry.get("clear")):
        raise ValueError(f"A rule either deletes or clears: {entry}")
    return RetentionRule(
        entry["after"], int(entry["days"]), entry.get("where", {}), entry.get("clear", "")
    )


def _by_language(text: str | dict[str, str]) -> dict[str, str]:
    return {"en": text} if isinstance(text, str) else dict(text)


def _own_fields(model: type[models.Model]) -> list[models.Field[Any, Any]]:
    return [*model._meta.concrete_fields, *model._meta.many_to_many]


def fields_without_policy() -> Iterator[str]:
    """Fields about a person that the policy does not name. Raises InvalidRetentionPolicy."""
    listed = {table.model: table for table in load_policy()}
    people = (Subscriber, get_user_model())
    for model in apps.get_models(include_auto_created=True):
        table = listed.get(model)
        for one in _own_fields(model):
            if table is not None and one.name in table.fields:
                continue
            is_personal = table is not None and table.is_personal and one.name != "id"
            if is_personal or one.related_model in people:
                yield f"{model._meta.label}.{one.name}"


def apply_retention(now: dt.datetime) -> dict[str, int]:
    """Applies all rules and prunes the departures log; returns the number of rows by model."""
    done = {}
    for table in load_policy():
        count = sum(rule.apply(table.model, now) for rule in table.rules)
        if count:
            done[table.model._meta.label] = count
            logger.info("Retention: %s rows of %s.", count, table.model._meta.label)
    try:
        departures.prune(now)
    except (DeparturesLogBroken, OSError) as error:
        logger.error("The departures log cannot be pruned: %s", error)
    return done


# --- Personal data of one subscriber (GDPR, Article 15) ------------------------------


@dataclass(frozen=True)
class PersonalDataItem:
    """One line of the preferences page's list."""

    name: str
    value: str
    why: str
    until: str


def personal_data_of(subscriber: Subscriber, language: str) -> list[PersonalDataItem]:
    """Every field of the subscriber's row, and the rows that refer to it."""
    tables = {table.model: table for table in load_policy()}
    items = []
    for name, kept in tables[Subscriber].fields.items():
        one = Subscriber._meta.get_field(name)
        value = _display(subscriber, name)
        if value:
            label = capfirst(str(getattr(one, "verbose_name", name)))
            items.append(PersonalDataItem(label, value, *kept.in_language(language)))
    due = tables[OutboxMail].fields["subscriber"]
    for mail in OutboxMail.objects.filter(subscriber=subscriber).order_by("pk"):
        due_at = _formatted(mail.due_at)
        items.append(PersonalDataItem(mail.get_kind_display(), due_at, *due.in_language(language)))
    letters = Delivery.objects.filter(subscriber=subscriber).count()
    kept = tables[Delivery].fields["subscriber"]
    why, until = kept.in_language(language)
    items.append(PersonalDataItem(_("Letters to you"), str(letters), why, until))
    return items


def _display(subscriber: Subscriber, name: str) -> str:
    value = getattr(subscriber, name)
    if isinstance(value, bytes | memoryview):
        size = len(bytes(value))
        return ngettext("%(count)s byte", "%(count)s bytes", size) % {"count": size}
    if isinstance(value, dt.datetime):
        return _formatted(value)
    display = getattr(subscriber, f"get_{name}_display", None)
    return str(display() if display else "" if value is None else value)


def _formatted(value: dt.datetime) -> str:
    return str(formats.date_format(value, "DATETIME_FORMAT"))
