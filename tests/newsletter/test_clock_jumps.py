"""A clock that was wrong for a while delays nothing once it is right again."""

from __future__ import annotations

import datetime as dt

import pytest

from demo.mail_catcher.catcher import Catcher
from newsletter import schedule
from newsletter.campaigns.lifecycle import launch
from newsletter.delivery import batch, ledger
from newsletter.delivery.lanes import run_lane
from newsletter.models import MailingStatus
from newsletter.subscribers import sign_up as subscribing
from tests.factories import A_RELAY, MONDAY_MORNING, make_edition, make_mailing
from tests.newsletter import transactional_mails

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
NOW = MONDAY_MORNING
A_DAY_AHEAD = NOW + dt.timedelta(days=1)


def test_letters_that_became_due_under_a_clock_a_day_ahead_go_once_it_is_right(
    relay: Catcher,
) -> None:
    mailing = make_mailing(readers=3)
    launch(mailing, A_DAY_AHEAD)
    assert schedule.run_due(NOW).lanes
    run_lane(mailing.pk, 0, lambda: NOW)
    mailing.refresh_from_db()
    assert mailing.status == MailingStatus.SENT
    assert len(relay.letters) == 3


def test_a_lane_that_died_under_a_clock_a_day_ahead_is_noticed_once_it_is_right(
    relay: Catcher,
) -> None:
    mailing = make_mailing(readers=3)
    launch(mailing, NOW)
    lane = ledger.open_lane(mailing, 0, A_DAY_AHEAD)
    assert lane is not None
    first, *_others = ledger.claim(lane, A_RELAY, A_DAY_AHEAD, 10).letters
    assert batch.commit(lane, [], [first.pk], "relay", A_DAY_AHEAD)
    assert ledger.reap_expired(NOW) == (2, 1)


def test_two_machines_whose_clocks_differ_by_a_little_leave_each_others_lanes_alone(
    relay: Catcher,
) -> None:
    mailing = make_mailing(readers=1)
    launch(mailing, NOW)
    lane = ledger.open_lane(mailing, 0, NOW + dt.timedelta(seconds=20))
    assert lane is not None
    assert ledger.reap_expired(NOW) == (0, 0)
    assert ledger.renew_lease(lane, NOW)


def test_a_retry_waits_its_time_under_a_right_clock(relay: Catcher) -> None:
    mailing = make_mailing(readers=1)
    launch(mailing, NOW + ledger.retry_delay(99))
    assert not schedule.run_due(NOW).lanes


def test_a_confirmation_that_became_due_under_a_clock_ahead_is_sent_once_it_is_right() -> None:
    edition = make_edition()
    sign_up = subscribing.sign_up("reader@example.org", edition, "en", NOW)
    subscriber = subscribing.process_sign_up(sign_up.pk, NOW + dt.timedelta(days=30))
    assert schedule.run_due(NOW).transactional_mails == 1
    assert subscriber is not None
    assert transactional_mails.send_confirmation(subscriber, NOW)
