"""Authentication in two web processes that share database and cache only."""

from __future__ import annotations

import http.cookiejar
import itertools
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlencode

import pytest

from demo.mail_catcher.catcher import Catcher
from demo.process_manager import Process
from tests.newsroom_processes import Embedded, NewsroomProcesses, Servers, Stores, running_newsroom
from tests.services import (
    ServiceNotInstalled,
    free_port,
    listens,
    running_postgresql,
    running_redis,
    skip_or_fail,
    wait_for,
)

pytestmark = [pytest.mark.real_clock, pytest.mark.long]
HOST, PASSWORD = "desk.example.org", "zhurauli-lyatsyats-9"
TOKEN = r'csrfmiddlewaretoken" value="(\w+)'
WRONG, TOO_MANY = "do not fit together", "Too many attempts"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("house")


@pytest.fixture(scope="module", params=["embedded", "servers"])
def stores(request: pytest.FixtureRequest, folder: Path) -> Iterator[Stores]:
    """SQLite, or PostgreSQL and Redis."""
    if request.param == "embedded":
        yield Embedded(folder / "embedded" / "var")
        return
    try:
        with running_postgresql() as postgresql, running_redis() as redis:
            yield Servers(postgresql, redis)
    except ServiceNotInstalled as missing:
        skip_or_fail(missing)


@pytest.fixture(scope="module")
def ports(folder: Path, stores: Stores, keys_dir: Path) -> Iterator[tuple[int, int]]:
    """Two web processes of one house."""
    folder = folder / type(stores).__name__.lower()
    with (
        Catcher(folder / "caught") as relay,
        running_newsroom(folder, stores, relay, keys_dir) as built,
    ):
        built.environment |= {"ADMIN_HOSTS": HOST, "DJANGO_SUPERUSER_PASSWORD": PASSWORD}
        for name in ("editor", "another"):
            built.manage(
                *("createsuperuser", "--noinput", "--username", name, "--email", "e@example.org")
            )
        found = free_port(), free_port()
        for port in found:
            built.running[f"web-{port}"] = serving(built, port)
        for port in found:
            wait_for(lambda port=port: listens(port), "a web process")
        yield found


def serving(built: NewsroomProcesses, port: int) -> Process:
    command = ["python", "-m", "newsroom.web", "--bind", f"127.0.0.1:{port}", "--workers", "1"]
    return Process(f"web-{port}", command, built.environment, built.log_dir)


class Browser:
    """Keeps its cookies, and says what a page said."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        jar = http.cookiejar.CookieJar(http.cookiejar.DefaultCookiePolicy())
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))

    def ask(self, path: str, form: dict[str, str] | None = None, **headers: str) -> tuple[int, str]:
        request = urllib.request.Request(
            self.url + path,
            urlencode(form).encode() if form else None,
            {"Host": HOST, "Accept-Language": "en", **headers},
        )
        try:
            with self._opener.open(request, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def give_password(self, password: str, name: str = "editor") -> str:
        found = re.search(TOKEN, self.ask("/admin/account/login/")[1])
        assert found
        form = {"login": name, "password": password, "csrfmiddlewaretoken": found[1]}
        return self.ask("/admin/account/login/", form)[1]


def test_no_request_header_bypasses_authentication(ports: tuple[int, int]) -> None:
    port, _other = ports
    mirror = {"Host": "mirror.example"}
    browser = Browser(port)
    assert "Set up your second factor" in browser.give_password(PASSWORD, "another")
    headers = ({}, {"SCRIPT_NAME": "/x"}, {"PATH_INFO": "/admin/account/login/"})
    for header in headers:
        for path in ("/admin/account/login/", "/x/admin/account/login/", "/x"):
            assert Browser(port).ask(path, None, **mirror, **header)[0] == 404, (path, header)
        for path in ("/admin/auth/user/", "/x/admin/auth/user/", "/x"):
            assert "Select user" not in browser.ask(path, None, **header)[1]


def test_wrong_passwords_at_two_processes_are_counted_together(
    ports: tuple[int, int],
) -> None:
    """The last of the module: afterwards nobody gets in."""
    targets = itertools.islice(itertools.cycle(ports), 16)
    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(lambda port: Browser(port).give_password("rubbish"), targets))
    assert 1 <= sum(WRONG in page for page in said) <= 5
    assert all(WRONG in page or TOO_MANY in page for page in said)
    for port in ports:
        assert TOO_MANY in Browser(port).give_password(PASSWORD)
