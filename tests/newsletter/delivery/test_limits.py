"""How many letters may leave, whoever asks."""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import replace

import pytest
from pytest_django.fixtures import Settings

from demo.mail_catcher.catcher import Catcher
from newsletter.campaigns import lifecycle
from newsletter.delivery import ledger
from newsletter.delivery.lanes import run_lane
from newsletter.delivery.relays import limits
from newsletter.delivery.relays.config import Relay
from newsletter.models import Delivery, DeliveryStatus, Lane, Mailing, MailingStatus, RateLimiter
from tests.factories import A_RELAY, MONDAY_MORNING, make_mailing, make_subscriber
from tests.newsletter.relays import ScriptedRelay, after

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
NOW = MONDAY_MORNING
MIDNIGHT = NOW.replace(hour=0) + dt.timedelta(days=1)
SECOND, MINUTE = dt.timedelta(seconds=1), dt.timedelta(minutes=1)


def launched(readers: int, *addresses: str) -> Mailing:
    """With so many subscribers of a private domain, and these."""
    mailing = make_mailing(readers=readers)
    for address in addresses:
        make_subscriber(edition=mailing.edition, address=address)
    lifecycle.launch(mailing, NOW)
    return mailing


def open_lane(mailing: Mailing, slot: int = 0, now: dt.datetime = NOW) -> Lane:
    lane = ledger.open_lane(mailing, slot, now)
    assert lane is not None
    return lane


def claim(lane: Lane, relay: Relay = A_RELAY, now: dt.datetime = NOW) -> list[str]:
    """The providers of whose letters were claimed."""
    return sorted(letter.provider for letter in ledger.claim(lane, relay, now, 200).letters)


@pytest.mark.parametrize("per_minute", [1, 2, 7, 30, 31, 59, 600, 100_000])
@pytest.mark.parametrize("seed", range(3))
def test_no_minute_ever_lets_more_through_than_its_limit(per_minute: int, seed: int) -> None:
    chance = random.Random(seed)
    throttle = RateLimiter(what="all", paid_until=NOW - dt.timedelta(days=1))
    now, gone = NOW, []
    while now < NOW + 10 * MINUTE:
        # Whoever asks takes all there is, now at once and now after a while.
        count = throttle.available(per_minute, now)
        throttle.consume(count, per_minute, now)
        gone.append((now, count))
        now += SECOND * chance.choice([0.05, 0.3, 1, 20])
    for start, _count in gone:
        within = sum(count for when, count in gone if start <= when < start + MINUTE)
        assert within <= per_minute
    throttle = RateLimiter(what="all", paid_until=NOW - MINUTE)
    passed = 0
    for step in range(4 * 60 * 10):
        now = NOW + step * SECOND / 4
        count = throttle.available(per_minute, now)
        throttle.consume(count, per_minute, now)
        passed += count
    assert passed >= 0.93 * per_minute * 10, "and nearly all of it can be used"


def test_a_clock_that_was_ahead_keeps_no_letter() -> None:
    throttle = RateLimiter(what="all", paid_until=NOW)
    throttle.consume(1, 1, NOW + dt.timedelta(days=1))
    assert throttle.available(1, NOW + MINUTE) == 0
    throttle.consume(0, 1, NOW + MINUTE)
    assert throttle.available(1, NOW + 2 * MINUTE) == 1


def test_without_limits_nothing_is_counted(relay: Catcher) -> None:
    mailing = launched(2)
    run_lane(mailing.pk, 0, lambda: NOW)
    assert len(relay.letters) == 2
    assert not RateLimiter.objects.exists()


def test_all_lanes_share_what_may_leave_in_a_minute(settings: Settings) -> None:
    settings.LETTERS_PER_MINUTE = 120
    mailing = launched(10)
    first, second = open_lane(mailing), open_lane(mailing, 1)
    assert len(claim(first)) == 3, "what two seconds save up"
    assert claim(second) == []
    assert len(claim(second, now=NOW + SECOND)) == 2


def test_a_limit_of_one_provider_keeps_no_other_waiting(settings: Settings) -> None:
    settings.PROVIDER_LIMITS = {"gmail": 1, "proton": 2}
    gmail = [f"reader{number}@gmail.com" for number in range(3)]
    mailing = launched(2, *gmail, "somebody@pm.me")
    lane = open_lane(mailing)
    assert claim(lane) == ["gmail", "other", "other", "proton"]
    waits = ledger.claim(lane, A_RELAY, NOW, 200)
    assert waits.letters == []
    assert waits.retry_at is not None
    assert NOW < waits.retry_at <= NOW + MINUTE
    assert claim(lane, now=NOW + MINUTE) == ["gmail"]


def test_nothing_left_to_send_is_not_taken_for_a_limit(settings: Settings) -> None:
    settings.PROVIDER_LIMITS = {"gmail": 1}
    settings.LETTERS_PER_MINUTE = 100
    mailing = launched(1, "reader@gmail.com")
    lane = open_lane(mailing)
    assert len(claim(lane)) == 2
    assert ledger.claim(lane, A_RELAY, NOW, 200) == ledger.ClaimedBatch([])


def test_a_relay_takes_so_many_letters_a_day_and_the_rest_on_the_next(
    relay: Catcher, settings: Settings
) -> None:
    settings.RELAYS = (replace(settings.RELAYS[0], per_day=3),)
    mailing = launched(5)
    assert not run_lane(mailing.pk, 0, lambda: NOW)
    assert len(relay.letters) == 3
    assert not run_lane(mailing.pk, 0, lambda: MIDNIGHT - SECOND)
    assert len(relay.letters) == 3
    mailing.refresh_from_db()
    assert mailing.status == MailingStatus.SENDING
    run_lane(mailing.pk, 0, lambda: MIDNIGHT)
    assert len(relay.letters) == 5


def test_two_lanes_together_never_exceed_the_day() -> None:
    relay = replace(A_RELAY, per_day=3)
    mailing = launched(6)
    first, second = open_lane(mailing), open_lane(mailing, 1)
    assert len(claim(first, relay)) + len(claim(second, relay)) == 3


def test_a_warm_up_doubles_each_day_until_the_relays_own_limit() -> None:
    relay = Relay.parse("smtp://r.example?warm_up=500&since=2026-11-25&per_day=3000")
    first = dt.date(2026, 11, 25)
    caps = [relay.daily_limit(first + dt.timedelta(days=days)) for days in range(-1, 5)]
    assert caps == [500, 500, 1000, 2000, 3000, 3000]
    endless = Relay.parse("smtp://r.example?warm_up=500&since=2026-11-25")
    assert endless.daily_limit(first + dt.timedelta(days=4000)) > 10_000_000


def test_what_was_claimed_and_has_not_left_counts_for_nothing(
    relay: Catcher, settings: Settings
) -> None:
    settings.RELAYS = (replace(settings.RELAYS[0], per_day=4, per_minute=600),)
    settings.PROVIDER_LIMITS = {"gmail": 60}
    settings.CONNECTIONS = 1
    mailing = launched(3, "reader@gmail.com")
    ScriptedRelay.replies["MAIL"] = after(1, "554 5.7.1 enough")
    run_lane(mailing.pk, 0, lambda: NOW)
    assert len(relay.letters) == 1
    # One was taken and one refused; the other two went back.
    assert limits.used_today(settings.RELAYS[0], NOW) == 2
    ScriptedRelay.replies.clear()
    lifecycle.resume(Mailing.objects.get(), NOW)
    run_lane(mailing.pk, 0, lambda: NOW + MINUTE)
    assert limits.used_today(settings.RELAYS[0], NOW) == 4


def test_a_lane_waits_within_its_turn_for_the_next_second(
    relay: Catcher, settings: Settings
) -> None:
    settings.LETTERS_PER_MINUTE = 600
    mailing = launched(22)
    # Two seconds' worth leaves at once, and each of the rest a tenth of a second later.
    began = dt.datetime.now(dt.UTC)
    Delivery.objects.update(due_at=began)
    run_lane(mailing.pk, 0, lambda: dt.datetime.now(dt.UTC))
    mailing.refresh_from_db()
    assert mailing.status == MailingStatus.SENT
    left = sorted(Delivery.objects.values_list("handed_over_at", flat=True))
    assert sum(1 for when in left if when < began + SECOND / 100) <= 19
    assert left[-1] >= began + SECOND / 5


def test_a_pause_reaches_a_lane_that_waits_for_room(relay: Catcher, settings: Settings) -> None:
    settings.LETTERS_PER_MINUTE = 6
    mailing = launched(3)
    asked = 0

    def clock() -> dt.datetime:
        nonlocal asked
        asked += 1
        if asked == 8:
            lifecycle.pause(Mailing.objects.get(pk=mailing.pk), NOW)
        return NOW + SECOND * asked / 10

    run_lane(mailing.pk, 0, clock)
    assert len(relay.letters) == 1
    assert Delivery.objects.filter(status=DeliveryStatus.PENDING).count() == 2
    assert asked < 30, "long before its turn was over"
