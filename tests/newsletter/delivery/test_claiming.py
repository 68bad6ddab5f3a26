"""Lanes that claim at the same time, each on a connection of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, transaction

from newsletter.campaigns import lifecycle
from newsletter.delivery import batch, ledger
from newsletter.models import Delivery, DeliveryStatus, Lane, Mailing
from tests.factories import A_RELAY, MONDAY_MORNING, make_mailing
from tests.services import wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]
NOW = MONDAY_MORNING
LANES, READERS, AT_ONCE = 4, 60, 3


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(LANES) as pool:
        yield pool


def on_its_own(pool: ThreadPoolExecutor, work: Callable[..., Any], *about: object) -> Future[Any]:
    """In a thread, on a connection that is closed afterwards."""

    def whole() -> Any:
        try:
            return work(*about)
        finally:
            connection.close()

    return pool.submit(whole)


def launched(readers: int) -> Mailing:
    mailing = make_mailing(readers=readers)
    lifecycle.launch(mailing, NOW)
    return mailing


def open_lane(mailing: Mailing, slot: int) -> Lane:
    lane = ledger.open_lane(mailing, slot, NOW)
    assert lane is not None
    return lane


def somebody_waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


def test_lanes_that_claim_in_a_race_have_each_letter_once(threads: ThreadPoolExecutor) -> None:
    mailing = launched(READERS)
    start = threading.Barrier(LANES)

    def claim_all(lane: Lane) -> list[int]:
        start.wait(30)
        mine: list[int] = []
        while more := ledger.claim(lane, A_RELAY, NOW, AT_ONCE).letters:
            mine += [letter.pk for letter in more]
        return mine

    racing = [on_its_own(threads, claim_all, open_lane(mailing, slot)) for slot in range(LANES)]
    claimed = [pk for future in racing for pk in future.result(60)]
    assert len(claimed) == len(set(claimed)) == READERS
    assert Delivery.objects.filter(status=DeliveryStatus.CLAIMED).count() == READERS
    assert lifecycle.ledger(mailing).balances


def test_only_the_lane_that_claimed_a_letter_hands_it_over() -> None:
    mailing = launched(2)
    mine, other = open_lane(mailing, 0), open_lane(mailing, 1)
    ids = [letter.pk for letter in ledger.claim(mine, A_RELAY, NOW, 2).letters]
    assert batch.commit(other, [], ids, "relay", NOW) == {}
    assert set(batch.commit(mine, [], ids, "relay", NOW)) == set(ids)
    assert batch.commit(mine, [], ids, "relay", NOW) == {}, "and only once"


def test_of_lanes_that_race_for_a_slot_one_gets_it(threads: ThreadPoolExecutor) -> None:
    mailing = launched(1)
    start = threading.Barrier(LANES)

    def take() -> bool:
        start.wait(30)
        return ledger.open_lane(mailing, 0, NOW) is not None

    racing = [on_its_own(threads, take) for _ in range(LANES)]
    assert sorted(future.result(60) for future in racing) == [False] * (LANES - 1) + [True]


def test_a_lane_passes_over_what_another_is_claiming(threads: ThreadPoolExecutor) -> None:
    """SKIP LOCKED on PostgreSQL; on SQLite, which has one lock, the second waits for the first."""
    mailing = launched(4)
    first, second = open_lane(mailing, 0), open_lane(mailing, 1)
    with transaction.atomic():
        mine = {letter.pk for letter in ledger.claim(first, A_RELAY, NOW, 2).letters}
        racing = on_its_own(threads, ledger.claim, second, A_RELAY, NOW, 4)
        if connection.vendor == "postgresql":
            assert not mine & {letter.pk for letter in racing.result(60).letters}
    theirs = {letter.pk for letter in racing.result(60).letters}
    assert len(mine) == len(theirs) == 2
    assert not mine & theirs


def test_a_lane_that_opens_while_somebody_pauses_finds_the_mailing_paused(
    threads: ThreadPoolExecutor,
) -> None:
    mailing = launched(1)
    with transaction.atomic():
        lifecycle.pause(mailing, NOW)
        opening = on_its_own(threads, ledger.open_lane, mailing, 0, NOW)
        if connection.vendor == "postgresql":
            wait_for(somebody_waits_for_a_lock, "the lane that opens", 10)
        assert not opening.done()
    lane = opening.result(60)
    assert ledger.claim(lane, A_RELAY, NOW, 1).letters == []
