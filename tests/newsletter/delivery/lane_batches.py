"""Turns of a lane at whatever minute of the mailing, and what one connection hears meanwhile."""

from __future__ import annotations

import datetime as dt
import selectors
import time
from collections.abc import Iterator

from keys import sealing
from newsletter.campaigns import lifecycle
from newsletter.campaigns.lifecycle import Ledger
from newsletter.delivery.lanes import run_lane
from newsletter.delivery.smtp.client import Connection, Event
from newsletter.models import Lane, Mailing, MailingStatus, Subscriber
from tests.factories import MONDAY_MORNING, make_mailing

LATER = (0, 1, 10, 30, 60, 120, 240, 480, 720, 960, 1440, 1920, 2400, 3000)
"""Minutes, for whoever waits longer each time."""


def launched(readers: int) -> Mailing:
    """A mailing that is being sent, to so many."""
    mailing = make_mailing(readers=readers)
    assert lifecycle.launch(mailing, MONDAY_MORNING) == readers
    return mailing


def turn(mailing: Mailing, minutes: float = 0) -> Ledger:
    """The ledger after one run of a lane: it balances, with the same audience as before."""
    audience = lifecycle.ledger(mailing).audience
    run_lane(mailing.pk, 0, lambda: MONDAY_MORNING + dt.timedelta(minutes=minutes))
    mailing.refresh_from_db()
    counts = lifecycle.ledger(mailing)
    assert counts.balances
    assert counts.audience == audience
    assert not Lane.objects.exists()
    assert not mailing.deliveries.filter(status__in=["claimed", "handed_over"]).exists()
    return counts


def turns(mailing: Mailing) -> Ledger:
    """As many as it takes until it is sent, or pauses."""
    for minutes in LATER:
        counts = turn(mailing, minutes)
        if mailing.status != MailingStatus.SENDING:
            return counts
    raise AssertionError(f"still to send: {counts.still_to_send}")


def addresses() -> dict[str, int]:
    """Whose they are."""
    keys = sealing.worker_keys()
    return {row.address(keys): row.pk for row in Subscriber.objects.active()}


def next_events(connection: Connection) -> Iterator[Event]:
    """As a lane listens."""
    with selectors.DefaultSelector() as selector:
        selector.register(connection, selectors.EVENT_READ)
        if not selector.select(connection.deadline - time.monotonic()):
            raise connection.timeout_error()
    yield from connection.receive()
