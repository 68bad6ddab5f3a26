"""Fixtures of all tests: keys, databases, browsers and the mail catcher."""

import contextlib
import functools
import itertools
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import connection, transaction
from django.test import Client, override_settings
from django.test.client import ClientHandler
from playwright.sync_api import Browser
from pytest_django.fixtures import Settings

from core import fragment_cache, health, heartbeats
from demo.mail_catcher.catcher import Catcher
from keys import sealing
from newsletter.delivery.relays.config import Relay
from newsletter.public import views
from newsletter.subscribers.rate_limit import RateLimiter
from newsroom.celery import app
from newsroom.database_roles import WEB_ROLE
from tests import database_templates
from tests.chromium import running_chromium
from tests.factories import make_user
from tests.newsletter.relays import ScriptedRelay
from tests.on_postgresql import TEMPLATE
from tests.services import ServiceNotInstalled, skip_or_fail
from tests.visitor import Visitor


@pytest.fixture(scope="session", autouse=True)
def keys_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The keys of all tests that do not use `fresh_keys`."""
    folder = tmp_path_factory.mktemp("keys")
    files = [folder / name for name in ("worker.key", "intake.pub", "links.key")]
    sealing.make_keys(*files)
    names = ("WORKER_KEY_FILE", "INTAKE_KEY_FILE", "LINKS_KEY_FILE")
    with override_settings(**dict(zip(names, files, strict=True))):
        yield folder


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """SQLite's file is a copy of the template."""
    return connection.vendor == "sqlite"


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None,
) -> Iterator[None]:
    """Each process starts with a copy of a migrated database."""
    testing = connection.settings_dict["TEST"]
    if connection.vendor != "sqlite":
        testing["TEMPLATE"] = os.environ.get(TEMPLATE)
        yield
        return
    file = Path(testing["NAME"])
    remove_sqlite(file)
    shutil.copy(database_templates.migrated_sqlite(), file)
    yield
    remove_sqlite(file)


def remove_sqlite(file: Path) -> None:
    for ending in ("", "-wal", "-shm"):
        file.with_name(f"{file.name}{ending}").unlink(missing_ok=True)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """transactional_db empties SQLite's tables by DELETE, which the audit's trigger refuses."""
    with django_db_blocker.unblock():
        if connection.vendor == "sqlite":
            with connection.cursor() as cursor:
                cursor.execute("DROP TRIGGER IF EXISTS the_audit_is_final_delete")


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Paths of new folders, one per test."""
    base = tmp_path_factory.mktemp("var")
    return (base / str(number) for number in itertools.count(1))


@pytest.fixture(autouse=True)
def requests_use_the_web_role(monkeypatch: pytest.MonkeyPatch) -> None:
    """On PostgreSQL the test client's requests run as the role newsroom_web."""
    if connection.vendor == "postgresql":
        monkeypatch.setattr(ClientHandler, "__call__", as_web(ClientHandler.__call__))


def as_web(handle: Callable[..., Any]) -> Callable[..., Any]:
    """Not through Django's cursor, so that no test counts the queries."""

    @functools.wraps(handle)
    def handle_as_web(*args: Any, **kwargs: Any) -> Any:
        if connection.connection is None or app.conf.task_always_eager:
            # Without a database, or with the worker in this process.
            return handle(*args, **kwargs)
        connection.connection.execute(f"SET ROLE {WEB_ROLE}")
        try:
            return handle(*args, **kwargs)
        finally:
            if connection.connection is not None:
                with contextlib.suppress(psycopg.Error):
                    connection.connection.execute("RESET ROLE")

    return handle_as_web


@pytest.fixture(autouse=True)
def isolated_state(settings: Settings, folders: Iterator[Path]) -> None:
    """Resets files and process state."""
    folder = next(folders)
    settings.MEDIA_ROOT = folder / "media"
    settings.DEPARTURES_FILE = folder / "departures" / "journal"
    # All tests are one client.
    views.sign_up_limiter = RateLimiter()
    # Results are cached for two seconds.
    health._database_probe = health.Probe(**health._database_probe.checks)
    health._broker_probe = health.Probe(**health._broker_probe.checks)
    heartbeats._last_cached.clear()


@pytest.fixture
def fresh_keys(settings: Settings, tmp_path: Path) -> Path:
    """Keys that the test may change or destroy."""
    folder = tmp_path / "fresh-keys"
    settings.KEYS_DIR = folder
    settings.WORKER_KEY_FILE = folder / "worker.key"
    settings.INTAKE_KEY_FILE = folder / "intake.pub"
    settings.LINKS_KEY_FILE = folder / "links.key"
    sealing.make_keys(settings.WORKER_KEY_FILE, settings.INTAKE_KEY_FILE, settings.LINKS_KEY_FILE)
    return folder


@pytest.fixture
def seal_without_padding() -> Callable[[str, int], bytes]:
    """Encrypts an address without padding, as earlier versions did."""

    def seal(address: str, row: int) -> bytes:
        cipher = sealing.worker_keys()._list_seals[1]
        return b"n" * 12 + cipher.encrypt(b"n" * 12, address.encode(), b"subscriber:%d" % row)

    return seal


@pytest.fixture
def visitor() -> Visitor:
    """A visitor of a web process with an empty cache."""
    fragment_cache.clear()
    return Visitor()


@pytest.fixture
def desk() -> Client:
    """A superuser's browser."""
    client = Client()
    client.force_login(make_user())
    return client


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser per module, for `tests.chromium.BrowserWindow`."""
    with pytest.MonkeyPatch.context() as patch:
        # Playwright runs an event loop in this thread, where Django refuses database access.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        try:
            with running_chromium() as browser:
                yield browser
        except ServiceNotInstalled as missing:
            skip_or_fail(missing)


@pytest.fixture(scope="module")
def shared_rows(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Rows of a module's fixtures; each test's changes are rolled back.

    Not with transactional_db, which would wait for this transaction.
    """
    with django_db_blocker.unblock(), transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.fixture
def without_worker_key(settings: Settings) -> None:
    """As in the web process."""
    settings.WORKER_KEY_FILE = None


@pytest.fixture
def relay(tmp_path: Path, settings: Settings) -> Iterator[Catcher]:
    """An SMTP server that accepts every letter, unless its `moods` say otherwise."""
    with Catcher(tmp_path / "caught", handler=ScriptedRelay) as catcher:
        settings.RELAYS = (Relay.parse(f"smtp://127.0.0.1:{catcher.smtp_port}"),)
        settings.RELAY_TIMEOUT = 5
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", catcher.smtp_port
        ScriptedRelay.replies.clear()
        yield catcher


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few megabytes."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def pytest_configure(config: pytest.Config) -> None:
    """Creates the folder of the tests' SQLite file."""
    settings.VAR_DIR.mkdir(parents=True, exist_ok=True)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Processes that tests start have the real settings."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "newsroom.settings"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slowest first, so that no process runs alone at the end: tests marked long, those with
    module fixtures, then the largest files."""
    sharing = {item.path for item in items if uses_module_fixture(item)}
    long = {item.path for item in items if item.get_closest_marker("long")}
    sizes = {path: path.stat().st_size for path in {item.path for item in items}}
    items.sort(
        key=lambda item: (item.path not in long, item.path not in sharing, -sizes[item.path])
    )


def uses_module_fixture(item: pytest.Item) -> bool:
    """Whether it uses a fixture of module scope."""
    fixtures = item._fixtureinfo.name2fixturedefs.values()  # type: ignore[attr-defined]
    return any(definition.scope == "module" for found in fixtures for definition in found)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Writes a plain summary as the last line."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or config.option.collectonly:
        return
    passed, failed, errors, skipped = (
        len(reporter.stats.get(key, [])) for key in ("passed", "failed", "error", "skipped")
    )
    reporter.write_line(f"{passed} passed, {failed + errors} failed, {skipped} skipped")
