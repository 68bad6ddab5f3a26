"""Scripts and helpers for mailings that are interrupted while real processes send them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from demo.mail_catcher.catcher import Catcher
from tests.newsletter.relays import ScriptedReply
from tests.newsroom_processes import NewsroomProcesses

LAUNCH = """
from django.utils import timezone
from newsletter.campaigns import lifecycle
from newsletter.tasks import enqueue_lanes
from tests.factories import make_mailing
mailing = make_mailing(readers=int(sys.argv[1]))
lifecycle.launch(mailing, timezone.now())
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
REAP_EXPIRED = """
import datetime as dt
from django.utils import timezone
from newsletter.delivery import ledger
answer = ledger.reap_expired(timezone.now() + ledger.lease_duration())
"""


def at_letter(number: int, interrupt: Callable[[], None]) -> ScriptedReply:
    """Calls `interrupt` when the relay receives its letter of this number."""
    seen = 0

    def script(_server: Any, _about: str) -> str | None:
        nonlocal seen
        seen += 1
        if seen == number:
            interrupt()
        return None

    return script


def everyone_once(caught: Catcher) -> int:
    """How many letters arrived, each to another subscriber."""
    recipients = [letter.recipients for letter in caught.letters]
    assert len(recipients) == len(set(recipients))
    return len(recipients)


def is_sent(built: NewsroomProcesses) -> bool:
    return [row[0] for row in built.stores.query(STATUS)] == ["sent"]
