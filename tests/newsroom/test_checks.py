"""What an administrator gets wrong is named by an id and a hint, and the table has them all."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from django.core import checks
from pytest_django.fixtures import Settings

from keys.sealing import make_keys
from newsletter.bounces.mailbox_config import Mailbox
from newsletter.checks import check_senders
from newsletter.delivery.relays.config import Relay
from newsroom import checks as house
from newsroom.checks import is_local_network, is_public_hostname
from tests.factories import make_edition
from tests.newsroom.production import ROOT, environment, manage, worker_environment

ID = re.compile(r"(?:newsroom|newsletter)\.[EW]\d{3}")


def ids(found: object) -> list[str | None]:
    return [message.id for message in found]  # type: ignore[attr-defined]


@pytest.fixture
def production(settings: Settings, tmp_path: Path) -> Settings:
    """Nothing is wrong with it."""
    settings.PRODUCTION = True
    settings.SITE_URL = "https://news.example.org"
    settings.ALLOWED_HOSTS = ["*"]
    settings.ADMIN_HOSTS = ["news.example.org"]
    settings.BOUNCE_DOMAIN = "bounces.example.org"
    settings.RELAYS = (Relay.parse("smtps://relay.example.org"),)
    settings.KEYS_DIR = tmp_path
    return settings


@pytest.mark.parametrize("process", [environment, worker_environment])
def test_a_right_production_passes_every_check(tmp_path: Path, process: object) -> None:
    env = process(tmp_path)  # type: ignore[operator]
    done = manage(env, "check", "--deploy", "--fail-level", "WARNING")
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout


def test_a_wrong_production_is_told_what_is_wrong(tmp_path: Path) -> None:
    """As an administrator meets it, who starts the migrations with it."""
    wrong = {
        "SITE_URL": "http://localhost",
        "ALLOWED_HOSTS": "other.example.org",
        "ADMIN_HOSTS": "desk.example.org",
        "BOUNCE_DOMAIN": "",
        "RELAY_URL": "smtp://user:hunter2@relay.example.org",
        "INTAKE_KEY_FILE": "/nonexistent/intake.pub",
        "DATABASE_URL": "",
        "BROKER_URL": "",
        "STATIC_ROOT": "/nonexistent",
    }
    done = manage({**environment(tmp_path), **wrong}, "migrate")
    assert done.returncode == 1
    numbers = {*range(1, 4), 5, 10, 11, 20, 40, 41, 43}
    assert {f"newsroom.E{number:03}" for number in numbers} <= set(ID.findall(done.stderr))
    assert done.stderr.count("HINT: ") >= len(numbers)
    assert "Traceback" not in done.stderr
    assert "hunter2" not in done.stderr + done.stdout


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://news.example.org", []),
        ("http://news.example.org", ["newsroom.E001"]),
        ("http://abcdefghijklmnop.onion", []),
        ("https://198.51.100.7", ["newsroom.E002"]),
        ("https://[2001:db8::7]", ["newsroom.E002"]),
        ("https://newsroom", ["newsroom.E002"]),
        ("http://newsroom.local:8000", ["newsroom.E001", "newsroom.E002"]),
    ],
)
def test_the_sites_address_is_public_and_safe(
    production: Settings, url: str, expected: list[str]
) -> None:
    production.SITE_URL = url
    assert ids(house.site_address()) == expected


@pytest.mark.parametrize(
    ("allowed", "fits"),
    [
        (["*"], True),
        (["news.example.org"], True),
        ([".example.org"], True),
        ([".news.example.org"], True),
        (["example.org"], False),
        (["news.example.com", ".example.com"], False),
    ],
)
def test_the_site_answers_under_its_own_name(
    production: Settings, allowed: list[str], fits: bool
) -> None:
    production.ALLOWED_HOSTS = allowed
    assert ids(house.site_address()) == ([] if fits else ["newsroom.E003"])


@pytest.mark.parametrize(
    ("hosts", "allowed", "expected"),
    [
        (["desk.example.org"], ["*"], []),
        (["desk.example.org", ".desk.example.org"], [".example.org"], []),
        (["desk.example.org"], ["news.example.org"], ["newsroom.E005"]),
        (["*"], ["*"], ["newsroom.E004"]),
        (["desk.example.org", "*"], ["*"], ["newsroom.E004"]),
    ],
)
def test_the_admin_answers_under_names_of_its_own(
    production: Settings, hosts: list[str], allowed: list[str], expected: list[str]
) -> None:
    production.ADMIN_HOSTS, production.ALLOWED_HOSTS = hosts, allowed
    assert ids(house.admin_hosts()) == expected


@pytest.mark.parametrize(
    ("relay", "expected"),
    [
        ("smtps://relay.example.org", []),
        ("smtp+starttls://relay.example.org", []),
        ("smtp://postfix", []),
        ("smtp://127.0.0.1", []),
        ("smtp://10.0.0.5", []),
        ("smtp://relay.example.org", ["newsroom.E011"]),
        ("smtp://9.9.9.9", ["newsroom.E011"]),
    ],
)
def test_addresses_never_cross_the_net_in_clear(
    production: Settings, relay: str, expected: list[str]
) -> None:
    production.RELAYS = (Relay.parse(relay),)
    assert ids(house.mail_settings()) == expected


@pytest.mark.parametrize(
    ("mailbox", "expected"),
    [
        ("imap://bounces@127.0.0.1", []),
        ("imaps://bounces@mail.example.org", []),
        ("imap://bounces@mail.example.org", ["newsroom.E012"]),
    ],
)
def test_bounces_never_cross_the_net_in_clear(
    production: Settings, mailbox: str, expected: list[str]
) -> None:
    production.BOUNCE_MAILBOX = Mailbox.parse(mailbox)
    assert ids(house.mail_settings()) == expected


def test_a_newcomers_machine_is_not_measured_by_production(settings: Settings) -> None:
    settings.KEYS_DIR = settings.VAR_DIR
    settings.INTAKE_KEY_FILE = settings.LINKS_KEY_FILE = settings.WORKER_KEY_FILE = Path("/none")
    assert not settings.PRODUCTION
    assert [message for check in house.ALL_CHECKS for message in check()] == []


@pytest.fixture
def worker_keys(production: Settings, tmp_path: Path) -> Path:
    """A set of its own, to be spoilt."""
    folder = tmp_path / "spoilt"
    make_keys(folder / "worker.key", folder / "intake.pub", folder / "links.key")
    production.WORKER_KEY_FILE = folder / "worker.key"
    production.INTAKE_KEY_FILE = folder / "intake.pub"
    production.LINKS_KEY_FILE = folder / "links.key"
    assert ids(house.keys()) == []
    return folder


@pytest.mark.parametrize(
    ("name", "mode", "safe"),
    [
        ("worker.key", 0o400, True),
        ("worker.key", 0o640, False),
        ("worker.key", 0o604, False),
        ("links.key", 0o640, True),
        ("links.key", 0o660, False),
        ("links.key", 0o644, False),
        ("intake.pub", 0o644, True),
        ("intake.pub", 0o664, False),
        ("intake.pub", 0o646, False),
    ],
)
def test_a_key_that_others_can_read_or_change_is_named(
    worker_keys: Path, name: str, mode: int, safe: bool
) -> None:
    """The intake key is public, but whoever swaps it reads the sign-ups."""
    (worker_keys / name).chmod(mode)
    assert ids(house.keys()) == ([] if safe else ["newsroom.E021"])


@pytest.mark.parametrize("name", ["worker.key", "links.key", "intake.pub"])
@pytest.mark.parametrize("contents", ["", "1:c2hvcnQ=", "not base64 at all"])
def test_a_damaged_key_is_named(worker_keys: Path, name: str, contents: str) -> None:
    (worker_keys / name).write_text(contents)
    assert ids(house.keys()) == ["newsroom.E022"]


@pytest.mark.parametrize("name", ["worker.key", "links.key", "intake.pub"])
def test_a_missing_key_is_named(worker_keys: Path, name: str) -> None:
    (worker_keys / name).unlink()
    assert ids(house.keys()) == ["newsroom.E020"]


def test_an_intake_key_of_another_pair_is_named(worker_keys: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    make_keys(other / "worker.key", other / "intake.pub", other / "links.key")
    shutil.copy(other / "intake.pub", worker_keys)
    assert ids(house.keys()) == ["newsroom.E023"]


def test_an_intake_key_of_an_older_generation_is_ours(worker_keys: Path) -> None:
    """What was sealed for it can still be opened."""
    worker = worker_keys / "worker.key"
    worker.write_text(worker.read_text() + f"2:{'B' * 43}=\n")
    assert ids(house.keys()) == []


def test_a_worker_key_that_another_process_can_read_is_named(
    worker_keys: Path, production: Settings
) -> None:
    production.WORKER_KEY_FILE = None
    assert ids(house.keys()) == ["newsroom.E024"]


def test_a_language_without_formats_or_catalogue_is_named(settings: Settings) -> None:
    settings.LANGUAGES = [*settings.LANGUAGES, ("qqq", "Nobody's")]
    assert ids(house.language_settings()) == ["newsroom.E030", "newsroom.E033"]


def test_a_default_language_must_be_one_of_them(settings: Settings) -> None:
    settings.LANGUAGE_CODE = "en-gb"
    assert ids(house.language_settings()) == ["newsroom.E031"]


def test_nearest_languages_must_be_some_of_them(settings: Settings) -> None:
    settings.NEAREST_LANGUAGES = {"be": ["ru", "uk"]}
    assert ids(house.language_settings()) == ["newsroom.E032"]


def test_a_cache_of_each_process_alone_is_named(production: Settings, tmp_path: Path) -> None:
    production.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    assert "newsroom.E042" in ids(house.services())


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("week@example.org", []),
        ("week@news.example.org", []),
        ("week@localhost.localdomain.test", ["newsletter.W001"]),
        ("week@newsroom.example", ["newsletter.W001"]),
        ("week@elsewhere.org", ["newsletter.W002"]),
    ],
)
def test_an_editions_sender_can_be_answered_and_believed(
    production: Settings, address: str, expected: list[str]
) -> None:
    production.BOUNCE_DOMAIN = "news.example.org"
    make_edition(sender_address=address)
    assert ids(check_senders(databases=["default"])) == expected


@pytest.mark.django_db
def test_the_database_is_asked_only_when_it_may_be(production: Settings) -> None:
    make_edition(sender_address="week@newsroom.example")
    assert ids(check_senders(databases=None)) == []
    found = checks.run_checks(tags=[checks.Tags.database], databases=["default"])
    assert "newsletter.W001" in ids(found)


@pytest.mark.parametrize(
    ("host", "public", "near"),
    [
        ("example.org", True, False),
        ("EXAMPLE.ORG.", True, False),
        ("localhost", False, True),
        ("redis", False, True),
        ("mail.internal", False, True),
        ("192.168.1.1", False, True),
        ("9.9.9.9", False, False),
        ("::1", False, True),
    ],
)
def test_a_name_is_for_the_world_or_for_our_own_network(
    host: str, public: bool, near: bool
) -> None:
    assert is_public_hostname(host) == public
    assert is_local_network(host) == near


def test_the_table_lists_every_check_and_no_other() -> None:
    told = set()
    for module in ("newsroom/checks.py", "newsroom/database_roles.py", "newsletter/checks.py"):
        told |= set(ID.findall((ROOT / module).read_text()))
    assert len(told) > 15
    documented = (ROOT / "docs" / "administration.md").read_text()
    rows = re.findall(r"^\| `([a-z]+\.[EW]\d{3})` \|", documented, re.MULTILINE)
    assert len(rows) == len(set(rows))
    assert set(rows) == told
