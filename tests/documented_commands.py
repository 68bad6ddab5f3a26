"""How each command in the documents is run, or only checked.

A command that is in none of these tables fails tests/test_documents.py.
"""

from __future__ import annotations

import datetime as dt
import importlib.util
import itertools
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import yaml
from django.core.management import CommandParser, get_commands, load_command_class

from core.weeks import Week
from tests.documents import ROOT, Command, manage_arguments

BIN = Path(sys.executable).parent
LAST_WEEK = Week.last_full(dt.datetime.now(dt.UTC).date())

# --- What commands are run with ------------------------------------------------------

FILES = {
    "articles.jsonl": ("docs/editorial-workflow.md", "json"),
    "subscribers.csv": ("docs/imports.md", "csv"),
}
"""Input files, from the examples in the documents."""

PREPARED = [
    "make_keys",
    "migrate",
    "createsuperuser --noinput",
    "load_demo",
    "load_demo_subscribers",
    # Past weeks, which are not launched automatically: mailings 1 and 2, 3 and 4.
    f"digest approve {LAST_WEEK.previous(2)}",
    f"digest approve {LAST_WEEK.previous(3)}",
    "mailing launch 3",
    "mailing launch 4",
    "mailing pause 4",
]
"""Runs before the commands of each page."""

SUBSTITUTES = {
    "mailing launch ID": "mailing launch 1",
    "mailing cancel ID": "mailing cancel 2",
    "mailing pause ID": "mailing pause 3",
    "mailing report ID": "mailing report 3",
    "mailing resume ID": "mailing resume 4",
    "mailing send-again ID": "mailing send-again 4",
    "publish_article ID": "publish_article 1",
    "withdraw_article ID": "withdraw_article 1",
    "2026-11-16": str(LAST_WEEK.previous()),
    "makemigrations": "makemigrations --dry-run",
    "/media/key-backup/": "key-backup/",
}
"""Values for placeholders, and options against prompts and changes of the code."""

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
    "makemessages": "writes into the code",
    "dbshell": "wants a person",
    "changepassword": "wants a person",
    "createsuperuser": "wants a person",
    "restore_keys": "wants a page that was typed in; tests/keys/test_keyring.py has one",
    "process_bounces": "wants a mail; tests/newsletter/bounces/test_poll.py has some",
    "mailing_progress": "goes on until the mailing is over",
    "show_quarantined_mail": "wants a mail that was set aside",
    "destroy_keys": "destroys what the page's other commands need; tested with the list",
}
"""Commands of manage.py whose arguments are only parsed."""

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
"""Standard programs: a line of these and of manage.py runs in a temporary folder."""

ELSEWHERE = re.compile(r"(?<![\w.])(/(?!dev/)|~|\.\./)")
"""A shell line with such a path is not run."""

COMPOSE = {"build", "config", "down", "exec", "logs", "ps", "pull", "restart", "run"} | {
    "start",
    "stop",
    "up",
}
WITH_VALUE = {"--profile", "-f", "--file", "--env-file", "-e", "--env", "-u", "--user", "--tail"}
"""Options of docker compose that take a value."""

NEEDS_A_SERVER = {
    "apt-get": "changes the machine",
    "apt": "changes the machine",
    "adduser": "changes the machine",
    "useradd": "changes the machine",
    "groupadd": "changes the machine",
    "ln": "links a folder of the server",
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
    "sh": "is in a container",
    "tar": "is in a container",
    "gzip": "follows one of these",
    "gunzip": "precedes one of these",
    "cd": "names a folder of the server",
    ".": "activates a virtual environment",
    "set": "sets up a shell of the server",
    "lp": "needs a printer",
    "openssl": "is on most machines and not on all",
    "redis-cli": "needs the server's Redis",
}
"""Programs that are not run, with the reason."""


def check_make(words: list[str]) -> None:
    """Runs `make help`; other targets with --dry-run."""
    command = ["make"] if words == ["make", "help"] else ["make", "--dry-run"]
    done = subprocess.run(
        [*command, *words[1:]], cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    read = set(re.findall(r"\$\((\w+)\)", (ROOT / "Makefile").read_text()))
    assert {word.partition("=")[0] for word in words if "=" in word} <= read


def check_python(words: list[str]) -> None:
    """The script or module exists."""
    rest = words[1:]
    if rest[0] == "-c":
        compile(rest[1], "a document", "exec")
    elif rest[0] == "-m":
        assert importlib.util.find_spec(rest[1]), f"There is no module {rest[1]}."
    else:
        assert (ROOT / rest[0]).is_file(), f"There is no {rest[0]}."


def check_installed(words: list[str]) -> None:
    """The program is installed and its files exist."""
    assert (BIN / Path(words[0]).name).exists(), f"{words[0]} is not installed."
    for word in words[1:]:
        if word.endswith((".txt", ".py", ".toml")):
            assert (ROOT / word).is_file(), f"There is no {word}."


def check_docker(words: list[str]) -> None:
    """Subcommand, services and profiles exist."""
    assert words[1] == "compose", f"Only `docker compose` is known here: {words}"
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    profiles = {name for service in services.values() for name in service.get("profiles", [])}
    for option, value in itertools.pairwise(words):
        assert option != "--profile" or value in profiles, f"There is no profile {value}."
    subcommand, *named = without_options(words[2:])
    assert subcommand in COMPOSE, f"docker compose {subcommand} is not known here."
    for name in named[:1] if subcommand in {"exec", "run"} else named:
        assert name in services, f"There is no service {name}."
    inside = in_container(words)
    if inside:
        check(inside)


def without_options(words: list[str]) -> list[str]:
    """Without docker's options and their values."""
    kept, skip = [], False
    for word in words:
        if not skip and not word.startswith("-"):
            kept.append(word)
        skip = not skip and word in WITH_VALUE
    return kept


def in_container(words: list[str]) -> list[str]:
    """The command of `docker compose exec worker …`; empty for others."""
    if words[:2] != ["docker", "compose"]:
        return []
    subcommand, *named = without_options(words[2:])
    if subcommand not in {"exec", "run"} or len(named) < 2:
        return []
    service = words.index(named[0], words.index(subcommand))
    return words[service + 1 :]


CHECKED: dict[str, Callable[[list[str]], None]] = {
    "make": check_make,
    "docker": check_docker,
    "python": check_python,
    "python3": check_python,
    **dict.fromkeys(("pip", "ruff", "mypy", "lint-imports", "pytest"), check_installed),
    "celery": check_installed,
}
"""Programs whose arguments are checked."""

# --- Checking and running ------------------------------------------------------------


def check(words: list[str]) -> None:
    """Checks a command without running it. Fails for an unknown program."""
    program = Path(words[0]).name or words[0]
    arguments = manage_arguments(words)
    if arguments is not None:
        parse(arguments)
    elif program in CHECKED:
        CHECKED[program](words)
    else:
        known = program in SHELL or program in NEEDS_A_SERVER
        assert known, f"No table in tests/documented_commands.py has {program}."


def parse(arguments: list[str]) -> None:
    """Fails for an unknown command or wrong arguments."""
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


def step(command: Command) -> str | list[str] | None:
    """Arguments of manage.py, a shell line, or None if it is not run."""
    text = command.text
    for written, put in SUBSTITUTES.items():
        text = text.replace(written, put)
    command = Command(command.page, command.line, text)
    parts = [in_container(words) or words for words in command.parts]
    is_manage = [manage_arguments(words) is not None for words in parts]
    if is_manage == [True] and not command.sets_variables:
        arguments = manage_arguments(parts[0]) or ["help"]
        return None if arguments[0] in ONLY_PARSED else arguments
    runs = all(manage or words[0] in SHELL for manage, words in zip(is_manage, parts, strict=True))
    in_its_folder = parts == command.parts and not ELSEWHERE.search(text)
    return text if runs and in_its_folder else None
