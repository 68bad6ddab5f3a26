"""How each command in the documents is run, or checked where it cannot be.

A command that stands in none of these tables fails tests/test_documents.py. Add it to what is
put in place of a reader's own words, or to what is checked in another way.
"""

from __future__ import annotations

import datetime as dt
import importlib.util
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import yaml
from django.core.management import CommandParser, get_commands, load_command_class

from newsroom.weeks import Week
from tests.documents import ROOT, Command, manage_arguments

BIN = Path(sys.executable).parent
LAST_WEEK = Week.last_full(dt.datetime.now(dt.UTC).date())

# --- What commands are run with ------------------------------------------------------

FILES = {
    "articles.jsonl": ("docs/writing.md", "json"),
    "subscribers.csv": ("docs/the-list.md", "csv"),
}
"""The files that commands read are the pages' own examples."""

PREPARED = [
    "make_keys",
    "migrate",
    "createsuperuser --noinput",
    "load_demo",
    "load_demo_list",
    # Weeks that are long over, so that each waits for a person: mailings 1 and 2, 3 and 4.
    f"digest approve {LAST_WEEK.previous(2)}",
    f"digest approve {LAST_WEEK.previous(3)}",
    "mailing launch 3",
    "mailing launch 4",
    "mailing pause 4",
]
"""How the machine stands on which each page's commands are run, from the top of the page."""

SUBSTITUTES = {
    "mailing launch ID": "mailing launch 1",
    "mailing cancel ID": "mailing cancel 2",
    "mailing pause ID": "mailing pause 3",
    "mailing report ID": "mailing report 3",
    "mailing resume ID": "mailing resume 4",
    "publish_article ID": "publish_article 1",
    "withdraw_article ID": "withdraw_article 1",
    "2026-11-16": str(LAST_WEEK.previous()),
    "createsuperuser": "createsuperuser --noinput --username another",
    "makemigrations articles": "makemigrations articles --dry-run",
    "/media/key-backup/": "key-backup/",
}
"""What a reader would put there, or what makes a command ask nobody and leave the code alone."""

ENVIRONMENT = {
    "PATH": f"{BIN}:/usr/local/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "DJANGO_SETTINGS_MODULE": "newsroom.settings",
    "DJANGO_SUPERUSER_USERNAME": "editor",
    "DJANGO_SUPERUSER_EMAIL": "editor@newsroom.example",
    "DJANGO_SUPERUSER_PASSWORD": "pass for a test",
}

# --- What cannot be run, and how it is checked ---------------------------------------

ONLY_PARSED = {
    "run_demo": "goes on until Ctrl-C; tests/test_demo_run.py runs it",
    "runserver": "goes on until Ctrl-C",
    "dbshell": "wants a person",
    "changepassword": "wants a person",
}
"""Commands of manage.py whose arguments are checked and no more."""

SHELL = {
    "cat",
    "chmod",
    "cp",
    "echo",
    "head",
    "base64",
    "ls",
    "mkdir",
    "mv",
    "rm",
    "shred",
    "umask",
}
"""Programs of any machine: a line of these, and of manage.py, is run in a folder of its own."""

NEEDS_A_SERVER = {
    "apt-get": "changes the machine",
    "apt": "changes the machine",
    "adduser": "changes the machine",
    "useradd": "changes the machine",
    "chown": "needs root and the users of a server",
    "chgrp": "needs root and the groups of a server",
    "install": "needs the users of a server",
    "git": "asks another host",
    "curl": "asks another host",
    "systemctl": "needs systemd",
    "journalctl": "needs systemd",
    "nginx": "needs nginx",
    "certbot": "needs a name in the DNS",
    "createuser": "needs the server's PostgreSQL",
    "createdb": "needs the server's PostgreSQL",
    "psql": "needs the server's PostgreSQL",
    "pg_dump": "needs the server's PostgreSQL",
    "pg_restore": "needs the server's PostgreSQL",
    "gzip": "follows one of these",
    "gunzip": "precedes one of these",
    "cd": "names a folder of the server",
    ".": "activates a virtual environment",
}
"""Programs that are not run at all, each with the reason."""


def check_make(words: list[str]) -> None:
    """`make help` is run; of the others make itself says that it knows them."""
    really = ["make"] if words == ["make", "help"] else ["make", "--dry-run"]
    done = subprocess.run(
        [*really, *words[1:]], cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    read = set(re.findall(r"\$\((\w+)\)", (ROOT / "Makefile").read_text()))
    assert {word.partition("=")[0] for word in words if "=" in word} <= read


def check_python(words: list[str]) -> None:
    """A script or a module that is there."""
    rest = words[1:]
    if rest[0] == "-m":
        assert importlib.util.find_spec(rest[1]), f"There is no module {rest[1]}."
    else:
        assert (ROOT / rest[0]).is_file(), f"There is no {rest[0]}."


def check_installed(words: list[str]) -> None:
    """A program that the lock file brings, and the files that it is given."""
    assert (BIN / Path(words[0]).name).exists(), f"{words[0]} is not installed."
    for word in words[1:]:
        if word.endswith((".txt", ".py", ".toml")):
            assert (ROOT / word).is_file(), f"There is no {word}."


def check_docker(words: list[str]) -> None:
    """Subcommand, services and profiles are those of docker-compose.yml."""
    assert words[1] == "compose", f"Only `docker compose` is known here: {words}"
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    profiles = {name for service in services.values() for name in service.get("profiles", [])}
    rest = words[2:]
    while rest and rest[0].startswith("-"):
        if rest[0] == "--profile":
            assert rest[1] in profiles, f"There is no profile {rest[1]}."
        rest = rest[2:] if rest[0] in {"--profile", "-f", "--file"} else rest[1:]
    subcommand, *rest = rest
    assert subcommand in {"build", "config", "down", "exec", "logs", "ps", "pull", "restart"} | {
        "run",
        "start",
        "stop",
        "up",
    }
    named = [word for word in rest if not word.startswith("-")]
    for name in named[:1] if subcommand in {"exec", "run"} else named:
        assert name in services, f"There is no service {name}."


CHECKED: dict[str, Callable[[list[str]], None]] = {
    "make": check_make,
    "docker": check_docker,
    "python": check_python,
    "python3": check_python,
    **dict.fromkeys(("pip", "ruff", "mypy", "lint-imports", "pytest"), check_installed),
    **dict.fromkeys(("gunicorn", "celery"), check_installed),
}
"""Programs that are not run, but whose words are looked up."""

# --- Checking and running ------------------------------------------------------------


def check(words: list[str]) -> None:
    """Looks up what is not run. Fails for a program that no table knows."""
    program = Path(words[0]).name
    arguments = manage_arguments(in_container(words))
    if arguments is not None:
        parse(arguments)
    if program in CHECKED and (arguments is None or program == "docker"):
        CHECKED[program](words)
    elif arguments is None:
        known = program in SHELL or program in NEEDS_A_SERVER
        assert known, f"No table in tests/documented_commands.py has {program}."


def parse(arguments: list[str]) -> None:
    """Fails for a command that is not there, or that does not take these arguments."""
    name, *rest = [one.replace("ID", "1") for one in arguments]
    if name == "help":
        return
    assert name in get_commands(), f"There is no command {name}."
    found = get_commands()[name]
    command = found if not isinstance(found, str) else load_command_class(found, name)
    parser: CommandParser = command.create_parser("manage.py", name)
    parser.called_from_command_line = False
    if rest:
        parser.parse_args(rest)


def in_container(words: list[str]) -> list[str]:
    """What `docker compose exec worker …` runs there; the words themselves otherwise."""
    for number, word in enumerate(words):
        if words[:2] == ["docker", "compose"] and word in {"python", "manage.py"}:
            return words[number:]
    return words


def is_manage(words: list[str]) -> bool:
    return manage_arguments(in_container(words)) is not None


def step(command: Command) -> str | list[str] | None:
    """How the command is run: by manage.py, by a shell, or, with None, not at all."""
    parts = command.parts
    known = [words for words in parts if words and (words[0] in SHELL or is_manage(words))]
    if known != parts:
        return None
    for written, put in SUBSTITUTES.items():
        command = Command(command.page, command.line, command.text.replace(written, put))
    if len(parts) > 1 or not is_manage(parts[0]) or command.sets_variables:
        return command.text
    arguments = manage_arguments(in_container(command.parts[0])) or ["help"]
    return None if arguments[0] in ONLY_PARSED else arguments
