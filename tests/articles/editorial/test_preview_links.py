"""The real page of what is not public: for the desk, and for whoever was sent a link."""

from __future__ import annotations

import datetime as dt

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client

from articles.editorial import preview_links, workflow
from articles.models import Article, Draft, PreviewLink
from keys import tokens
from keys.tokens import TokenKind
from staff.models import AuditAction, AuditEntry
from tests.articles.browser import analyst_client, change_url, visible_text
from tests.factories import MONDAY_MORNING, make_article, make_user

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


def shared(article: Article, days: int = 3) -> tuple[PreviewLink, str]:
    link = preview_links.create_preview_link(article, days, MONDAY_MORNING, by=article.owner)
    return link, f"/be/preview/{preview_links.preview_token(link)}/"


# --- For the desk --------------------------------------------------------------------


def test_the_desk_sees_the_real_page_in_each_language(desk: Client) -> None:
    article = make_article(published_in=())
    for code, title in (("en", "The budget en"), ("be", "Бюджэт be")):
        page = desk.get(f"/admin/articles/article/{article.pk}/preview/{code}/")
        html = page.content.decode()
        assert f"<h1>{title}</h1>" in html
        assert f'<html lang="{code}">' in html
        assert 'content="noindex, nofollow"' in html
    assert desk.get(f"/admin/articles/article/{article.pk}/preview/xx/").status_code == 404
    assert desk.get(f"/admin/articles/article/{article.pk + 1}/preview/be/").status_code == 404


def test_the_preview_shows_what_was_typed_and_runs_nothing_of_it(desk: Client) -> None:
    article = make_article(published_in=())
    Draft.objects.create(
        owner=make_user(),
        article=article,
        language="be",
        title="Набрана",
        body="<p>Тэкст.</p><script>alert(1)</script>",
        saved_at=MONDAY_MORNING,
    )
    html = desk.get(f"/admin/articles/article/{article.pk}/preview/be/").content.decode()
    assert "<h1>Набрана</h1>" in html
    assert "<script>alert" not in html
    other = analyst_client()
    theirs = other.get(f"/admin/articles/article/{article.pk}/preview/be/").content.decode()
    assert "Набрана" not in theirs, "what others type is theirs"


# --- By a link -----------------------------------------------------------------------


def test_a_link_opens_one_article_without_an_account(client: Client) -> None:
    article, other = make_article(published_in=()), make_article(title="Other", published_in=())
    _link, path = shared(article)
    with time_machine.travel(MONDAY_MORNING + DAY, tick=False):
        page = client.get(path)
        assert page.status_code == 200
        assert "Бюджэт be" in visible_text(page)
        assert "The budget en" in visible_text(client.get(path.replace("/be/", "/en/", 1)))
        assert client.get(other.path_in("be")).status_code == 404
        assert client.get(article.path_in("be")).status_code == 404, "the article stays unpublic"
    assert page.headers["X-Robots-Tag"] == "noindex, nofollow, noarchive"
    assert page.headers["Cache-Control"] == "no-store"
    assert 'content="noindex, nofollow"' in page.content.decode()
    assert 'rel="alternate"' not in page.content.decode()
    assert not page.cookies


def test_a_language_without_a_text_says_so(client: Client) -> None:
    article = make_article(written_in=("en",), published_in=())
    _link, path = shared(article)
    with time_machine.travel(MONDAY_MORNING, tick=False):
        page = client.get(path)
    assert page.status_code == 200
    assert "The budget" not in visible_text(page)


@pytest.mark.parametrize("end", ["over", "revoked", "withdrawn", "deleted"])
def test_a_link_that_is_closed_says_so_and_shows_nothing(client: Client, end: str) -> None:
    article = make_article(published_in=("en",) if end == "withdrawn" else ())
    link, path = shared(article)
    now = MONDAY_MORNING
    if end == "over":
        now += 3 * DAY
    elif end == "revoked":
        link.revoke(MONDAY_MORNING)
    elif end == "withdrawn":
        workflow.withdraw(article, MONDAY_MORNING)
    else:
        article.delete()
    with time_machine.travel(now, tick=False):
        page = client.get(path)
    assert page.status_code == 410
    assert "Бюджэт" not in visible_text(page)


def test_a_forged_link_is_like_any_unknown_page(client: Client) -> None:
    article = make_article(published_in=())
    link, path = shared(article)
    token = preview_links.preview_token(link)
    other_kind = tokens.make_token(TokenKind.LETTER, link.pk, article.pk)
    another_article = tokens.make_token(TokenKind.PREVIEW, link.pk, article.pk + 1)
    with time_machine.travel(MONDAY_MORNING, tick=False):
        for forged in (token[:-1], token + "a", "x", other_kind, "ў" * 45):
            assert client.get(f"/be/preview/{forged}/").status_code == 404
        assert client.get(f"/be/preview/{another_article}/").status_code == 410
        assert client.post(path).status_code == 405


def test_no_token_is_stored() -> None:
    link, _path = shared(make_article(published_in=()))
    token = preview_links.preview_token(link)
    row = PreviewLink.objects.filter(pk=link.pk).values().get()
    assert token not in str(row)
    assert token not in str(list(AuditEntry.objects.values()))


def test_the_form_makes_shows_and_closes_links(desk: Client) -> None:
    article = make_article(published_in=())
    desk.post(f"/admin/articles/article/{article.pk}/share/", {"days": "14"})
    [link] = PreviewLink.objects.all()
    assert link.expires_at - link.made_at == 14 * DAY
    assert AuditEntry.objects.get().action == AuditAction.SHARED
    assert preview_links.preview_url(link, "en") in desk.get(change_url(article)).content.decode()
    desk.post(f"/admin/articles/article/{article.pk}/share/{link.pk}/revoke/")
    assert (
        preview_links.preview_url(link, "en") not in desk.get(change_url(article)).content.decode()
    )
    assert not PreviewLink.objects.open(MONDAY_MORNING).exists()


def test_only_whoever_may_write_an_article_shares_it(desk: Client) -> None:
    article = make_article(published_in=())
    link, _path = shared(article)
    analyst = analyst_client()
    for path in (f"{article.pk}/share/", f"{article.pk}/share/{link.pk}/revoke/"):
        assert analyst.post(f"/admin/articles/article/{path}").status_code == 403
        assert desk.get(f"/admin/articles/article/{path}").status_code == 405
    own = make_article(title="Own", owner=User.objects.get(username="analyst"), published_in=())
    assert analyst.post(f"/admin/articles/article/{own.pk}/share/").status_code == 302
    theirs = f"/admin/articles/article/{own.pk}/share/{link.pk}/revoke/"
    assert analyst.post(theirs).status_code == 404, "a link of another article"
