"""A week that no calendar needs: refused at each way in, and harmless where it got in."""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import json
from collections.abc import Iterator

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.test import Client

from articles.editorial.digest_builder import build_digest
from articles.editorial.importing import ImportOptions, import_articles
from articles.models import Article, Digest
from articles.public.barometer import years_with_verdicts
from core.weeks import Week
from newsletter.campaigns import approval
from tests.articles.browser import ADD, LIST, form_data, visible_text
from tests.factories import MONDAY_MORNING, WEEK, make_article, make_edition, make_topic, make_user

pytestmark = pytest.mark.django_db
TOO_FAR = ("9999-12-27", "9999-12-31", "2100-01-04", "1989-12-31", "0001-01-01")
TABLES = ("articles_article", "articles_digest", "articles_verdictchange", "articles_searchentry")


def test_the_forms_say_which_weeks_there_are_and_keep_what_was_typed(desk: Client) -> None:
    for day in TOO_FAR:
        page = desk.post(ADD, form_data(title_en="Kept", week=day))
        digest = desk.post("/admin/articles/digest/add/", {"week": day})
        assert page.status_code == digest.status_code == 200
        assert "There is no such week here" in visible_text(page)
        assert "There is no such week here" in visible_text(digest)
        assert "2099" in visible_text(page)
        assert 'value="Kept"' in page.content.decode()
    assert not Article.objects.exists()
    assert not Digest.objects.exists()


def test_an_import_and_a_command_say_so_too() -> None:
    for day in ("9999-12-27", "2100-01-04", "1989-12-25"):
        line = json.dumps({"id": "one", "en": ["Title", "Lead."], "week": day})
        report = import_articles([line], ImportOptions(make_user(), MONDAY_MORNING))
        assert "Weeks are 1990-01-01 to 2099-12-28" in report.bad[0][1]
        for verb in ("gather", "approve", "reopen", "report"):
            with pytest.raises(CommandError, match="Weeks are 1990-01-01 to 2099-12-28"):
                call_command("digest", verb, day)


@pytest.mark.parametrize("day", ["1990-01-01", "2099-12-28"])
def test_the_first_and_the_last_week_are_weeks_like_any_other(desk: Client, day: str) -> None:
    make_edition()
    make_article(week=Week.parse(day), verdict="improved")
    make_article(topic=make_topic(code="west"), week=Week.parse(day))
    digest = build_digest(Week.parse(day))
    approval.approve(digest, make_user(), MONDAY_MORNING)
    assert desk.post(ADD, form_data(title_en="Edge", week=day)).status_code == 302
    assert_every_page_is_well(desk, digest)
    assert Client().get(f"/en/weeks/{day}/").status_code == 200


def test_no_address_of_such_a_week_is_a_page(client: Client) -> None:
    for day in ("9999-12-27", "2100-01-04", "0001-01-01", "2026-11-17"):
        assert client.get(f"/en/weeks/{day}/").status_code == 404, day


@pytest.mark.both_databases
def test_the_database_refuses_it() -> None:
    rows()
    for table, day in itertools.product(TABLES[:3], ("9999-12-27", "1989-12-25")):
        with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"UPDATE {table} SET week = %s", [day])


# --- A row that got past all that ----------------------------------------------------------


def rows() -> Digest:
    """An article that is out and whose verdict has changed since, beside a good one."""
    make_edition()
    broken = make_article(verdict="improved")
    make_article(topic=make_topic(code="west"), verdict="worsened", title="Good")
    broken.verdict_changes.create(
        topic=broken.topic, week=WEEK, was="worsened", changed_at=MONDAY_MORNING
    )
    return build_digest(WEEK)


@contextlib.contextmanager
def constraints_off() -> Iterator[None]:
    """As on a database that somebody repaired by hand."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA ignore_check_constraints = ON")
            yield
            cursor.execute("PRAGMA ignore_check_constraints = OFF")
            return
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        names = {
            "articles_article": "an_articles_week_is_near",
            "articles_digest": "a_digests_week_is_near",
            "articles_verdictchange": "a_verdicts_week_is_near",
        }
        for table, name in names.items():
            cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
        yield


def assert_every_page_is_well(desk: Client, digest: Digest) -> None:
    """Every list, and the pages of the rows themselves."""
    article = Article.objects.order_by("pk").first()
    assert article is not None
    public = [
        *("/", "/en/", "/en/weeks/", "/en/topics/elite/", "/en/topics/west/", "/en/feed.xml"),
        *("/en/sitemap.xml", "/en/news.xml", "/sitemap.xml", "/en/search/", "/en/barometer/"),
        *("/en/barometer/all.json", "/en/barometer/all.csv"),
        *(f"/en/barometer/{year}/" for year in years_with_verdicts()),
        article.path_in("en"),
    ]
    inside = [
        *("/admin/", LIST, f"{LIST}?week={WEEK}", f"{LIST}{article.pk}/change/"),
        *("/admin/articles/digest/", f"/admin/articles/digest/{digest.pk}/change/"),
        f"/admin/articles/digest/{digest.pk}/do/approve/",
        "/admin/newsletter/mailing/",
    ]
    there = {public[0], public[1], public[2], public[4], public[-1]}
    visitor = Client()
    for path in public:
        answer = visitor.get(path, follow=True)
        assert answer.status_code in ({200} if path in there else {200, 404}), path
    for path in inside:
        assert desk.get(path, follow=True).status_code == 200, path


@pytest.mark.both_databases
@pytest.mark.parametrize(
    ("table", "day"),
    [
        # Of one table in both tiers: the pages are the same.
        pytest.param(table, day, marks=[pytest.mark.long] if place else [])
        for place, (table, day) in enumerate(
            zip(TABLES, itertools.cycle(["9999-12-27", "0001-01-01"]), strict=False)
        )
    ],
)
def test_one_broken_row_takes_no_list_and_no_page_down(desk: Client, table: str, day: str) -> None:
    digest = rows()
    with constraints_off(), connection.cursor() as cursor:
        cursor.execute(f"SELECT min(id) FROM {table}")
        cursor.execute(f"UPDATE {table} SET week = %s WHERE id = %s", [day, cursor.fetchone()[0]])
    assert_every_page_is_well(desk, digest)
    for path in ("/en/", "/en/topics/west/"):
        assert "Good" in Client().get(path).content.decode()


@pytest.mark.both_databases
def test_a_broken_row_reads_as_the_nearest_week_and_saving_it_mends_it() -> None:
    article = make_article()
    with constraints_off(), connection.cursor() as cursor:
        cursor.execute("UPDATE articles_article SET week = '9999-12-27'")
    found = Article.objects.get(pk=article.pk)
    assert str(found.week) == "2099-12-28"
    found.save()
    with connection.cursor() as cursor:
        cursor.execute("SELECT week FROM articles_article")
        stored = cursor.fetchone()[0]
    assert stored in {"2099-12-28", dt.date(2099, 12, 28)}
