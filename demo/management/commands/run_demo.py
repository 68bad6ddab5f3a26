"""The whole newsroom on a bare machine, and the week's letter through it: `make run`."""

from __future__ import annotations

import os
import secrets
import shlex
import sys
import time
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import BaseCommand, CommandError, call_command
from django.utils import timezone

from core import files
from demo import process_manager, week
from demo.process_manager import CannotRun, Process, Stopped
from newsletter.tasks import enqueue_lanes

STAFF = "editor"
SENT_WITHIN = 180
"""Seconds until the demo's letters have to be out."""


class Command(BaseCommand):
    """Starts everything, sends the last full week's digest once, and says where to look."""

    help = "Runs the demo newsroom with web, worker, beat and a mail catcher."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        self.started = time.monotonic()
        self.site, self.letters, self.smtp = range(settings.PORT, settings.PORT + 3)
        process_manager.stop_politely()
        try:
            self.run()
        except Stopped:
            self.say("\nStopped.")
        except CannotRun as error:
            raise CommandError(str(error)) from None

    def say(self, text: str) -> None:
        """At once, so that nobody wonders."""
        self.stdout.write(text)
        self.stdout.flush()

    def run(self) -> None:
        if settings.PRODUCTION:
            raise CannotRun("This is the demo. Unset PRODUCTION, or see docs/administration.md.")
        process_manager.check_free(
            {"the site": self.site, "the caught letters": self.letters, "SMTP": self.smtp}
        )
        password = self.prepare()
        commands, log_dir = self.commands(), settings.VAR_DIR / "log"
        self.say(f"Starting {', '.join(commands)}; what they say is in {log_dir}/")
        with process_manager.running(commands, self.environment(), log_dir) as processes:
            process_manager.wait_for_answer(f"http://127.0.0.1:{self.letters}/", processes)
            process_manager.wait_for_answer(f"http://127.0.0.1:{self.site}/", processes)
            line = self.send_last_week(processes)
            self.guide(password, line)
            process_manager.watch(processes)

    def prepare(self) -> str:
        """Keys, database, log-in and demo; quick when all is there. Returns the password."""
        self.say("Making the keys and the database in var/")
        call_command("make_keys", verbosity=0)
        call_command("migrate", verbosity=0, interactive=False)
        password = self.staff_password()
        self.say("Loading the demo newsroom: eight weeks in three languages")
        call_command("load_demo", owner=STAFF, verbosity=0)
        call_command("load_demo_subscribers", verbosity=0)
        return password

    def staff_password(self) -> str:
        """Made on the first run and kept readable by its owner only."""
        path = settings.KEYS_DIR / "demo-password"
        if not path.exists():
            with files.new_file(path) as file:
                file.write(secrets.token_urlsafe(9))
        password = str(path.read_text().strip())
        users = get_user_model()._default_manager
        if not users.filter(username=STAFF).exists():
            users.create_superuser(STAFF, "editor@newsroom.example", password)
        return password

    def commands(self) -> dict[str, list[str]]:
        """What to start: the mail catcher, and what the Procfile names."""
        catcher = [
            sys.executable,
            *("-m", "demo.mail_catcher"),
            *("--smtp-port", str(self.smtp)),
            *("--page-port", str(self.letters)),
            *("--directory", str(settings.VAR_DIR / "mail")),
        ]
        named = {}
        for line in (settings.BASE_DIR / "Procfile").read_text().splitlines():
            name, _, command = line.partition(":")
            named[name] = shlex.split(command.replace("$PORT", str(self.site)))
        return {"mail": catcher, **named}

    def environment(self) -> dict[str, str]:
        """Ours, but with the catcher as the relay: a demo never mails the world."""
        return {
            **os.environ,
            "PORT": str(self.site),
            "SITE_URL": f"http://127.0.0.1:{self.site}",
            "RELAY_URL": f"smtp://127.0.0.1:{self.smtp}",
            "REQUIRE_SECOND_FACTOR": "0",
        }

    def send_last_week(self, processes: list[Process]) -> str:
        """Sends the newest digest once and returns its report; later runs only report."""
        editor = get_user_model()._default_manager.get(username=STAFF)
        if week.launch_once(editor, timezone.now()):
            self.say("Sending the last full week's digest through worker and relay")
        for mailing in week.under_way():
            enqueue_lanes(mailing)
        deadline = time.monotonic() + SENT_WITHIN
        while week.under_way():
            process_manager.check_all(processes)
            if time.monotonic() > deadline:
                raise CannotRun(
                    f"The letters are not out after {SENT_WITHIN} seconds. See "
                    f"{settings.VAR_DIR / 'log' / 'worker.log'}."
                )
            time.sleep(0.1)
        return week.last_report()

    def guide(self, password: str, line: str) -> None:
        """Where to look."""
        site = f"http://127.0.0.1:{self.site}"
        self.say(
            f"""
{line}

The site             {site}/en/  {site}/be/  {site}/ru/
The admin            {site}/admin/  log in as {STAFF} with {password}
                     (a password is enough in this demo; elsewhere who publishes needs
                     a second factor: docs/staff.md)
The caught letters   http://127.0.0.1:{self.letters}/

Ready after {time.monotonic() - self.started:.0f} seconds. Ctrl-C stops everything."""
        )
