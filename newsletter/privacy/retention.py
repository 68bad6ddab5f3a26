"""How long what is kept: `retention.yaml`, obeyed once a day and shown to whom it is about."""

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
from newsletter.subscribers.departures import JournalBroken

logger = logging.getLogger(__name__)

POLICY = Path(__file__).with_name("retention.yaml")
AT_ONCE = 5000
"""Rows of one statement, so that no other process waits long for the database."""


class PolicyBroken(Exception):
    """The document says something that cannot be obeyed."""


@dataclass(frozen=True)
class Rule:
    """After so long, delete the row, or clear one of its columns."""

    after: str
    days: int
    where: dict[str, Any]
    clear: str = ""

    def due(self, model: type[models.Model], now: dt.datetime) -> models.QuerySet[Any]:
        """The rows whose time is over."""
        over = {f"{self.after}__lte": now - dt.timedelta(days=self.days)}
        rows = model._default_manager.filter(**over, **self.where)
        return rows.exclude(**{f"{self.clear}__isnull": True}) if self.clear else rows

    def obey(self, model: type[models.Model], now: dt.datetime) -> int:
        """Returns how many rows it was about."""
        rows, done = self.due(model, now), 0
        while ids := list(rows.order_by().values_list("pk", flat=True)[:AT_ONCE]):
            # Asked again: a row may have changed since it was found.
            mine = rows.filter(pk__in=ids)
            changed = mine.update(**{self.clear: None}) if self.clear else mine.delete()[0]
            if not changed:
                break
            done += len(ids)
        return done


@dataclass(frozen=True)
class Kept:
    """One field: why it is kept, and until when, by language; staff's in English alone."""

    why: dict[str, str]
    until: dict[str, str]

    def told(self, language: str) -> tuple[str, str]:
        """Why and until when, in this language or the nearest to it that the document has."""
        spoken = next(code for code in languages.nearest_first(language) if code in self.why)
        return self.why[spoken], self.until[spoken]


@dataclass(frozen=True)
class Table:
    """What the document says of one table."""

    model: type[models.Model]
    fields: dict[str, Kept]
    rules: list[Rule]
    is_personal: bool
    """All of it is about a person, so each field needs a line; else those that refer to one."""


@lru_cache(maxsize=1)
def policy() -> list[Table]:
    """The document. Raises PolicyBroken."""
    return parse(POLICY.read_text(encoding="utf-8"))


def parse(text: str) -> list[Table]:
    """Raises PolicyBroken for what no table or column has, or what is no rule."""
    try:
        return [
            _table(name, said)
            for tables in yaml.safe_load(text).values()
            for name, said in tables.items()
        ]
    except (yaml.YAMLError, LookupError, AttributeError, TypeError, ValueError) as error:
        raise PolicyBroken(f"retention.yaml: {error}") from error


def _table(name: str, said: dict[str, Any]) -> Table:
    model = apps.get_model(name)
    fields = {
        one: Kept(_by_language(kept["why"]), _by_language(kept["until"]))
        for one, kept in said.get("fields", {}).items()
    }
    rules = [_rule(rule) for rule in said.get("rules", [])]
    known = {one.name for one in _own_fields(model)}
    named = {*fields, *(rule.after for rule in rules), *(rule.clear for rule in rules)}
    for one in named - known - {""}:
        raise LookupError(f"{name} has no field {one!r}.")
    is_personal = bool(fields) and not said.get("partly", False)
    return Table(model, fields, rules, is_personal)


def _rule(said: dict[str, Any]) -> Rule:
    if bool(said.get("delete")) == bool(said.get("clear")):
        raise ValueError(f"A rule either deletes or clears: {said}")
    return Rule(said["after"], int(said["days"]), said.get("where", {}), said.get("clear", ""))


def _by_language(said: str | dict[str, str]) -> dict[str, str]:
    return {"en": said} if isinstance(said, str) else dict(said)


def _own_fields(model: type[models.Model]) -> list[models.Field[Any, Any]]:
    return [*model._meta.concrete_fields, *model._meta.many_to_many]


def missing() -> Iterator[str]:
    """What of a person is kept without a line in the document that says why and how long.

    Raises PolicyBroken.
    """
    listed = {table.model: table for table in policy()}
    people = (Subscriber, get_user_model())
    for model in apps.get_models(include_auto_created=True):
        table = listed.get(model)
        for one in _own_fields(model):
            if table is not None and one.name in table.fields:
                continue
            is_personal = table is not None and table.is_personal and one.name != "id"
            if is_personal or one.related_model in people:
                yield f"{model._meta.label}.{one.name}"


def obey(now: dt.datetime) -> dict[str, int]:
    """Does what the document says. Returns how many rows each table's rules were about."""
    done = {}
    for table in policy():
        count = sum(rule.obey(table.model, now) for rule in table.rules)
        if count:
            done[table.model._meta.label] = count
            logger.info("Retention: %s rows of %s.", count, table.model._meta.label)
    try:
        departures.prune(now)
    except (JournalBroken, OSError) as error:
        logger.error("The journal of departures cannot be pruned: %s", error)
    return done


# --- What is held about one reader ---------------------------------------------------


@dataclass(frozen=True)
class Held:
    """One line of what a reader is told about themselves."""

    name: str
    value: str
    why: str
    until: str


def held_about(subscriber: Subscriber, language: str) -> list[Held]:
    """All that this reader's row says, and what refers to it."""
    tables = {table.model: table for table in policy()}
    held = []
    for name, kept in tables[Subscriber].fields.items():
        one = Subscriber._meta.get_field(name)
        value = _shown(subscriber, name)
        if value:
            label = capfirst(str(getattr(one, "verbose_name", name)))
            held.append(Held(label, value, *kept.told(language)))
    due = tables[OutboxMail].fields["subscriber"]
    for mail in OutboxMail.objects.filter(subscriber=subscriber).order_by("pk"):
        held.append(Held(mail.get_kind_display(), _moment(mail.due_at), *due.told(language)))
    letters = Delivery.objects.filter(subscriber=subscriber).count()
    kept = tables[Delivery].fields["subscriber"]
    held.append(Held(_("Letters to you"), str(letters), *kept.told(language)))
    return held


def _shown(subscriber: Subscriber, name: str) -> str:
    value = getattr(subscriber, name)
    if isinstance(value, bytes | memoryview):
        size = len(bytes(value))
        return ngettext("%(count)s byte", "%(count)s bytes", size) % {"count": size}
    if isinstance(value, dt.datetime):
        return _moment(value)
    display = getattr(subscriber, f"get_{name}_display", None)
    return str(display() if display else "" if value is None else value)


def _moment(value: dt.datetime) -> str:
    return str(formats.date_format(value, "DATETIME_FORMAT"))
