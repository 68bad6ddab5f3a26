"""An address that an article had elsewhere leads to the one that it has here."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from django.test import Client

from articles import old_paths
from articles.editorial import workflow
from articles.editorial.importing import ImportOptions, import_articles
from articles.models import Article
from tests.articles.browser import ADD, change_url, form_data, form_data_of, visible_text
from tests.factories import MONDAY_MORNING, make_article, make_user

pytestmark = pytest.mark.django_db
OLD = "/2019/05/навіны.html"


def led_to(client: Client, path: str, **headers: str) -> str:
    answer = client.get(path, headers=headers)
    assert answer.status_code == 301, path
    return str(answer.headers["Location"])


def test_an_old_path_leads_to_the_article_however_it_is_written(client: Client) -> None:
    article = make_article(old_path=OLD)
    others = f"{OLD}/", quote(OLD), f"{OLD}?utm_source=x", "/2019/05/%D0%BDавіны.html"
    for asked in (OLD, *others):
        assert led_to(client, asked) == article.path_in("en")
        assert client.head(asked).status_code == 301
        assert client.post(asked).status_code == 404


def test_an_old_path_may_be_told_by_its_query(client: Client) -> None:
    first = make_article(old_path="/index.php?id=5", title="One")
    second = make_article(old_path="/index.php?id=6", title="Two")
    assert led_to(client, "/index.php?id=5") == first.path_in("en")
    assert led_to(client, "/index.php?id=6") == second.path_in("en")
    assert client.get("/index.php?id=7").status_code == 404
    assert client.get("/index.php").status_code == 404


def test_it_leads_to_the_language_of_the_old_path_or_the_nearest_there_is(client: Client) -> None:
    article = make_article(old_path="/be/2019/05/x.html", published_in=("en", "ru"))
    assert led_to(client, "/be/2019/05/x.html") == article.path_in("ru")
    workflow.publish(article, "be", MONDAY_MORNING)
    assert led_to(client, "/be/2019/05/x.html") == article.path_in("be")


def test_a_draft_is_not_betrayed_and_what_was_withdrawn_says_so(client: Client) -> None:
    article = make_article(old_path=OLD, published_in=())
    assert client.get(OLD).status_code == 404
    workflow.publish(article, "be", MONDAY_MORNING)
    workflow.withdraw(article, MONDAY_MORNING)
    answer = client.get(OLD, follow=True)
    assert answer.status_code == 410
    assert len(answer.redirect_chain) == 1


def test_it_never_leads_to_another_site_and_never_in_a_circle(client: Client) -> None:
    make_article(old_path=OLD)
    host = "attacker.example:8443"
    for path in (OLD, f"{OLD}?next=https://attacker.example/", f"{OLD}//attacker.example"):
        answer = client.get(path, headers={"host": host})
        if answer.status_code == 301:
            assert answer.headers["Location"].startswith("/en/")
    followed = client.get(OLD, headers={"host": host}, follow=True)
    assert [status for _path, status in followed.redirect_chain] == [301]
    assert followed.status_code == 200


def test_a_page_of_ours_is_asked_about_no_old_path(
    client: Client, django_assert_num_queries: object
) -> None:
    """A row that stands in the way, however it came there, changes nothing."""
    article = make_article()
    Article.objects.filter(pk=article.pk).update(old_path="/en/weeks")
    assert client.get("/en/weeks/").status_code == 200


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("/a/b/", "/a/b"),
        ("  /a/b.html#part ", "/a/b.html"),
        ("https://old.example/a/b?id=5", "/a/b?id=5"),
        ("//old.example/a", "/a"),
        ("/%D0%BD%D0%B0%D0%B2%D1%96%D0%BD%D1%8B", "/навіны"),
        ("https://old.example/?p=12", "/?p=12"),
    ],
)
def test_a_whole_address_may_be_typed(written: str, kept: str) -> None:
    if kept.startswith("/?"):
        # Our own first page answers there, whatever the query says.
        with pytest.raises(old_paths.InvalidOldPath, match="itself answers"):
            old_paths.normalize(written)
    else:
        assert old_paths.normalize(written) == kept


@pytest.mark.parametrize(
    "written",
    [
        *("/", "", "a/b", "javascript:alert(1)", "/a\0b", "/a%00b", "/a%0Ab", "/" + "a" * 400),
        *("/be/", "/be", "/be/weeks", "/be/307/slug", "/be/subscribe/", "/media/x.png"),
        *("/admin", "/admin/x", "/static/site.css", "/healthz", "http://[broken/a"),
    ],
)
def test_what_cannot_be_an_old_path_is_refused(written: str) -> None:
    with pytest.raises(old_paths.InvalidOldPath):
        old_paths.normalize(written)


# --- At the desk, and in an import -------------------------------------------------------


def test_the_desk_keeps_it_and_says_what_is_wrong(desk: Client, client: Client) -> None:
    article = make_article()
    desk.post(change_url(article), form_data_of(article, old_path=f"https://old.example{OLD}"))
    article.refresh_from_db()
    assert article.old_path == OLD
    assert led_to(client, OLD) == article.path_in("en")
    refused = desk.post(change_url(article), form_data_of(article, old_path="/be/weeks/"))
    assert "This site itself answers at" in visible_text(refused)
    second = desk.post(ADD, form_data(title_be="Другі", old_path=OLD))
    assert "Another article has this old path." in visible_text(second)


def test_an_import_keeps_it(client: Client) -> None:
    def line(number: int, path: object) -> str:
        return json.dumps({"id": f"old-{number}", "be": ["Бюджэт", "Л.", "Т."], "old_path": path})

    paths = [f"https://old.example{OLD}", OLD, "/be/weeks/", 5, "", None]
    lines = [line(number, path) for number, path in enumerate(paths)]
    report = import_articles(lines, ImportOptions(owner=make_user(), now=MONDAY_MORNING))
    assert [number for number, _why in report.bad] == [2, 3, 4]
    assert "Another article has this old path." in report.bad[0][1]
    kept = Article.objects.order_by("imported_as").values_list("imported_as", "old_path")
    assert list(kept) == [("old-0", OLD), ("old-4", ""), ("old-5", "")]
