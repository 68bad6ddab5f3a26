"""A mailing in a house of processes: launched, struck in the middle, counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from demo.mail_catcher.catcher import Catcher
from tests.newsletter.relays import Mood
from tests.newsroom_processes import House

LAUNCH = """
from django.utils import timezone
from newsletter.campaigns import lifecycle as mailings
from newsletter.tasks import enqueue_lanes
from tests.factories import make_mailing
mailing = make_mailing(readers=int(sys.argv[1]))
mailings.launch(mailing, timezone.now())
enqueue_lanes(mailing)
answer = mailing.pk
"""
LEDGER = """
from dataclasses import asdict
from newsletter.campaigns.lifecycle import ledger
from newsletter.models import Mailing
mailing = Mailing.objects.get()
answer = {
    **asdict(ledger(mailing)),
    "balances": ledger(mailing).balances,
    "status": mailing.status,
    "why": mailing.pause_reason,
    "lanes": mailing.lanes.count(),
}
"""
STATUS = "SELECT status FROM newsletter_mailing"
AFTER_THE_LEASE = """
import datetime as dt
from django.utils import timezone
from newsletter.delivery import ledger
answer = ledger.sweep(timezone.now() + ledger.lease())
"""


def at_letter(number: int, strike: Callable[[], None]) -> Mood:
    """Strikes once, when the relay is asked for its so-manieth letter."""
    seen = 0

    def mood(_server: Any, _about: str) -> str | None:
        nonlocal seen
        seen += 1
        if seen == number:
            strike()
        return None

    return mood


def everyone_once(caught: Catcher) -> int:
    """How many letters were caught, each of another reader."""
    recipients = [letter.recipients for letter in caught.letters]
    assert len(recipients) == len(set(recipients))
    return len(recipients)


def is_sent(built: House) -> bool:
    return [row[0] for row in built.stores.query(STATUS)] == ["sent"]
