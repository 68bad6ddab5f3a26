"""What interrupts a sending on one machine: a kill, a request to stop, an editor.

A real worker on SQLite and the filesystem broker. Whatever happens is struck from within a relay's
answer, so that it comes in the middle of a sending and not around it.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo.mail_catcher.catcher import Catcher
from tests.interrupted_mailings import (
    LAUNCH,
    LEDGER,
    REAP_EXPIRED,
    STATUS,
    at_letter,
    everyone_once,
    is_sent,
)
from tests.newsletter.relays import ScriptedRelay
from tests.newsroom_processes import Embedded, NewsroomProcesses
from tests.services import Sink, children_of, wait_for

pytestmark = pytest.mark.long

READERS, MANY, CONNECTIONS = 12, 200, 2
ONE_CHILD = ("--concurrency", "1")
NOTHING_IN_HAND = """
SELECT (SELECT count(*) FROM newsletter_lane),
    (SELECT count(*) FROM newsletter_delivery WHERE status IN ('claimed', 'handed'))
"""
STATES = "SELECT status FROM newsletter_delivery"
A_LANE_IN_A_MINUTE = """
import datetime as dt
from django.utils import timezone
from newsletter.models import Mailing
from newsletter.delivery.lanes import run_lane
run_lane(Mailing.objects.get().pk, 0, lambda: timezone.now() + dt.timedelta(minutes=1))
"""
SMALL_TASKS = """
from newsletter.tasks import write_departures_log
for _ in range(int(sys.argv[1])):
    write_departures_log.delay()
"""
RESUME = """
from django.utils import timezone
from newsletter.campaigns import lifecycle
from newsletter.models import Mailing
from newsletter.tasks import enqueue_lanes
from core.states import InvalidTransition
mailing = Mailing.objects.get()
try:
    lifecycle.resume(mailing, timezone.now())
    enqueue_lanes(mailing)
except InvalidTransition as error:
    answer = str(error)
"""
WITHDRAW = """
from django.utils import timezone
from articles.editorial import workflow as publishing
from articles.models import Article
publishing.withdraw(Article.objects.get(), timezone.now())
"""


@pytest.fixture
def caught(tmp_path: Path) -> Iterator[Catcher]:
    ScriptedRelay.replies.clear()
    with Catcher(tmp_path / "caught", handler=ScriptedRelay) as catcher:
        yield catcher
    ScriptedRelay.replies.clear()


@pytest.fixture
def moved_in(tmp_path: Path, keys_dir: Path) -> Iterator[Callable[..., NewsroomProcesses]]:
    """Makes a house with one lane, on a relay of the test's."""
    built: list[NewsroomProcesses] = []

    def move_in(relay: Catcher | Sink, connections: int = CONNECTIONS) -> NewsroomProcesses:
        stores = Embedded(tmp_path / "house" / "var")
        made = NewsroomProcesses(tmp_path / "house", stores, relay, keys_dir)
        made.environment |= {"LANES": "1", "CONNECTIONS": str(connections)}
        # A relay answers when the test has struck, however long that takes.
        made.environment |= {"RELAY_TIMEOUT": "60"}
        built.append(made)
        return made

    yield move_in
    for made in built:
        made.kill()


def nothing_in_hand(built: NewsroomProcesses) -> bool:
    return built.stores.query(NOTHING_IN_HAND) == [(0, 0)]


def states(built: NewsroomProcesses) -> Counter[str]:
    return Counter(status for (status,) in built.stores.query(STATES))


def is_gone(pid: int) -> bool:
    return (
        not Path(f"/proc/{pid}").exists()
        or "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    )


@pytest.mark.parametrize("whom", ["child", "worker"])
def test_a_worker_killed_in_the_middle_of_a_sending_loses_and_doubles_nobody(
    moved_in: Callable[..., NewsroomProcesses], caught: Catcher, whom: str
) -> None:
    built = moved_in(caught)
    killed: list[int] = []

    def kill() -> None:
        worker = built.running["worker"].pid
        [child] = children_of(worker)
        os.kill(child if whom == "child" else worker, signal.SIGKILL)
        # A worker's child dies with it.
        wait_for(lambda: is_gone(child), "the child's end")
        killed.append(child)

    ScriptedRelay.replies["RCPT"] = at_letter(5, kill)
    built.start("worker", *ONE_CHILD)
    built.python(LAUNCH, READERS)
    wait_for(lambda: bool(killed), "the kill", 60)
    assert 0 < everyone_once(caught) < READERS

    built.python(REAP_EXPIRED)
    if whom == "worker":
        built.kill("worker")
        built.start("worker", *ONE_CHILD)
    built.manage("run_due")
    wait_for(lambda: is_sent(built), "the end of the sending", 60)
    counts = built.python(LEDGER)
    assert counts["balances"]
    assert counts["uncertain"] <= CONNECTIONS
    assert counts["sent"] == READERS - counts["uncertain"]
    assert counts["sent"] <= everyone_once(caught) <= READERS


def test_a_worker_whose_idle_children_were_killed_goes_on_working(
    moved_in: Callable[..., NewsroomProcesses], caught: Catcher
) -> None:
    built = moved_in(caught)
    """One of them may hold what all of them need to get a task."""
    built.start("worker", "--concurrency", "2")
    built.python(SMALL_TASKS, 4)
    wait_for(lambda: built.log("worker-again").count("succeeded") == 4, "the children")
    worker = built.running["worker"].pid
    before = children_of(worker)
    for child in before:
        os.kill(child, signal.SIGKILL)
    wait_for(lambda: bool(set(children_of(worker)) - set(before)), "another child")
    built.python(LAUNCH, READERS)
    wait_for(lambda: is_sent(built), "the end of the sending", 20)
    assert everyone_once(caught) == READERS


def test_a_relay_killed_in_the_middle_of_a_sending_loses_and_doubles_nobody(
    moved_in: Callable[..., NewsroomProcesses], tmp_path: Path
) -> None:
    (tmp_path / "sink").mkdir()
    sink = Sink(tmp_path / "sink", dies_at=5)
    sink.start()
    try:
        built = moved_in(sink)
        built.start("worker", *ONE_CHILD)
        built.python(LAUNCH, READERS)
        assert sink.process is not None
        assert sink.process.wait(60) == -signal.SIGKILL
        wait_for(lambda: nothing_in_hand(built), "the lane's end")
        before = states(built)
        assert 1 <= before["uncertain"] <= CONNECTIONS
        assert before["sent"] + before["uncertain"] >= len(sink.recipients()) == 5

        sink.dies_at = 0
        sink.start()
        built.manage("run_due")
        wait_for(lambda: states(built)["pending"] == 0 and nothing_in_hand(built), "the rest")
        # Whose connection broke before the dot is tried again in half a minute.
        built.python(A_LANE_IN_A_MINUTE)
        assert is_sent(built)
        counts = built.python(LEDGER)
        assert counts["balances"]
        assert counts["uncertain"] == before["uncertain"]
        assert counts["sent"] == READERS - counts["uncertain"]
        assert counts["sent"] <= len(sink.recipients()) == len(set(sink.recipients()))
    finally:
        sink.kill()


def test_a_worker_told_to_stop_ends_what_it_has_begun_and_leaves_nobody_uncertain(
    moved_in: Callable[..., NewsroomProcesses], caught: Catcher
) -> None:
    built = moved_in(caught)

    def stop() -> None:
        os.kill(built.running["worker"].pid, signal.SIGTERM)
        wait_for(lambda: "Warm shutdown" in built.log("worker-again"), "the worker's obedience")

    ScriptedRelay.replies["RCPT"] = at_letter(4, stop)
    built.start("worker", *ONE_CHILD)
    built.python(LAUNCH, MANY)
    worker = built.running["worker"].pid
    wait_for(lambda: is_gone(worker), "the worker's end", 60)

    # It does not end its turn, which would have taken all: it ends now.
    had = everyone_once(caught)
    assert 3 <= had < MANY
    assert nothing_in_hand(built)
    assert states(built) == {"sent": had, "pending": MANY - had}

    # Its lane goes on where there is a worker again; no tick is needed.
    built.kill("worker")
    built.start("worker", *ONE_CHILD)
    wait_for(lambda: is_sent(built), "the end of the sending", 60)
    assert states(built) == {"sent": MANY}
    assert everyone_once(caught) == MANY


def test_an_editor_pauses_resumes_and_cancels_under_a_running_worker(
    moved_in: Callable[..., NewsroomProcesses], caught: Catcher
) -> None:
    built = moved_in(caught, connections=1)
    mailing = "1"
    ScriptedRelay.replies["RCPT"] = at_letter(
        3, lambda: built.manage("mailing", "pause", mailing) and None
    )
    built.start("worker", *ONE_CHILD)
    built.python(LAUNCH, READERS)
    wait_for(lambda: built.stores.query(STATUS) == [("paused",)], "the pause", 60)
    wait_for(lambda: nothing_in_hand(built), "the lane's end")
    # The third one's envelope was out already; its text was not, and stayed.
    assert everyone_once(caught) == 2
    assert states(built) == {"sent": 2, "pending": READERS - 2}

    ScriptedRelay.replies["RCPT"] = at_letter(
        3, lambda: built.manage("mailing", "cancel", mailing) and None
    )
    built.python(RESUME)
    wait_for(lambda: built.stores.query(STATUS) == [("cancelled",)], "the cancelling", 60)
    wait_for(lambda: nothing_in_hand(built), "the lane's end")
    assert everyone_once(caught) == 4
    assert states(built) == {"sent": 4, "excluded": READERS - 4}


def test_an_article_withdrawn_in_the_middle_of_a_sending_stops_it(
    moved_in: Callable[..., NewsroomProcesses], caught: Catcher
) -> None:
    built = moved_in(caught, connections=1)
    ScriptedRelay.replies["RCPT"] = at_letter(3, lambda: built.python(WITHDRAW))
    built.start("worker", *ONE_CHILD)
    built.python(LAUNCH, READERS)
    wait_for(lambda: built.stores.query(STATUS) == [("paused",)], "the pause", 60)
    wait_for(lambda: nothing_in_hand(built), "the lane's end")
    assert everyone_once(caught) == 2
    assert "was withdrawn" in built.python(LEDGER)["why"]
    assert "was withdrawn" in built.python(RESUME)
    built.manage("run_due")
    assert built.stores.query(STATUS) == [("paused",)]
    assert states(built) == {"sent": 2, "pending": READERS - 2}
