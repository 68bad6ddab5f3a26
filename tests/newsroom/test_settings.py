"""Promise 6.9 for an administrator: nonsense in the environment ends with one clear line."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from django.core.exceptions import ImproperlyConfigured

from newsroom.env import RENAMED_VARIABLES
from tests.newsroom.production import environment, environment_variables, manage

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "newsroom" / "settings.py"
SETTINGS = compile(FILE.read_text(), FILE, "exec")
PARTS = ("newsroom.base_settings", "newsroom.security_settings")
"""Modules that read the environment and that newsroom.settings imports."""
VARIABLES = environment_variables()


class Machine:
    """Reads the settings anew, from an environment of nothing else."""

    def __init__(self, folder: Path) -> None:
        self.newcomer = {"VAR_DIR": str(folder)}
        self.production = environment(folder)

    def read(self, **env: str) -> dict[str, Any]:
        found: dict[str, Any] = {"__name__": "settings", "__file__": str(FILE)}
        with (
            patch.dict(os.environ, {**self.newcomer, **env}, clear=True),
            patch.dict(sys.modules),
        ):
            for name in PARTS:
                sys.modules.pop(name, None)
            exec(SETTINGS, found)
        return found

    def refused(self, **env: str) -> str:
        """What the administrator is told, in one line."""
        with pytest.raises(ImproperlyConfigured) as met:
            self.read(**env)
        [line] = str(met.value).splitlines()
        return line


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    return Machine(tmp_path_factory.mktemp("settings"))


def test_a_wrong_value_ends_a_command_with_one_line(tmp_path: Path) -> None:
    done = manage({**environment(tmp_path), "LANES": "many"}, "check")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == "Settings: LANES is 'many'. Set it to a whole number from 1 to 64.\n"


def test_a_right_production_is_read(machine: Machine) -> None:
    found = machine.read(**machine.production)
    assert found["PRODUCTION"] is True
    assert found["DATABASES"]["default"]["PASSWORD"] == "hunter2"
    assert found["CACHES"]["default"]["LOCATION"] == found["CELERY_BROKER_URL"]


NONSENSE = [
    ("DEBUG", "maybe", "Set it to 1 or 0"),
    ("PORT", "eighty", "whole number from 1024"),
    ("PORT", "80", "whole number from 1024"),
    ("SITE_URL", "example.org", "https://example.org"),
    ("SITE_URL", "https://example.org/path", "only scheme and host"),
    ("SITE_URL", "https://example.org:port", "https://example.org"),
    ("SECURITY_CONTACT", "security@example.org", "mailto:security@example.org"),
    ("SECURITY_CONTACT", "mailto:security@example.org", "set both or neither"),
    ("SECURITY_EXPIRES", "1 June", "2027-01-31"),
    ("SECURITY_EXPIRES", "2027-02-29", "2027-01-31"),
    ("SECURITY_EXPIRES", "2027-06-01", "set both or neither"),
    ("SITE_NAME_IN_PREVIEWS", "maybe", "Set it to 1 or 0"),
    ("RELAY_URL", "mailserver", "smtp://host:25"),
    ("RELAY_URL", "smtp://:25", "smtp://host:25"),
    ("BOUNCE_IMAP_URL", "pop3://user@host", "imaps://user:password@host/INBOX"),
    ("RELAY_TIMEOUT", "0", "from 1 to 600"),
    ("LANES", "-1", "from 1 to 64"),
    ("PROVIDER_LIMITS", "gmx=5", "out of: gmail"),
    ("PROVIDER_LIMITS", "gmail=5 gmail=6", "Name each once"),
    ("PROVIDER_LIMITS", "gmail", "such as gmail=600"),
    ("PRODUCTION", "sure", "Set it to 1 or 0"),
    ("VAR_DIR", "/dev/null", "Set it to a folder"),
    ("MEDIA_ROOT", "/dev/null", "Set it to a folder"),
    ("STATIC_ROOT", "/dev/null", "Set it to a folder"),
    ("WORKER_KEY_FILE", "/tmp", "the path of a file"),
    ("INTAKE_KEY_FILE", "/tmp", "the path of a file"),
    ("LINKS_KEY_FILE", "/tmp", "the path of a file"),
    ("ALLOWED_HOSTS", "https://example.org", "without scheme, port and path"),
    ("ALLOWED_HOSTS", "example.org:8000", "without scheme, port and path"),
    ("ALLOWED_HOSTS", "example.org/en", "without scheme, port and path"),
    ("ALLOWED_HOSTS", "example.org example.com", "without scheme, port and path"),
    ("ALLOWED_HOSTS", ",", "names nothing"),
    ("CSRF_TRUSTED_ORIGINS", "example.org", "scheme and host"),
    ("CSRF_TRUSTED_ORIGINS", "https://example.org/admin", "scheme and host"),
    ("CSRF_TRUSTED_ORIGINS", "ftp://example.org", "scheme and host"),
    ("CSRF_TRUSTED_ORIGINS", "https://", "scheme and host"),
    ("CSRF_TRUSTED_ORIGINS", ",", "names nothing"),
    ("DATABASE_URL", "mysql://host/name", "postgres://"),
    ("DATABASE_URL", "newsroom", "sqlite:///path"),
    ("DATABASE_URL", "postgres://host", "postgres://"),
    ("DATABASE_URL", "postgres://host/", "postgres://"),
    ("DATABASE_URL", "postgres://host:port/name", "postgres://"),
    ("DATABASE_URL", "postgres://[host/name", "postgres://"),
    ("BROKER_URL", "amqp://host", "redis://host:6379/0"),
    ("BROKER_URL", "redis", "redis://host:6379/0"),
    ("BROKER_URL", "redis://host/name", "redis://host:6379/0"),
    ("BROKER_URL", "redis://host:six/0", "redis://host:6379/0"),
    ("TIME_ZONE", "Minsk", "Europe/Vilnius"),
    ("TIME_ZONE", "../etc/passwd", "Europe/Vilnius"),
    ("BOUNCE_DOMAIN", "bounces@example.org", "a domain alone"),
    ("BOUNCE_DOMAIN", "https://example.org", "a domain alone"),
    ("BOUNCE_DOMAIN", "198.51.100.7", "a domain alone"),
    ("BOUNCE_DOMAIN", "пошта.example", "a domain alone"),
    ("BOUNCE_DOMAIN", "-.org", "a domain alone"),
    ("ADMIN_HOSTS", "https://desk.example.org", "names without scheme, port and path"),
    ("ADMIN_HOSTS", "desk.example.org:8443", "names without scheme, port and path"),
    ("ADMIN_HOSTS", ",", "example.org"),
    ("TRUSTED_PROXIES", "10.0.0.1", "from 0 to 9"),
    ("REQUIRE_SECOND_FACTOR", "never", "Set it to 1 or 0"),
]


def test_a_nonsense_value_is_named_with_what_to_do(
    machine: Machine, subtests: pytest.Subtests
) -> None:
    for name, value, hint in NONSENSE:
        with subtests.test(name=name, value=value):
            said = machine.refused(**{name: value})
            assert name in said
            assert hint in said


def test_the_password_in_an_address_is_not_repeated(
    machine: Machine, subtests: pytest.Subtests
) -> None:
    for name in ("RELAY_URL", "DATABASE_URL", "BROKER_URL"):
        with subtests.test(name=name):
            assert "hunter2" not in machine.refused(**{name: "http://user:hunter2@example.org"})


def test_production_names_what_is_missing(machine: Machine, subtests: pytest.Subtests) -> None:
    for missing in ("SITE_URL", "SECRET_KEY", "RELAY_URL"):
        with subtests.test(missing=missing):
            said = machine.refused(**{**machine.production, missing: ""})
            assert f"{missing} is not set" in said


def test_production_refuses_a_secret_that_can_be_guessed(
    machine: Machine, subtests: pytest.Subtests
) -> None:
    for secret in ("short", "k" * 60, "django-insecure-" + "abcdefghij" * 5):
        with subtests.test(secret=secret):
            said = machine.refused(**{**machine.production, "SECRET_KEY": secret})
            assert "SECRET_KEY" in said
            assert "secrets.token_urlsafe(50)" in said
            assert secret not in said


def test_production_refuses_djangos_debug_pages(machine: Machine) -> None:
    said = machine.refused(**{**machine.production, "DEBUG": "1"})
    assert "Unset DEBUG or PRODUCTION" in said


def test_production_refuses_to_let_staff_in_with_a_password_alone(machine: Machine) -> None:
    said = machine.refused(**{**machine.production, "REQUIRE_SECOND_FACTOR": "0"})
    assert "REQUIRE_SECOND_FACTOR is off in production" in said
    assert machine.read(**machine.production)["REQUIRE_SECOND_FACTOR"] is True


def test_in_production_the_admin_is_where_the_site_is_unless_said_otherwise(
    machine: Machine,
) -> None:
    assert machine.read(**machine.production)["ADMIN_HOSTS"] == ["news.example.org"]
    said = {**machine.production, "ADMIN_HOSTS": "desk.example.org"}
    assert machine.read(**said)["ADMIN_HOSTS"] == ["desk.example.org"]


def test_an_empty_variable_counts_as_unset(machine: Machine) -> None:
    """As compose gives all those that nobody set."""
    of_a_newcomer = machine.read()
    for empty in ("", "  "):
        unset = machine.read(**dict.fromkeys(VARIABLES - {"VAR_DIR"}, empty))
        plain = {name for name, said in unset.items() if isinstance(said, str | int | list | Path)}
        assert len(plain) > 40
        assert {name for name in plain if unset[name] != of_a_newcomer[name]} == set()


@pytest.mark.long
def test_any_nonsense_in_a_production_is_refused_or_harmless(
    machine: Machine, subtests: pytest.Subtests
) -> None:
    """No other exception than the one that becomes a line."""
    for name in sorted(VARIABLES):
        for nonsense in ("\u2603 %zz []://", "-1", "none", "/", "a" * 5000, "\t;'"):
            with (
                subtests.test(name=name, nonsense=nonsense[:20]),
                contextlib.suppress(ImproperlyConfigured),
            ):
                machine.read(**{**machine.production, name: nonsense})


def test_a_variable_under_its_former_name_is_refused_with_the_new_one(
    machine: Machine, subtests: pytest.Subtests
) -> None:
    for former, name in RENAMED_VARIABLES.items():
        with subtests.test(former=former):
            expected = f"{former.upper()} is called {name} now. Set {name} instead."
            assert machine.refused(**{former.upper(): "7"}) == expected
            machine.read(**{former.upper(): ""})
    assert set(RENAMED_VARIABLES.values()) <= VARIABLES


def test_every_variable_that_is_read_is_in_the_administrators_table() -> None:
    table = (ROOT / "docs" / "administration.md").read_text()
    assert len(VARIABLES) > 15
    assert {name for name in VARIABLES if f"`{name}`" not in table} == set()
