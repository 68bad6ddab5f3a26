"""The stack of docker-compose.yml, run on this machine through a whole digest."""

from __future__ import annotations

import datetime as dt
import re
import sys
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest

from core.weeks import Week
from demo.mail_catcher.letters import Letter, LetterBox
from tests.services import free_port
from tests.services import wait_for as wait
from tests.stack.compose import ROOT, Machine

pytestmark = pytest.mark.long

ADDRESS = "planted.reader@example.org"
HOST = "news.example.org"
OTHERS = 12
# Where the web process runs, and where the worker does.
WRITTEN = """
from tests.factories import *
make_edition(code="en"), make_edition(code="be-ru")
make_article(week=Week.last_full(dt.datetime.now(dt.UTC).date()))
"""
SUBSCRIBED = f"""
from tests.factories import *
for edition in Edition.objects.all():
    for _ in range({OTHERS} // 2):
        make_subscriber(edition=edition)
"""


class Site:
    """The web process, as the proxy before it asks."""

    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}"

    def ask(self, path: str, **form: str) -> str:
        request = Request(
            self.address + path,
            data=urlencode(form).encode() if form else None,
            headers={"Host": HOST, "X-Forwarded-Proto": "https"},
        )
        with urlopen(request, timeout=20) as answer:
            return answer.read().decode()


def letters_to(box: LetterBox, address: str) -> list[Letter]:
    return [letter for letter in box.letters() if letter.recipients == (address,)]


def prepare(machine: Machine) -> None:
    """What runs once: keys, migrations, and what people wrote."""
    for once in ("keys", "roles", "migrate"):
        done = machine.run(once)
        assert done.returncode == 0, done.stderr + done.stdout
    machine.manage("web", "shell", "--command", WRITTEN, PYTHONPATH=str(ROOT))
    machine.manage("worker", "shell", "--command", SUBSCRIBED, PYTHONPATH=str(ROOT))


def test_a_whole_digest_goes_through_the_stack(machine: Machine) -> None:
    prepare(machine)
    for name in ("database", "redis"):
        assert machine.is_well(name)
    catcher = machine.start("mailcatcher")
    box = LetterBox(Path(machine.command("mailcatcher")[-1]))
    for name in ("web", "worker", "intake"):
        machine.start(name)
    for name in ("mailcatcher", "web", "worker", "intake"):
        wait(lambda name=name: machine.is_well(name), name)
    assert not machine.is_well("beat")

    # Signs up over HTTP and confirms with the link of the mail.
    site = Site(machine.ports["8000"])
    assert 'value="en"' in site.ask("/en/subscribe/")
    site.ask("/en/subscribe/", email=ADDRESS, edition="en")
    wait(lambda: bool(letters_to(box, ADDRESS)), "the confirmation")
    [confirmation] = letters_to(box, ADDRESS)
    link = re.search(rf"https://{HOST}(/en/confirm/[a-z2-7]+/)", confirmation.contents.text)
    assert link
    site.ask(link[1], confirm="yes")
    wait(lambda: len(letters_to(box, ADDRESS)) == 2, "the welcome")

    # An editor approves the week and launches it while the broker is away: nothing is lost,
    # since the first tick of beat hands it out.
    week = Week.last_full(dt.datetime.now(dt.UTC).date())
    machine.manage("web", "digest", "gather", str(week))
    approved = machine.manage("web", "digest", "approve", str(week))
    nobody = f"redis://127.0.0.1:{free_port()}/0"
    for mailing in re.findall(r"^(\d+):", approved, re.MULTILINE):
        machine.manage("web", "mailing", "launch", mailing, BROKER_URL=nobody)
    machine.start("beat")
    wait(lambda: machine.is_well("beat"), "beat")
    wait(lambda: len(box.letters()) == 3 + OTHERS, "the letters", seconds=60)
    # The outcome is written once the relay has answered.
    wait(lambda: "EN 7, failed 0" in machine.manage("web", "digest", "report", str(week)), "it")
    assert "BE/RU 6" in machine.manage("web", "digest", "report", str(week))
    recipients = [letter.recipients for letter in box.letters()]
    assert recipients.count((ADDRESS,)) == 3
    assert len(set(recipients)) == 1 + OTHERS

    # The letter's web version is on the site, and the web process could not have sent it.
    assert week.label("en") in site.ask(f"/en/weeks/{week}/")
    (machine.folder / "list.csv").write_text("email,edition\nsomebody@example.org,en\n")
    refused = machine.run(
        "web", [sys.executable, "manage.py", "import_subscribers", str(machine.folder / "list.csv")]
    )
    assert refused.returncode != 0
    assert "was not given the worker's key" in refused.stderr

    for process in machine.processes.values():
        process.check_alive()
    assert catcher is machine.processes["mailcatcher"]
    machine.stop()
    for log in (machine.folder / "logs").iterdir():
        said = log.read_text()
        assert "Traceback" not in said, said
        assert ADDRESS not in said
