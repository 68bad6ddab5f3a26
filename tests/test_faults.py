"""What a newsroom goes through: services that die, a disk that is full.

Real processes on real services. The fault is struck from within a relay's answer, so that it
comes in the middle of a sending and not around it.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from demo.mail_catcher.catcher import Catcher
from tests.interrupted_mailings import (
    LAUNCH,
    LEDGER,
    REAP_EXPIRED,
    at_letter,
    everyone_once,
    is_sent,
)
from tests.newsletter.relays import ScriptedRelay
from tests.newsroom_processes import Embedded, NewsroomProcesses, Servers, running_newsroom
from tests.services import (
    PostgreSQL,
    Redis,
    ServiceNotInstalled,
    fill_disk,
    program,
    running_postgresql,
    running_redis,
    skip_or_fail,
    wait_for,
)

pytestmark = pytest.mark.long

READERS, MANY = 12, 300
SIGN_UP = {"email": "maryia@example.org", "edition": "en"}
READERS_AND_A_DIGEST = """
from newsletter import schedule
from tests.factories import make_mailing
answer = make_mailing(readers=int(sys.argv[1])).pk
schedule.update_departures_log()
"""
LEAVING = """
from django.db import transaction
from django.utils import timezone
from newsletter import schedule
from newsletter.models import Subscriber
for number, reader in enumerate(Subscriber.objects.order_by("pk")[:3]):
    with transaction.atomic():
        reader.forget(timezone.now()) if number == 2 else reader.end("left", timezone.now())
schedule.update_departures_log()
"""
LAUNCHING = """
from django.utils import timezone
from newsletter.campaigns import lifecycle
from newsletter.models import Mailing
from newsletter.tasks import enqueue_lanes
mailing = Mailing.objects.get()
lifecycle.launch(mailing, timezone.now())
enqueue_lanes(mailing)
"""
SENT_BY_RELAY = """
SELECT relay, count(*) FROM newsletter_delivery WHERE status = 'sent' GROUP BY relay
"""
ACTIVE = "SELECT count(*) FROM newsletter_subscriber WHERE status = 'active'"
STILL_ACTIVE = "SELECT id FROM newsletter_subscriber WHERE status = 'active'"
OLDEST = "SELECT id FROM newsletter_subscriber ORDER BY id LIMIT 3"


@pytest.fixture(scope="module")
def services() -> Iterator[tuple[PostgreSQL, Redis]]:
    with ExitStack() as stack:
        try:
            yield (
                stack.enter_context(running_postgresql()),
                stack.enter_context(running_redis()),
            )
        except ServiceNotInstalled as missing:
            skip_or_fail(missing)


@pytest.fixture
def caught(tmp_path: Path) -> Iterator[Catcher]:
    ScriptedRelay.replies.clear()
    with Catcher(tmp_path / "caught", handler=ScriptedRelay) as catcher:
        yield catcher
    ScriptedRelay.replies.clear()


@pytest.fixture
def built(
    services: tuple[PostgreSQL, Redis],
    caught: Catcher,
    tmp_path: Path,
    keys_dir: Path,
    request: pytest.FixtureRequest,
) -> Iterator[NewsroomProcesses]:
    name = re.sub(r"\W", "_", request.node.name)[:60]
    with running_newsroom(tmp_path / "house", Servers(*services, name), caught, keys_dir) as built:
        yield built


@pytest.fixture
def small_house(small_disk: Path, caught: Catcher, keys_dir: Path) -> Iterator[NewsroomProcesses]:
    folder = small_disk / "house"
    with running_newsroom(folder, Embedded(folder / "var"), caught, keys_dir) as built:
        yield built


def test_redis_killed_in_the_middle_of_a_sending_loses_and_doubles_nobody(
    built: NewsroomProcesses, services: tuple[PostgreSQL, Redis], caught: Catcher
) -> None:
    _postgresql, redis = services
    ScriptedRelay.replies["RCPT"] = at_letter(3, redis.kill)
    built.start("worker")
    built.python(LAUNCH, READERS)
    wait_for(lambda: redis.process is None, "the kill")
    redis.start()
    built.manage("run_due")
    wait_for(lambda: is_sent(built), "the end of the sending", 60)
    counts = built.python(LEDGER)
    assert counts["balances"]
    assert (counts["sent"], counts["uncertain"]) == (READERS, 0)
    assert everyone_once(caught) == READERS


def test_postgresql_killed_in_the_middle_of_a_sending_loses_and_doubles_nobody(
    built: NewsroomProcesses, services: tuple[PostgreSQL, Redis], caught: Catcher
) -> None:
    postgresql, _redis = services
    ScriptedRelay.replies["RCPT"] = at_letter(3, postgresql.kill)
    built.start("worker")
    built.python(LAUNCH, READERS)
    wait_for(lambda: postgresql.process is None, "the kill")
    postgresql.start()
    built.python(REAP_EXPIRED)
    built.manage("run_due")
    wait_for(lambda: is_sent(built), "the end of the sending", 60)
    counts = built.python(LEDGER)
    assert counts["balances"]
    # What was in flight is named by its row; whoever else there is has one letter.
    assert counts["uncertain"] <= settings.LANES * settings.CONNECTIONS
    assert counts["sent"] == READERS - counts["uncertain"]
    assert counts["sent"] <= everyone_once(caught) <= READERS


def test_workers_on_two_hosts_share_a_mailing_and_claim_no_letter_twice(
    built: NewsroomProcesses, caught: Catcher, tmp_path: Path, keys_dir: Path
) -> None:
    """Each host has files of its own, but for the journal, and a relay that says what it sent."""
    with ExitStack() as stack:
        theirs = stack.enter_context(Catcher(tmp_path / "theirs", handler=ScriptedRelay))
        other = stack.enter_context(
            running_newsroom(tmp_path / "other", built.stores, theirs, keys_dir)
        )
        busy: set[int] = set()

        def until_both_are_busy(server: Any, _about: str) -> None:
            busy.add(server.transport.get_extra_info("sockname")[1])
            wait_for(lambda: len(busy) == 2, "a lane on each host", 60)

        def both_are_busy() -> bool:
            # Whoever took both tasks works on one of them; a tick hands out the other anew.
            if len(busy) < 2:
                built.manage("run_due")
            return len(busy) == 2

        ScriptedRelay.replies["RCPT"] = until_both_are_busy
        for host, name in ((built, "one@first.example"), (other, "two@second.example")):
            journal = str(tmp_path / "shared" / "journal")
            host.environment |= {"RELAY_TIMEOUT": "60", "DEPARTURES_FILE": journal}
            # One newsroom: what one host freezes the other has to come to as well.
            host.environment["SITE_URL"] = f"http://127.0.0.1:{built.port}"
            # With more processes a host could work on all lanes alone.
            host.start("worker", "--concurrency", "1", "--hostname", name)
        built.python(LAUNCH, MANY)
        wait_for(both_are_busy, "a lane on each host", 60)
        wait_for(lambda: is_sent(built), "the end of the sending", 60)
        other.kill()
        ours, yours = everyone_once(caught), everyone_once(theirs)
        assert min(ours, yours) > 0
        assert len({one.recipients for one in [*caught.letters, *theirs.letters]}) == MANY
        assert ours + yours == MANY
        counts = built.python(LEDGER)
        assert counts["balances"]
        assert (counts["sent"], counts["uncertain"]) == (MANY, 0)
        assert dict(built.stores.query(SENT_BY_RELAY)) == {
            f"127.0.0.1:{caught.smtp_port}": ours,
            f"127.0.0.1:{theirs.smtp_port}": yours,
        }


def test_with_redis_down_from_the_start_a_sign_up_is_kept_and_answered_once_it_is_back(
    built: NewsroomProcesses, services: tuple[PostgreSQL, Redis], caught: Catcher
) -> None:
    _postgresql, redis = services
    built.python("from tests.factories import make_edition\nanswer = make_edition().pk")
    redis.kill()
    built.start("web")
    built.start("worker")
    built.start("beat")
    status, page, _ = built.ask("POST", "/en/subscribe/", SIGN_UP)
    assert status == 302
    assert "maryia" not in page
    assert not caught.letters
    redis.start()
    built.manage("run_due")
    wait_for(lambda: bool(caught.letters), "the confirmation", 60)
    assert [letter.recipients for letter in caught.letters] == [("maryia@example.org",)]


def test_with_postgresql_down_readers_are_told_kindly_and_all_goes_on_once_it_is_back(
    built: NewsroomProcesses, services: tuple[PostgreSQL, Redis], caught: Catcher
) -> None:
    postgresql, _redis = services
    built.python("from tests.factories import make_edition\nanswer = make_edition().pk")
    postgresql.kill()
    built.start("web")
    built.start("worker")
    built.start("beat")
    for _again in range(2):
        status, page, _ = built.ask("POST", "/be/subscribe/", SIGN_UP)
        assert status == 503
        assert "паспрабуйце" in page
    postgresql.start()
    status, _page, _ = built.ask("POST", "/be/subscribe/", SIGN_UP)
    assert status == 302
    wait_for(lambda: bool(caught.letters), "the confirmation", 60)
    for name in ("web", "worker", "beat"):
        built.running[name].check_alive()
        assert "maryia" not in built.log(name)


def test_a_full_disk_refuses_a_sign_up_kindly_and_takes_it_once_there_is_room(
    small_house: NewsroomProcesses, small_disk: Path, caught: Catcher
) -> None:
    small_house.python("from tests.factories import make_edition\nanswer = make_edition().pk")
    small_house.start("web")
    small_house.start("worker")
    wait_for(lambda: "ready." in small_house.log("worker"), "the worker")
    ballast = fill_disk(small_disk)
    status, page, _ = small_house.ask("POST", "/be/subscribe/", SIGN_UP)
    assert status == 503
    assert "паспрабуйце" in page
    # A process that has the database open goes on reading; one that opens it now cannot.
    assert small_house.ask("GET", "/be/").status in {200, 503}
    ballast.unlink()
    status, _page, _ = small_house.ask("POST", "/be/subscribe/", SIGN_UP)
    assert status == 302
    small_house.manage("run_due")
    wait_for(lambda: bool(caught.letters), "the confirmation", 60)
    assert everyone_once(caught) == 1


def test_a_disk_that_fills_up_in_the_middle_of_a_sending_loses_and_doubles_nobody(
    small_house: NewsroomProcesses, small_disk: Path, caught: Catcher
) -> None:
    ScriptedRelay.replies["RCPT"] = at_letter(3, lambda: fill_disk(small_disk) and None)
    small_house.start("worker")
    small_house.python(LAUNCH, READERS)
    ballast = small_disk / "ballast"
    wait_for(lambda: "OperationalError" in small_house.log("worker"), "the full disk", 60)
    ballast.unlink()
    small_house.python(REAP_EXPIRED)
    small_house.manage("run_due")
    wait_for(lambda: is_sent(small_house), "the end of the sending", 60)
    counts = small_house.python(LEDGER)
    assert counts["balances"]
    assert counts["uncertain"] <= settings.LANES * settings.CONNECTIONS
    assert counts["sent"] <= everyone_once(caught) <= READERS


def test_a_restored_backup_writes_to_nobody_who_has_left_since(
    built: NewsroomProcesses, caught: Catcher
) -> None:
    """A real dump, put back over a newsroom in which three subscribers left or were forgotten."""
    built.python(READERS_AND_A_DIGEST, READERS)
    url = built.environment["DATABASE_URL"]
    dump = subprocess.run(
        [program("pg_dump"), "--no-owner", url], capture_output=True, check=True
    ).stdout
    gone = {row[0] for row in built.stores.query(OLDEST)}
    built.python(LEAVING)
    assert built.stores.query(ACTIVE) == [(READERS - 3,)]

    built.stores.query("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    quiet = ["--quiet", "--set", "ON_ERROR_STOP=1"]
    subprocess.run([program("psql"), *quiet, url], input=dump, capture_output=True, check=True)
    assert built.stores.query(ACTIVE) == [(READERS,)], "the backup knows nothing of it"

    # The letters go to all whom the backup has, but the lanes hear first who has left.
    built.python(LAUNCHING)
    built.start("worker")
    wait_for(lambda: built.python(LEDGER)["still_to_send"] == 0, "the letters", 60)
    assert len(caught.letters) == READERS - 3
    assert built.stores.query(ACTIVE) == [(READERS - 3,)]
    assert not gone & {row[0] for row in built.stores.query(STILL_ACTIVE)}
