"""How far a mailing is and how fast, in the admin and in a terminal, out of its ledger alone."""

from __future__ import annotations

import datetime as dt
import io
import re
from collections.abc import Callable
from unittest.mock import patch

import pytest
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from redis.exceptions import ConnectionError as ConnectionFailed

from demo.mail_catcher.catcher import Catcher
from newsletter.campaigns.lifecycle import launch, pause
from newsletter.delivery.lanes import run_lane
from newsletter.management.commands import mailing_progress
from newsletter.models import Delivery, DeliveryReason, DeliveryStatus, Mailing, MailingStatus
from newsletter.stats import counts
from newsletter.stats.progress import Progress
from tests.factories import MONDAY_MORNING, make_mailing, make_user
from tests.newsletter.relays import ScriptedRelay, hang_up, once

pytestmark = pytest.mark.django_db
NOW = MONDAY_MORNING
RELAY = "smtp://relay.example:25"


@pytest.fixture(scope="module")
def launched(shared_rows: None) -> int:
    mailing = make_mailing(readers=20)
    launch(mailing, NOW)
    return mailing.pk


@pytest.fixture
def mailing(launched: int, db: None) -> Mailing:
    """To twenty, none of whom has it."""
    return Mailing.objects.get(pk=launched)


def settle(count: int, at: dt.datetime, status: str = DeliveryStatus.SENT, **more: object) -> None:
    """So many of those that wait."""
    ids = Delivery.objects.filter(status=DeliveryStatus.PENDING).values_list("pk", flat=True)
    fields = {"attempts": 1, "relay": RELAY, "settled_at": at, **more}
    Delivery.objects.filter(pk__in=list(ids[:count])).update(status=status, **fields)


def after(minutes: float) -> dt.datetime:
    return NOW + dt.timedelta(minutes=minutes)


def at(minutes: float) -> Callable[[], dt.datetime]:
    return lambda: after(minutes)


def progress(mailing: Mailing, minutes: float) -> Progress:
    return Progress(mailing, counts.count(mailing, at(minutes)))


@pytest.mark.both_databases
def test_the_rate_is_that_of_the_last_minute_and_says_when_all_is_done(mailing: Mailing) -> None:
    settle(4, after(0.2))
    settle(6, after(2.5))
    settle(3, after(2.6), DeliveryStatus.EXCLUDED)
    seen = progress(mailing, 3)
    assert seen.rate == pytest.approx(6 / 30), "six within half a minute; who left is no letter"
    assert seen.time_left == dt.timedelta(seconds=7 / (6 / 30))
    assert (seen.done, seen.percent) == (13, 65)
    assert progress(mailing, 10).rate == 0
    assert progress(mailing, 10).expected_end is None


def test_no_rate_is_said_to_hold_for_a_mailing_that_is_paused(mailing: Mailing) -> None:
    settle(10, after(1))
    pause(mailing, after(1))
    assert progress(mailing, 1.1).expected_end is None


def test_a_clock_that_ran_ahead_counts_for_nothing_today(mailing: Mailing) -> None:
    settle(10, after(60 * 24))
    assert progress(mailing, 1).rate == 0


@pytest.mark.both_databases
def test_every_state_has_its_row_and_together_they_are_all(mailing: Mailing) -> None:
    settle(5, after(1))
    settle(1, after(1), DeliveryStatus.FAILED)
    settle(2, after(1), DeliveryStatus.UNCERTAIN)
    states = progress(mailing, 1).states
    assert {state.status for state in states} == set(DeliveryStatus)
    assert sum(state.count for state in states) == 20
    assert sum(state.share for state in states) == pytest.approx(1)
    assert next(one.count for one in states if one.status == DeliveryStatus.PENDING) == 12


@pytest.mark.both_databases
def test_each_relay_has_its_own_counts(mailing: Mailing) -> None:
    assert progress(mailing, 1).relays == []
    settle(5, after(1))
    settle(2, after(1), relay="smtp://other.example:25")
    settle(1, after(1), DeliveryStatus.RETRY, settled_at=None)
    other, first = progress(mailing, 1).relays
    assert (other.relay, other.ledger.sent) == ("smtp://other.example:25", 2)
    assert (first.relay, first.ledger.sent, first.waiting) == (RELAY, 5, 1)


@pytest.mark.both_databases
def test_it_is_stalled_only_if_letters_could_be_sent(mailing: Mailing) -> None:
    assert not progress(mailing, 2).is_stalled
    assert progress(mailing, 4).is_stalled
    settle(19, after(4))
    assert not progress(mailing, 5).is_stalled
    assert progress(mailing, 8).is_stalled
    settle(1, after(4), DeliveryStatus.RETRY, settled_at=None, due_at=after(20))
    waits = progress(mailing, 8)
    assert not waits.is_stalled
    assert (waits.waiting_for_retry, waits.next_retry_at) == (1, after(20))
    Mailing.objects.update(status=MailingStatus.PAUSED)
    mailing.refresh_from_db()
    assert not progress(mailing, 30).is_stalled


# --- Cheaply ---------------------------------------------------------------------------


@pytest.mark.both_databases
def test_concurrent_page_views_read_the_ledger_once(mailing: Mailing) -> None:
    cache.clear()
    with CaptureQueriesContext(
        connection,
    ) as asked:
        for _looker in range(20):
            counts.cached_stats(mailing, at(1), counts.count)
    read = [one for one in asked.captured_queries if "newsletter_delivery" in one["sql"]]
    assert len(read) == 1


def test_slow_stats_are_cached_longer(mailing: Mailing) -> None:
    cache.clear()
    ticks = iter([after(1), after(1.1)])
    tally = counts.cached_stats(mailing, lambda: next(ticks, after(1.1)), counts.count)
    assert tally.took == dt.timedelta(seconds=6)
    assert tally.cache_ttl == dt.timedelta(seconds=150), "a twenty-fifth of the time at most"
    settle(5, after(1))
    assert counts.cached_stats(mailing, at(3), counts.count) == tally
    assert counts.cached_stats(mailing, at(4), counts.count) != tally


def test_stats_from_before_a_clock_was_set_back_are_not_used(mailing: Mailing) -> None:
    cache.clear()
    counts.cached_stats(mailing, at(60), counts.count)
    settle(5, after(1))
    assert counts.cached_stats(mailing, at(1), counts.count).at == after(1)


def test_a_pause_is_seen_at_once(mailing: Mailing) -> None:
    cache.clear()
    counts.cached_stats(mailing, at(1), counts.count)
    settle(5, after(1))
    pause(mailing, after(1))
    tally = counts.cached_stats(mailing, at(1), counts.count)
    assert counts.ledger_of(tally.weekly).sent == 5


def test_while_one_counts_the_others_get_stale_stats(mailing: Mailing) -> None:
    cache.clear()
    first = counts.cached_stats(mailing, at(1), counts.count)
    told = []

    def slow(mailing: Mailing, clock: counts.Clock) -> counts.DeliveryStats:
        told.append(counts.cached_stats(mailing, at(2), slow))
        return counts.count(mailing, clock)

    slow.__name__ = counts.count.__name__
    settle(5, after(1))
    assert counts.cached_stats(mailing, at(2), slow) != first
    assert told == [first]


def test_without_the_cache_the_figures_are_there_all_the_same(mailing: Mailing) -> None:
    with patch.object(counts, "cache") as away:
        away.get.side_effect = ConnectionFailed
        assert counts.cached_stats(mailing, at(1), counts.count).weekly


# --- In the admin ----------------------------------------------------------------------


def parts(client: Client, mailing: Mailing) -> tuple[str, str]:
    """The page, and the part of it that its script asks for."""
    base = f"/admin/newsletter/mailing/{mailing.pk}"
    return tuple(  # type: ignore[return-value]
        client.get(f"{base}/{name}/").content.decode() for name in ("change", "progress")
    )


def test_the_page_shows_all_without_its_script(client: Client, mailing: Mailing) -> None:
    settle(10, after(1))
    client.force_login(make_user())
    page, part = parts(client, mailing)
    for said in (page, part):
        assert "10 of 20 letters are done." in said
        assert "50 %" in said
        assert RELAY in said
        assert 'data-status="sending"' in said
    assert "progress.js" in page
    assert "@example.org" not in page
    assert "Report so far" in page
    assert "Report so far" not in part


def test_the_progress_needs_a_permission(client: Client, mailing: Mailing) -> None:
    path = f"/admin/newsletter/mailing/{mailing.pk}/progress/"
    assert client.get(path).status_code == 302
    client.force_login(make_user(username="analyst", is_superuser=False))
    assert client.get(path).status_code == 403
    client.force_login(make_user())
    assert client.get(path.replace(str(mailing.pk), "999999")).status_code == 404


@pytest.mark.parametrize("status", MailingStatus.values)
def test_in_each_state_it_is_said_whether_to_ask_again(
    client: Client, mailing: Mailing, status: str
) -> None:
    begun = status in {"sending", "paused", "sent", "cancelled"}
    Mailing.objects.update(status=status, launched_at=NOW if begun else None)
    client.force_login(make_user())
    page, part = parts(client, mailing)
    assert ("data-over" in part) == (status in {"sent", "cancelled"})
    assert ('id="progress-said"' in page) != ("data-over" in part)
    again = re.search(r'data-again="(\d+)"', part)
    assert again
    assert int(again[1]) >= 2
    assert ("letters are done" in part) == begun


def test_a_held_one_says_what_to_decide(client: Client, mailing: Mailing) -> None:
    Mailing.objects.update(status=MailingStatus.HELD, launched_at=None)
    client.force_login(make_user())
    assert "Is the letter still wanted?" in parts(client, mailing)[0]


# --- In a terminal ---------------------------------------------------------------------


def watched(mailing: Mailing, **options: object) -> str:
    out = io.StringIO()
    call_command("mailing_progress", mailing.pk, stdout=out, **options)
    return out.getvalue()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def sent(relay: Catcher, mailing: Mailing) -> Mailing:
    """To twenty, of whom nobody knows whether one has it."""
    ScriptedRelay.replies["KEPT"] = once(hang_up)
    for minutes in (0, 0, 120):
        run_lane(mailing.pk, 0, at(minutes))
    mailing.refresh_from_db()
    assert mailing.status == MailingStatus.SENT
    return mailing


def test_a_mailing_that_was_sent_is_watched_to_its_end(sent: Mailing) -> None:
    said = watched(sent)
    assert "100 % 20/20; sent 19, failed 0, uncertain 1, excluded 0\n" in said
    assert said.endswith("Sent\n")
    assert "\r" not in said, "plain lines where there is no terminal"
    assert "\033" not in said


def test_a_terminal_gets_a_bar(sent: Mailing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    out = Terminal()
    call_command("mailing_progress", sent.pk, stdout=out)
    drawn, last = out.getvalue().rsplit("\n", 2)[:2]
    assert drawn.startswith("\r\033[K█████")
    assert len(drawn.removeprefix("\r\033[K")) < 100
    assert last.endswith("Sent")
    monkeypatch.setenv("COLUMNS", "30")
    out = Terminal()
    call_command("mailing_progress", sent.pk, stdout=out)
    assert "█" not in out.getvalue(), "no room"


@pytest.mark.parametrize(
    ("status", "word"), [("paused", "Paused"), ("held", "Held"), ("cancelled", "Cancelled")]
)
def test_the_command_ends_at_a_pause_and_fails_with_the_reason(
    mailing: Mailing, status: str, word: str
) -> None:
    Mailing.objects.update(status=status, pause_reason="The relay: 550 5.7.1")
    with pytest.raises(CommandError, match=rf"{word}.*The relay: 550 5.7.1"):
        watched(mailing)


def test_an_unknown_mailing_is_reported() -> None:
    with pytest.raises(CommandError, match=r"no mailing 0.*mailing list"):
        call_command("mailing_progress", 0)
    with pytest.raises(CommandError, match="invalid int value"):
        call_command("mailing_progress", "EN")


class Slept(list[float]):
    """What happens meanwhile instead of sleeping."""

    def __init__(self, *meanwhile: Callable[[], object]) -> None:
        super().__init__()
        self.meanwhile = list(meanwhile)

    def __call__(self, seconds: float) -> None:
        self.append(seconds)
        self.meanwhile.pop(0)()


def test_it_waits_for_the_hour_and_sees_it_through(
    mailing: Mailing, monkeypatch: pytest.MonkeyPatch
) -> None:
    Mailing.objects.update(status=MailingStatus.SCHEDULED, launched_at=None)

    def begin() -> None:
        Mailing.objects.update(status=MailingStatus.SENDING, launched_at=NOW)

    def end() -> None:
        settle(20, NOW)
        Mailing.objects.update(status=MailingStatus.SENT)

    slept = Slept(begin, end)
    monkeypatch.setattr(mailing_progress.time, "sleep", slept)
    said = watched(mailing).splitlines()
    assert "It has not begun. It is due: 2026-" in said[0]
    assert "0 % 0/20" in said[1]
    assert "100 % 20/20" in said[2]
    assert slept == [10.0, 10.0]


def test_a_database_that_is_away_for_a_moment_ends_no_watching(
    mailing: Mailing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailing_progress.connection, "close", lambda: None)
    settle(20, NOW)
    Mailing.objects.update(status=MailingStatus.SENT)
    monkeypatch.setattr(mailing_progress.time, "sleep", Slept(lambda: None))
    answers = iter([OperationalError("gone")])

    def find(command: mailing_progress.Command, pk: int) -> Mailing:
        for error in answers:
            raise error
        return found(command, pk)

    found = mailing_progress.Command.find
    monkeypatch.setattr(mailing_progress.Command, "find", find)
    said = watched(mailing)
    assert "The database does not answer." in said
    assert said.endswith("Sent\n")


def test_ctrl_c_ends_the_watching_and_nothing_else(
    mailing: Mailing, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(mailing_progress.time, "sleep", Slept(interrupt))
    out = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("mailing_progress", mailing.pk, stdout=out)
    assert ended.value.code == 130
    assert out.getvalue().endswith("The sending goes on.\n")
    mailing.refresh_from_db()
    assert mailing.status == MailingStatus.SENDING


def test_waiting_retries_are_reported(mailing: Mailing) -> None:
    settle(19, after(1))
    again = {"settled_at": None, "due_at": after(20), "reason": DeliveryReason.LATER}
    settle(1, after(1), DeliveryStatus.RETRY, **again)
    assert "again from 07:20 UTC on: 1" in mailing_progress.progress_line(progress(mailing, 2))
