"""Runs the whole newsroom with a mail catcher and sends the week's digest: `make run`."""

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
from demo.process_manager import Process, ProcessError, StopRequested
from newsletter.tasks import enqueue_lanes

EDITOR_USERNAME = "editor"
SENDING_TIMEOUT_SECONDS = 180


class Command(BaseCommand):
    """Starts all processes, sends the last full week's digest once, and prints the URLs."""

    help = "Runs the demo newsroom with web, worker, beat and a mail catcher."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        self.started = time.monotonic()
        self.site, self.letters, self.smtp = range(settings.PORT, settings.PORT + 3)
        process_manager.install_stop_handlers()
        try:
            self.run()
        except StopRequested:
            self.print("\nStopped.")
        except ProcessError as error:
            raise CommandError(str(error)) from None

    def print(self, text: str) -> None:
        """Unbuffered."""
        self.stdout.write(text)
        self.stdout.flush()

    def run(self) -> None:
        if settings.PRODUCTION:
            raise ProcessError("This is the demo. Unset PRODUCTION, or see docs/administration.md.")
        process_manager.check_ports_free(
            {"the site": self.site, "the caught letters": self.letters, "SMTP": self.smtp}
        )
        password = self.prepare()
        commands, log_dir = self.commands(), settings.VAR_DIR / "log"
        self.print(f"Starting {', '.join(commands)}; what they say is in {log_dir}/")
        with process_manager.running(commands, self.environment(), log_dir) as processes:
            process_manager.wait_until_ready(f"http://127.0.0.1:{self.letters}/", processes)
            process_manager.wait_until_ready(f"http://127.0.0.1:{self.site}/", processes)
            report = self.send_last_week(processes)
            self.print_summary(password, report)
            process_manager.wait_until_stopped(processes)

    def prepare(self) -> str:
        """Creates keys, database, account and demo. Returns the password."""
        self.print("Making the keys and the database in var/")
        call_command("make_keys", verbosity=0)
        call_command("migrate", verbosity=0, interactive=False)
        password = self.staff_password()
        self.print("Loading the demo newsroom: eight weeks in three languages")
        call_command("load_demo", owner=EDITOR_USERNAME, verbosity=0)
        call_command("load_demo_subscribers", verbosity=0)
        return password

    def staff_password(self) -> str:
        """Created on the first run, in a file that only its owner can read."""
        path = settings.KEYS_DIR / "demo-password"
        if not path.exists():
            with files.atomic_create(path) as file:
                file.write(secrets.token_urlsafe(9))
        password = str(path.read_text().strip())
        users = get_user_model()._default_manager
        if not users.filter(username=EDITOR_USERNAME).exists():
            users.create_superuser(EDITOR_USERNAME, "editor@newsroom.example", password)
        return password

    def commands(self) -> dict[str, list[str]]:
        """The mail catcher, and the processes of the Procfile."""
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
        """The current one, with the mail catcher as the relay."""
        return {
            **os.environ,
            "PORT": str(self.site),
            "SITE_URL": f"http://127.0.0.1:{self.site}",
            "RELAY_URL": f"smtp://127.0.0.1:{self.smtp}",
            "REQUIRE_SECOND_FACTOR": "0",
        }

    def send_last_week(self, processes: list[Process]) -> str:
        """Sends the newest digest once; returns its report."""
        editor = get_user_model()._default_manager.get(username=EDITOR_USERNAME)
        if week.launch_once(editor, timezone.now()):
            self.print("Sending the last full week's digest through worker and relay")
        for mailing in week.sending_mailings():
            enqueue_lanes(mailing)
        deadline = time.monotonic() + SENDING_TIMEOUT_SECONDS
        while week.sending_mailings():
            process_manager.check_all(processes)
            if time.monotonic() > deadline:
                raise ProcessError(
                    f"The letters are not out after {SENDING_TIMEOUT_SECONDS} seconds. See "
                    f"{settings.VAR_DIR / 'log' / 'worker.log'}."
                )
            time.sleep(0.1)
        return week.last_report()

    def print_summary(self, password: str, report: str) -> None:
        """The report, the URLs and the password."""
        site = f"http://127.0.0.1:{self.site}"
        self.print(
            f"""
{report}

The site             {site}/en/  {site}/be/  {site}/ru/
The admin            {site}/admin/  log in as {EDITOR_USERNAME} with {password}
                     (a password is enough in this demo; elsewhere who publishes needs
                     a second factor: docs/staff.md)
The caught letters   http://127.0.0.1:{self.letters}/

Ready after {time.monotonic() - self.started:.0f} seconds. Ctrl-C stops everything."""
        )
