"""Promise 6.2 at its exact moments: a lane in a process of its own, killed with SIGKILL."""

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
from django.utils import timezone

from newsletter import mailing as mailings
from newsletter.models import Delivery, Mailing, MailingStatus
from newsletter.sending import ledger
from newsletter.sending.lanes import run_lane
from newsroom.mailcatcher.catcher import Catcher
from tests.factories import make_mailing
from tests.newsletter.relays import Moody
from tests.services import database_url

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parents[2]
LANE = """
import sys, django; django.setup()
from django.utils import timezone
from newsletter.sending.lanes import run_lane
run_lane(int(sys.argv[1]), 0, timezone.now)
"""


class LaneProcess:
    """A lane that a relay's mood can kill."""

    def __init__(self) -> None:
        self.popen: subprocess.Popen[bytes] | None = None

    def run_until_killed(self, mailing: Mailing, connections: int = 1) -> None:
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": os.environ["DJANGO_SETTINGS_MODULE"],
            "DATABASE_URL": database_url(connection),
            "WORKER_KEY_FILE": str(settings.WORKER_KEY_FILE),
            "INTAKE_KEY_FILE": str(settings.INTAKE_KEY_FILE),
            "LINKS_KEY_FILE": str(settings.LINKS_KEY_FILE),
            "JOURNAL_FILE": str(settings.JOURNAL_FILE),
            "RELAY_URL": f"smtp://127.0.0.1:{settings.RELAY.port}",
            "RELAY_TIMEOUT": str(settings.RELAY_TIMEOUT),
            "CONNECTIONS": str(connections),
        }
        command = [sys.executable, "-c", LANE, str(mailing.pk)]
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
    Moody.moods.clear()
    later = timezone.now() + ledger.lease() + dt.timedelta(seconds=1)
    ledger.sweep(later)
    run_lane(mailing.pk, 0, lambda: later)
    mailing.refresh_from_db()
    return mailing


@pytest.mark.parametrize(("command", "kept"), [("MAIL", 2), ("RCPT", 2), ("KEPT", 3)])
def test_a_lane_killed_at_its_third_letter_loses_and_doubles_nobody(
    relay: Catcher, command: str, kept: int
) -> None:
    mailing = make_mailing(readers=6)
    mailings.launch(mailing, timezone.now())
    process = LaneProcess()
    Moody.moods[command] = process.killer(at_letter=3)
    process.run_until_killed(mailing)
    assert len(relay.letters) == kept

    assert recover(mailing).status == MailingStatus.SENT
    counts = mailings.ledger(mailing)
    assert counts.balances
    # Of one nobody knows whether the relay took it: the third, or the second, whose answer had
    # come and was not recorded yet. It is named by its row.
    assert (counts.sent, counts.uncertain) == (5, 1)
    [uncertain] = Delivery.objects.uncertain()
    assert uncertain.handed_over_at is not None
    recipients = [letter.recipients for letter in relay.letters]
    assert len(recipients) == len(set(recipients)) == 6


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA", "KEPT"])
@pytest.mark.parametrize("at_letter", [1, 4, 6])
def test_a_lane_killed_with_several_connections_leaves_at_most_one_uncertain_for_each(
    relay: Catcher, command: str, at_letter: int
) -> None:
    connections, readers = 3, 8
    mailing = make_mailing(readers=readers)
    mailings.launch(mailing, timezone.now())
    process = LaneProcess()
    Moody.moods[command] = process.killer(at_letter=at_letter)
    process.run_until_killed(mailing, connections)

    assert recover(mailing).status == MailingStatus.SENT
    counts = mailings.ledger(mailing)
    assert counts.balances
    assert counts.uncertain <= connections
    assert counts.sent + counts.uncertain == readers, "nobody is lost"
    recipients = [letter.recipients for letter in relay.letters]
    assert len(recipients) == len(set(recipients)), "and nobody has two"
    sent = set(Delivery.objects.filter(status="sent").values_list("subscriber", flat=True))
    assert len(sent) == counts.sent
    assert len(recipients) >= counts.sent
