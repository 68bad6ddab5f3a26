"""What every test stands on: keys of its own, and nothing outside the temporary folder."""

import contextlib
import functools
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from django.test.client import ClientHandler
from playwright.sync_api import Browser
from pytest_django.fixtures import Settings
from whitenoise.middleware import WhiteNoiseMiddleware

from newsletter.pacing import Pace
from newsroom import health, page_cache, sealing
from newsroom.celery import app
from newsroom.database_roles import WEB
from newsroom.mailcatcher.catcher import Catcher
from newsroom.relays import Relay
from tests import prepared
from tests.browsing import running_chromium
from tests.newsletter.relays import Moody
from tests.on_postgresql import TEMPLATE
from tests.services import Missing, skip_or_fail
from tests.visiting import Visitor


@pytest.fixture(scope="session")
def keys_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    sealing.make_keys(folder / "worker.key", folder / "intake.pub", folder / "links.key")
    return folder


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """SQLite's file is a copy, which is to be found and not made."""
    return connection.vendor == "sqlite"


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None,
) -> Iterator[None]:
    """Each process begins with a copy of a migrated database, on which `migrate` finds no work."""
    testing = connection.settings_dict["TEST"]
    if connection.vendor != "sqlite":
        testing["TEMPLATE"] = os.environ.get(TEMPLATE)
        yield
        return
    file = Path(testing["NAME"])
    remove_sqlite(file)
    shutil.copy(prepared.migrated_sqlite(), file)
    yield
    remove_sqlite(file)


def remove_sqlite(file: Path) -> None:
    for ending in ("", "-wal", "-shm"):
        file.with_name(f"{file.name}{ending}").unlink(missing_ok=True)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """Between tests with transactions SQLite's tables are emptied by DELETE, the audit's too."""
    with django_db_blocker.unblock():
        if connection.vendor == "sqlite":
            with connection.cursor() as cursor:
                cursor.execute("DROP TRIGGER IF EXISTS the_audit_is_final_delete")


@pytest.fixture(autouse=True)
def requests_have_the_rights_of_the_web_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """On PostgreSQL whatever a test's client asks for is done as the role newsroom_web."""
    if connection.vendor == "postgresql":
        monkeypatch.setattr(ClientHandler, "__call__", as_web(ClientHandler.__call__))


def as_web(handle: Callable[..., Any]) -> Callable[..., Any]:
    """Past Django's own cursor, so that no test counts these two."""

    @functools.wraps(handle)
    def handle_as_web(*args: Any, **kwargs: Any) -> Any:
        if connection.connection is None or app.conf.task_always_eager:
            # A test without a database, or one where the worker is in the same process.
            return handle(*args, **kwargs)
        connection.connection.execute(f"SET ROLE {WEB}")
        try:
            return handle(*args, **kwargs)
        finally:
            if connection.connection is not None:
                with contextlib.suppress(psycopg.Error):
                    connection.connection.execute("RESET ROLE")

    return handle_as_web


@pytest.fixture(autouse=True)
def own_keys(settings: Settings, keys_dir: Path, tmp_path: Path) -> None:
    settings.WORKER_KEY_FILE = keys_dir / "worker.key"
    settings.INTAKE_KEY_FILE = keys_dir / "intake.pub"
    settings.LINKS_KEY_FILE = keys_dir / "links.key"
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.JOURNAL_FILE = tmp_path / "departures" / "journal"


@pytest.fixture
def fresh_keys(settings: Settings, tmp_path: Path) -> Path:
    """A set of a test's own, to be changed or destroyed."""
    folder = tmp_path / "fresh-keys"
    settings.KEYS_DIR = folder
    settings.WORKER_KEY_FILE = folder / "worker.key"
    settings.INTAKE_KEY_FILE = folder / "intake.pub"
    settings.LINKS_KEY_FILE = folder / "links.key"
    sealing.make_keys(settings.WORKER_KEY_FILE, settings.INTAKE_KEY_FILE, settings.LINKS_KEY_FILE)
    return folder


@pytest.fixture
def sealed_unpadded() -> Callable[[str, int], bytes]:
    """Seals an address for a row as it was done before addresses were padded."""

    def seal(address: str, row: int) -> bytes:
        cipher = sealing.worker_keys()._list_seals[1]
        return b"n" * 12 + cipher.encrypt(b"n" * 12, address.encode(), b"subscriber:%d" % row)

    return seal


@pytest.fixture(autouse=True)
def nobody_has_signed_up_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """All tests of a process are one client, which soon would be too fast."""
    monkeypatch.setattr("newsletter.views.pace", Pace())


@pytest.fixture(autouse=True)
def nobody_has_asked_how_we_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer is good for two seconds, which is longer than most tests; so is a sign of life."""
    for name in ("_store", "_engine"):
        monkeypatch.setattr(health, name, health.Probe(**getattr(health, name).checks))
    monkeypatch.setattr("newsroom.heartbeats._shown", {})


@pytest.fixture
def visitor() -> Visitor:
    """Of a web process that has stored nothing yet."""
    page_cache.forget_parts()
    return Visitor()


@pytest.fixture(autouse=True)
def quick_passwords(settings: Settings) -> None:
    """The real hasher is slow on purpose; no test is about it."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(scope="session", autouse=True)
def static_files_looked_up_once() -> Iterator[None]:
    """Every test's client makes the middleware anew, which walks through 1,400 files each time.

    That was two thirds of what a request cost.
    """
    walk = WhiteNoiseMiddleware.add_files_from_finders
    known: dict[object, dict[str, Any]] = {}

    def remembered(self: Any) -> None:
        about = (self.static_prefix, self.max_age, self.allow_all_origins, self.charset)
        if about not in known:
            walk(self)
            known[about] = self.files
        self.files = {**self.files, **known[about]}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WhiteNoiseMiddleware, "add_files_from_finders", remembered)
        yield


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser for a module's tests; its pages are for `tests.browsing.Visitor`."""
    with pytest.MonkeyPatch.context() as patch:
        # Playwright keeps an event loop in this thread, in which Django refuses its database.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        try:
            with running_chromium() as browser:
                yield browser
        except Missing as missing:
            skip_or_fail(missing)


@pytest.fixture
def without_worker_key(settings: Settings) -> None:
    """As in the web process."""
    settings.WORKER_KEY_FILE = None


@pytest.fixture
def relay(tmp_path: Path, settings: Settings) -> Iterator[Catcher]:
    """Takes every letter, unless its `moods` say otherwise."""
    with Catcher(tmp_path / "caught", handler=Moody) as catcher:
        settings.RELAYS = (Relay.parse(f"smtp://127.0.0.1:{catcher.smtp_port}"),)
        settings.RELAY_TIMEOUT = 5
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", catcher.smtp_port
        Moody.moods.clear()
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
    """A fresh clone has no folder yet for the tests' SQLite file."""
    settings.VAR_DIR.mkdir(parents=True, exist_ok=True)


LONGEST_FIRST = (
    "test_seizure.py",
    "test_faults.py",
    "newsroom/test_migrating.py",
    "test_demo_run.py",
    "test_documents.py",
    "articles/test_crawling.py",
    "stack/test_whole_digest.py",
    "staff/test_processes.py",
    "test_interruptions.py",
    "articles/test_editor.py",
    "articles/test_barometer_in_a_browser.py",
    "test_in_a_browser.py",
    "test_watching_over.py",
    "test_bad_addresses.py",
    "newsroom/test_starting.py",
    "newsroom/test_checks.py",
)
"""Modules that take longest, so that at the end no process works on one alone."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those first, and then whatever has most tests; within a module nothing changes."""
    tests = Path(__file__).parent
    modules = Counter(item.path for item in items)
    first = {tests / name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: (first.get(item.path, len(first)), -modules[item.path]))


def pytest_unconfigure(config: pytest.Config) -> None:
    """The very last line is a plain one."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or config.option.collectonly:
        return
    passed, failed, errors, skipped = (
        len(reporter.stats.get(key, [])) for key in ("passed", "failed", "error", "skipped")
    )
    reporter.write_line(f"{passed} passed, {failed + errors} failed, {skipped} skipped")
