"""Promise 8 with real processes: what one process withdraws is gone from every other at once."""

from __future__ import annotations

import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from demo.process_manager import Process
from tests.newsletter.relays import ScriptedRelay
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

pytestmark = pytest.mark.long

NEWSROOM = """
from tests.articles.newsrooms import make_newsroom
made = make_newsroom()
answer = {"paths": made.paths(), "new": made.new.pk, "other": made.other.pk}
"""
CHANGE = """
from django.utils import timezone
from articles.editorial import workflow as publishing
from articles.models import Article
article = Article.objects.get(pk=int(sys.argv[2]))
if sys.argv[1] == "language":
    answer = publishing.withdraw_language(article, "be", timezone.now(), note="Памылка ў лічбах.")
else:
    answer = publishing.withdraw(article, timezone.now())
"""


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def newsroom(
    request: pytest.FixtureRequest, tmp_path: Path, relay: ScriptedRelay, keys_dir: Path
) -> Iterator[NewsroomProcesses]:
    with ExitStack() as stack:
        stores: Stores = Embedded(tmp_path / "var")
        if request.param == "PostgreSQL":
            try:
                postgresql = stack.enter_context(running_postgresql())
                redis = stack.enter_context(running_redis())
            except ServiceNotInstalled as missing:
                skip_or_fail(missing)
            stores = Servers(postgresql, redis)
        yield stack.enter_context(running_newsroom(tmp_path, stores, relay, keys_dir))


def two_web_processes(newsroom: NewsroomProcesses) -> list[str]:
    """Each with one worker, so that it is known who answers."""
    addresses = []
    for name in ("first", "second"):
        port = free_port()
        command = [sys.executable, "-m", "newsroom.web", "--workers", "1"]
        command += ["--bind", f"127.0.0.1:{port}"]
        environment = newsroom.environment | {"WORKER_KEY_FILE": "none"}
        newsroom.running[name] = Process(name, command, environment, newsroom.log_dir)
        wait_for(lambda port=port: listens(port), f"the {name} web process")
        addresses.append(f"http://127.0.0.1:{port}")
    return addresses


UNNOTICED = """
from django.db import connection, transaction
from articles.models import SiteSettings, SiteVersion
with transaction.atomic():
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
    number = SiteVersion.objects.get().number
    SiteSettings.objects.update(name_be="Unseen")
    SiteVersion.objects.update(number=number)
"""
"""A change that the site's version does not tell of: the triggers are off, or put right."""
CORRECTION = """
from django.utils import timezone
from articles.models import Article
from articles.editorial.saving import save_article
article = Article.objects.get(pk=int(sys.argv[1]))
article.title_be = "Corrected be"
save_article(article, by=article.owner, now=timezone.now())
"""


def fetch(address: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(address, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as answer:
        return answer.code, answer.read().decode()


def test_8_what_is_withdrawn_is_gone_from_what_every_web_process_has_stored(
    newsroom: NewsroomProcesses,
) -> None:
    newsroom.manage("migrate", "--verbosity", "0")
    made = newsroom.python(NEWSROOM)
    sites, paths = two_web_processes(newsroom), made["paths"]

    def everywhere() -> dict[str, tuple[int, str]]:
        return {site + path: fetch(site + path) for site in sites for path in paths}

    def wait_until_gone(words: str, path: str) -> None:
        """Each process notices by itself, within the second that a version is good for."""
        for site in sites:
            wait_for(lambda site=site: words not in fetch(site + path)[1], f"{words} to go")

    before = everywhere()
    telling = {path for path in paths if "New be" in before[sites[0] + path][1]}
    assert len(telling) > 10
    newsroom.python(UNNOTICED)
    assert [site for site, (status, _page) in before.items() if status == 200] == [
        site for site, page in everywhere().items() if page == before[site] and page[0] == 200
    ]

    newsroom.python(CORRECTION, made["new"])
    wait_until_gone("New be", f"/be/{made['new']}/")
    after = everywhere()
    assert not [address for address, (_status, page) in after.items() if "New be" in page]
    assert all("Corrected be" in after[site + path][1] for site in sites for path in telling)

    assert newsroom.python(CHANGE, "language", made["new"])
    wait_until_gone("Corrected be", "/be/")
    after = everywhere()
    for site in sites:
        assert after[f"{site}/be/{made['new']}/"][0] == 410
        assert "Памылка ў лічбах." in after[f"{site}/be/{made['new']}/"][1]
        assert after[f"{site}/en/{made['new']}/"][0] == 200
    assert not [address for address, (_status, page) in after.items() if "Corrected be" in page]

    assert any("Other en" in page for _status, page in after.values())
    assert newsroom.python(CHANGE, "article", made["other"])
    wait_until_gone("Other be", "/be/")
    after = everywhere()
    for title in ("Other be", "Other en", "Other ru"):
        assert not [address for address, (_status, page) in after.items() if title in page]
    assert {after[f"{site}/be/{made['other']}/"][0] for site in sites} == {410}
