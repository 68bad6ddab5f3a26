"""Relays that answer anything: seeded, so that what fails once fails again."""

from __future__ import annotations

import random

import pytest
from pytest_django.fixtures import Settings

from newsletter.delivery.smtp.client import (
    Connection,
    ConnectionLost,
    Envelope,
    ReadyForData,
    RelayRefuses,
)
from newsletter.models import Delivery, DeliveryStatus
from tests.newsletter import bad_relays as bad
from tests.newsletter.conftest import Against
from tests.newsletter.delivery.lane_batches import LATER, addresses, launched, next_events, turn

READERS = 12
OFFERS = (("PIPELINING", "8BITMIME"), ("8BITMIME",))


def seeds(quick: int, all_of_them: int) -> list[object]:
    """The first few tell whether it works at all."""
    long = pytest.mark.long
    return [*range(quick), *(pytest.param(n, marks=long) for n in range(quick, all_of_them))]


def kind_of(kind: type[bad.CorrectRelay], seed: int) -> type[bad.CorrectRelay]:
    """One with chances of its own."""
    chances = random.Random(seed)
    return type(kind.__name__, (kind,), {"chances": chances, "offers": OFFERS[seed % 2]})


@pytest.mark.django_db
@pytest.mark.parametrize("seed", seeds(4, 16))
def test_whatever_it_decides_each_letter_is_where_the_relay_says(
    against: Against, settings: Settings, seed: int
) -> None:
    server, mailing = against(kind_of(bad.RandomReplies, seed)), launched(READERS)
    settings.CONNECTIONS = 1 + seed % 3
    whose = addresses()
    for minutes in LATER:
        turn(mailing, minutes)
    sent, failed, uncertain = (
        set(Delivery.objects.filter(status=status).values_list("subscriber_id", flat=True))
        for status in (DeliveryStatus.SENT, DeliveryStatus.FAILED, DeliveryStatus.UNCERTAIN)
    )
    accepted = [whose[address] for address in server.accepted]
    assert len(accepted) == len(set(accepted)), "nobody has two"
    assert sent <= set(accepted), "whoever counts as sent has it"
    assert set(accepted) - sent <= uncertain, "whoever has it and does not count is uncertain"
    assert not failed & set(accepted)
    assert len(sent | failed | uncertain) == READERS


@pytest.mark.django_db
@pytest.mark.parametrize("seed", seeds(4, 16))
def test_noise_never_unbalances_the_ledger(against: Against, settings: Settings, seed: int) -> None:
    against(kind_of(bad.Noise, seed), log_in="newsroom:secret@" if seed % 3 == 0 else "")
    mailing = launched(READERS)
    settings.RELAY_TIMEOUT, settings.CONNECTIONS = 0.1, 1 + seed % 3
    for minutes in LATER[:6]:
        turn(mailing, minutes)
        if mailing.pause_reason:
            mailing.resume()


@pytest.mark.parametrize("seed", seeds(6, 60))
def test_noise_ends_a_connection_in_one_of_two_ways_only(against: Against, seed: int) -> None:
    server = against(kind_of(bad.Noise, seed))
    relay = server.relay("newsroom:secret@" if seed % 3 == 0 else "")
    envelope = Envelope("b@newsroom.example", "reader@example.org")
    with pytest.raises((ConnectionLost, RelayRefuses)) as ended:
        speak_for_ever(Connection(relay, 0.1), envelope)
    assert "example.org" not in str(ended.value)
    assert "secret" not in str(ended.value)


def speak_for_ever(connection: Connection, envelope: Envelope) -> None:
    """Letter after letter, as a lane does."""
    connection.send_envelope(envelope)
    while True:
        for event in next_events(connection):
            if isinstance(event, ReadyForData):
                connection.send_data(b"Subject: A letter\r\n\r\nText.\r\n", envelope)
