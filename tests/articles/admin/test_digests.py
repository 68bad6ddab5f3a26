"""The desk: digests, the masthead, and every page of it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from articles.editorial.digest_builder import build_digest
from articles.editorial.workflow import withdraw
from articles.models import Digest, SiteSettings
from core import languages
from tests.articles.browser import ADD, LIST, change_url, visible_text
from tests.factories import MONDAY_MORNING, WEEK, make_article, make_topic, make_user

pytestmark = pytest.mark.django_db


# --- The digest ----------------------------------------------------------------------

DIGESTS = "/admin/articles/digest/"


def entries(digest: Digest, **changes: Any) -> dict[str, Any]:
    """What the digest's form posts, as its page shows it."""
    rows = list(digest.entries.all())
    posted: dict[str, Any] = {f"introduction_{code}": "" for code in languages.codes()}
    posted |= {"entries-TOTAL_FORMS": len(rows), "entries-INITIAL_FORMS": len(rows)}
    for number, row in enumerate(rows):
        posted |= {
            f"entries-{number}-id": row.pk,
            f"entries-{number}-digest": digest.pk,
            f"entries-{number}-article": row.article_id,
            f"entries-{number}-position": row.position,
        }
    return {**posted, **changes}


def test_a_digest_is_made_from_any_day_of_its_week_and_fills_itself(desk: Client) -> None:
    article = make_article()
    make_article(title="Draft", published_in=())
    desk.post(f"{DIGESTS}add/", {"week": "2026-11-20"})
    digest = Digest.objects.get()
    assert digest.week == WEEK
    assert digest.ordered_articles() == [article]


@pytest.mark.parametrize("week", ["2026-11-16", "", "no day"])
def test_a_digest_without_articles_or_week_is_refused_with_a_reason(
    desk: Client, week: str
) -> None:
    page = desk.post(f"{DIGESTS}add/", {"week": week})
    assert page.status_code == 200
    assert re.search(r"No article of|This field is required|Enter a valid date", visible_text(page))
    assert not Digest.objects.exists()


def test_a_second_digest_of_a_week_is_refused(desk: Client) -> None:
    make_article()
    digest = build_digest(WEEK)
    page = desk.post(f"{DIGESTS}add/", {"week": "2026-11-17"})
    assert "already exists" in visible_text(page)
    assert list(Digest.objects.all()) == [digest]


def test_an_editor_reorders_removes_and_introduces(desk: Client) -> None:
    for number in range(3):
        make_article(title=f"No {number}", topic=make_topic(code=f"t{number}", position=number))
    digest = build_digest(WEEK)
    desk.post(
        change_url(digest),
        entries(
            digest,
            **{
                "entries-0-position": 9,
                "entries-1-DELETE": "on",
                "introduction_be": "Пра тыдзень.",
            },
        ),
    )
    digest.refresh_from_db()
    assert [str(article) for article in digest.ordered_articles()] == ["No 2 en", "No 0 en"]
    assert digest.introduction_in("be") == "Пра тыдзень."


def test_only_the_weeks_public_articles_can_be_chosen(desk: Client) -> None:
    make_article(title="In")
    make_article(title="Draft", published_in=())
    make_article(title="Before", week=WEEK.previous())
    page = desk.get(change_url(build_digest(WEEK))).content.decode()
    offered = set(re.findall(r"<option[^>]*>\s*([^<]+?)\s*</option>", page))
    assert {"In en"} <= offered
    assert not {"Draft en", "Before en"} & offered


def test_a_digest_can_be_saved_though_something_in_it_was_withdrawn(desk: Client) -> None:
    gone = make_article(title="Gone", topic=make_topic(code="a"))
    make_article(title="Stays", topic=make_topic(code="b", position=2))
    digest = build_digest(WEEK)
    withdraw(gone, MONDAY_MORNING)
    answer = desk.post(change_url(digest), entries(digest, introduction_en="Hello."))
    assert answer.status_code == 302
    digest.refresh_from_db()
    assert digest.introduction_in("en") == "Hello."
    assert [str(article) for article in digest.ordered_articles()] == ["Stays en"]


def test_gathering_again_adds_what_came_later_by_a_post_only(desk: Client) -> None:
    make_article()
    digest = build_digest(WEEK)
    make_article(title="Late")
    again = f"{DIGESTS}{digest.pk}/do/gather/"
    assert desk.get(again).status_code == 405
    assert digest.entries.count() == 1
    assert "Articles added: 1." in visible_text(desk.post(again, follow=True))


def test_an_approved_digest_is_read_only(desk: Client) -> None:
    make_article()
    digest = build_digest(WEEK)
    digest.mark_approved(make_user(), MONDAY_MORNING)
    answer = desk.post(change_url(digest), entries(digest, introduction_en="Sneaked in."))
    assert answer.status_code == 403
    desk.post(f"{DIGESTS}{digest.pk}/delete/", {"post": "yes"})
    digest.refresh_from_db()
    assert digest.introduction_in("en") == ""
    page = desk.get(change_url(digest)).content.decode()
    assert 'name="introduction_en"' not in page
    make_article(title="Late")
    told = visible_text(desk.post(f"{DIGESTS}{digest.pk}/do/gather/", follow=True))
    assert "is approved" in told
    assert digest.entries.count() == 1


# --- The rest of the desk ------------------------------------------------------------


def test_the_masthead_is_one_row_that_is_never_deleted(desk: Client) -> None:
    masthead = "/admin/articles/sitesettings/"
    assert desk.get(masthead).headers["Location"] == f"{masthead}add/"
    names = {f"{name}_{code}": "" for code in languages.codes() for name in ("name", "tagline")}
    titles = {f"digest_title_{code}": "" for code in languages.codes()}
    desk.post(f"{masthead}add/", {**names, **titles, "name_be": "Малая газета"})
    assert SiteSettings.current().name_be == "Малая газета"  # type: ignore[attr-defined]
    assert desk.get(masthead).headers["Location"] == f"{masthead}1/change/"
    assert desk.get(f"{masthead}add/").status_code == 403
    assert desk.post(f"{masthead}1/delete/", {"post": "yes"}).status_code == 403


def test_every_page_of_the_desk_opens_and_asks_no_other_host(desk: Client) -> None:
    make_article()
    build_digest(WEEK)
    kinds = ("articles/article", "articles/author", "articles/digest", "articles/topic")
    lists = [f"{kind}/" for kind in (*kinds, "staff/role", "auth/user")]
    own = f"auth/user/{make_user().pk}"
    single = ("", "articles/sitesettings/add/", f"{own}/change/", f"{own}/password/")
    for path in (*single, *lists, *(f"{one}add/" for one in lists)):
        page = desk.get(f"/admin/{path}")
        assert page.status_code == 200, path
        tags = r'<(?:script|link|img|iframe)[^>]*(?:src|href)="([^"]+)"'
        loaded = re.findall(tags, page.content.decode())
        assert [address for address in loaded if re.match(r"(?:https?:)?//", address)] == [], path


def test_no_page_of_the_desk_opens_without_logging_in(client: Client) -> None:
    article = make_article()
    for path in (LIST, ADD, change_url(article), f"{LIST}{article.pk}/do/withdraw/"):
        for ask in (client.get, client.post):
            answer = ask(path)
            assert answer.status_code == 302
            assert answer.headers["Location"].startswith("/admin/login/")
