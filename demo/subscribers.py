"""The demo's editions and invented subscribers, at domains that receive no mail."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import yaml
from django.conf import settings
from django.db import transaction

from articles.models import SiteSettings
from keys.sealing import WorkerKeys, worker_keys
from newsletter.models import Edition, MailboxWarning, Subscriber
from newsletter.models.editions import Weekday
from newsletter.models.variants import VariantKind
from newsletter.subscribers.sign_up import add_confirmed

LIST = Path(__file__).with_name("subscribers.yaml")
JOINED_AGO = dt.timedelta(days=70)
"""Before the demo's first digest."""
DEFAULT_SENDER_NAME = "Newsroom"


@dataclass(frozen=True)
class DemoSubscribersReport:
    """What was loaded."""

    editions: int
    subscribers: int

    def __str__(self) -> str:
        if not self.editions and not self.subscribers:
            return "Nothing was loaded: there are editions and subscribers already."
        return f"Loaded {self.editions} editions and {self.subscribers} subscribers."


def load_demo_subscribers(now: dt.datetime) -> DemoSubscribersReport:
    """Creates editions if there are none, and subscribers if there are none. Raises KeyNotFound."""
    keys, plan = worker_keys(), yaml.safe_load(LIST.read_text(encoding="utf-8"))
    with transaction.atomic():
        editions = [] if Edition.objects.exists() else _make_editions(plan)
        if not MailboxWarning.objects.exists():
            _make_warning(plan["mailbox_warning"])
        subscribers = [] if Subscriber.objects.exists() else _make_subscribers(plan, keys, now)
    return DemoSubscribersReport(len(editions), len(subscribers))


def _make_editions(plan: dict[str, Any]) -> list[Edition]:
    masthead = SiteSettings.current()
    editions = []
    for position, planned in enumerate(plan["editions"], start=1):
        sender = getattr(masthead, f"name_{planned['languages'][0]}", "")
        edition = Edition(
            code=planned["code"],
            name=planned["name"],
            languages=planned["languages"],
            list_id=planned["list_id"],
            weekday=Weekday.MONDAY,
            hour=plan["hour"],
            time_zone=plan["time_zone"],
            sender_name=sender or DEFAULT_SENDER_NAME,
            sender_address=plan["sender_address"],
            position=position,
            discreet_subject=planned["discreet_subject"],
            discreet_sender_name=plan["discreet"]["sender_name"],
            discreet_sender_address=plan["discreet"]["sender_address"],
            discreet_list_id=plan["discreet"]["list_id"],
            # The same site under another host name.
            discreet_site_url=f"http://localhost:{settings.PORT}",
        )
        edition.full_clean()
        edition.save()
        editions.append(edition)
    return editions


def _make_warning(planned: dict[str, Any]) -> None:
    words = {f"text_{language}": text for language, text in planned["text"].items()}
    warning = MailboxWarning(domains="\n".join(planned["domains"]), **words)
    warning.full_clean()
    warning.save()


def _make_subscribers(plan: dict[str, Any], keys: WorkerKeys, now: dt.datetime) -> list[Subscriber]:
    editions = {edition.code: edition for edition in Edition.objects.all()}
    domains, numbers = plan["subscriber_domains"], count(1)
    subscribers = []
    for planned in plan["editions"]:
        edition = editions.get(planned["code"])
        if edition is None:
            # The newsroom has editions of its own.
            continue
        for position in range(planned["subscribers"]):
            number = next(numbers)
            address = f"subscriber{number}@{domains[number % len(domains)]}"
            subscriber = add_confirmed(address, edition, now - JOINED_AGO, keys)
            if subscriber is None:
                continue
            if position < planned["discreet_subscribers"] and edition.offers_discreet:
                subscriber.variant = VariantKind.DISCREET
                subscriber.save(update_fields=["variant"])
            subscribers.append(subscriber)
    return subscribers
