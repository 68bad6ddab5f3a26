"""Guarantee 2 at exact moments: a lane in its own process, killed with SIGKILL."""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from demo.mail_catcher.catcher import Catcher
from keys import sealing
from newsletter.campaigns import lifecycle
from newsletter.delivery import ledger
from newsletter.delivery.lanes import run_lane
from newsletter.models import Delivery, Mailing, MailingStatus
from tests.factories import make_mailing
from tests.newsletter.relays import ScriptedRelay
from tests.services import database_url

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.long]
ROOT = Path(__file__).resolve().parents[3]
READERS = 6


class LaneProcess:
    """A lane that a relay's mood can kill, or that kills itself."""

    def __init__(self) -> None:
        self.popen: subprocess.Popen[bytes] | None = None

    def run_until_killed(
        self, mailing: Mailing, connections: int = 1, moment: tuple[str, int] | None = None
    ) -> None:
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": os.environ["DJANGO_SETTINGS_MODULE"],
            "DATABASE_URL": database_url(connection),
            "WORKER_KEY_FILE": str(settings.WORKER_KEY_FILE),
            "INTAKE_KEY_FILE": str(settings.INTAKE_KEY_FILE),
            "LINKS_KEY_FILE": str(settings.LINKS_KEY_FILE),
            "DEPARTURES_FILE": str(settings.DEPARTURES_FILE),
            "RELAY_URL": f"smtp://127.0.0.1:{settings.RELAYS[0].port}",
            "RELAY_TIMEOUT": str(settings.RELAY_TIMEOUT),
            "CONNECTIONS": str(connections),
        }
        chosen = map(str, moment or ())
        command = [
            sys.executable,
            "-m",
            "tests.newsletter.delivery.killed_lane",
            str(mailing.pk),
            *chosen,
        ]
        self.popen = subprocess.Popen(command, cwd=ROOT, env=environment)
        assert self.popen.wait(30) == -signal.SIGKILL

    def killer(self, at_letter: int) -> Callable[[Any, str], str | None]:
        """A mood that kills the lane when it speaks of its so-manieth letter."""
        seen = 0

        def mood(_server: Any, _about: str) -> str | None:
            nonlocal seen
            seen += 1
            if seen == at_letter:
                assert self.popen is not None
                os.kill(self.popen.pid, signal.SIGKILL)
                self.popen.wait(30)
            return None

        return mood


def recover(mailing: Mailing) -> Mailing:
    """What the tick and a fresh lane do, once the dead one's lease is over."""
    ScriptedRelay.replies.clear()
    later = timezone.now() + ledger.lease_duration() + dt.timedelta(seconds=1)
    ledger.reap_expired(later)
    run_lane(mailing.pk, 0, lambda: later)
    mailing.refresh_from_db()
    return mailing


def addresses(rows: QuerySet[Delivery]) -> list[str]:
    keys = sealing.worker_keys()
    readers = (row.subscriber for row in rows.select_related("subscriber"))
    return [reader.address(keys) for reader in readers if reader is not None]


def received(relay: Catcher) -> list[str]:
    """In the order in which the relay took them."""
    return [address for letter in relay.letters for address in letter.recipients]


def killed_at(mailing: Mailing, moment: str, letter: int) -> None:
    lifecycle.launch(mailing, timezone.now())
    process = LaneProcess()
    if moment == BEFORE_THE_REPLY:
        ScriptedRelay.replies["KEPT"] = process.killer(letter)
        process.run_until_killed(mailing)
    else:
        process.run_until_killed(mailing, moment=(moment, letter))


BEFORE_THE_REPLY = "before_the_reply"
"""The relay has the letter, and kills the lane before it says so."""
NOBODY, WHO_HAS_IT, WHO_HAS_NONE = "nobody", "the last who has a letter", "one who has none"


@pytest.mark.parametrize(
    ("moment", "letter", "kept", "uncertain"),
    [
        ("after_the_claim", 1, 0, NOBODY),
        ("before_data", 1, 0, NOBODY),
        # The answer to the letter before had come; it would have been recorded with this one.
        ("before_data", 3, 2, WHO_HAS_IT),
        ("before_the_text", 3, 2, WHO_HAS_NONE),
        ("within_the_text", 3, 2, WHO_HAS_NONE),
        (BEFORE_THE_REPLY, 3, 3, WHO_HAS_IT),
        ("before_the_record", 3, 3, WHO_HAS_IT),
        ("before_the_record", READERS, READERS, WHO_HAS_IT),
    ],
)
def test_a_lane_killed_at_this_very_moment_loses_and_doubles_nobody(
    relay: Catcher, moment: str, letter: int, kept: int, uncertain: str
) -> None:
    mailing = make_mailing(readers=READERS)
    killed_at(mailing, moment, letter)
    had = received(relay)
    assert len(had) == kept

    assert recover(mailing).status == MailingStatus.SENT
    counts = lifecycle.ledger(mailing)
    assert counts.balances
    unsure = addresses(Delivery.objects.uncertain())
    assert (counts.sent, counts.uncertain) == (READERS - len(unsure), len(unsure))
    assert len(unsure) == (uncertain != NOBODY)
    # It is named by its row, and by the right one.
    if uncertain == WHO_HAS_IT:
        assert unsure == had[-1:]
    elif uncertain == WHO_HAS_NONE:
        assert not set(unsure) & set(received(relay))
    everybody = received(relay)
    assert len(everybody) == len(set(everybody)), "nobody has two"
    assert set(everybody) | set(unsure) == set(addresses(Delivery.objects.all())), "nobody is lost"
    assert set(addresses(Delivery.objects.filter(status="sent"))) <= set(everybody)


def test_before_its_lease_is_over_nobody_takes_a_killed_lanes_letters(relay: Catcher) -> None:
    mailing = make_mailing(readers=READERS)
    killed_at(mailing, "before_the_text", 3)
    ScriptedRelay.replies.clear()
    now = timezone.now()
    ledger.reap_expired(now)
    for slot in range(2):
        run_lane(mailing.pk, slot, lambda: now)
    assert len(relay.letters) == 2
    mailing.refresh_from_db()
    assert mailing.status == MailingStatus.SENDING
    assert lifecycle.ledger(mailing).still_to_send == READERS - 2


@pytest.mark.parametrize(
    ("command", "at_letter"), [("MAIL", 6), ("RCPT", 1), ("DATA", 4), ("KEPT", 4)]
)
def test_a_lane_killed_with_several_connections_leaves_at_most_one_uncertain_for_each(
    relay: Catcher, command: str, at_letter: int
) -> None:
    connections, readers = 3, 8
    mailing = make_mailing(readers=readers)
    lifecycle.launch(mailing, timezone.now())
    process = LaneProcess()
    ScriptedRelay.replies[command] = process.killer(at_letter=at_letter)
    process.run_until_killed(mailing, connections)

    assert recover(mailing).status == MailingStatus.SENT
    counts = lifecycle.ledger(mailing)
    assert counts.balances
    assert counts.uncertain <= connections
    assert counts.sent + counts.uncertain == readers, "nobody is lost"
    recipients = [letter.recipients for letter in relay.letters]
    assert len(recipients) == len(set(recipients)), "and nobody has two"
    sent = set(Delivery.objects.filter(status="sent").values_list("subscriber", flat=True))
    assert len(sent) == counts.sent
    assert len(recipients) >= counts.sent
