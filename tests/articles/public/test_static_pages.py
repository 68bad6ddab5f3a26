"""About and privacy: written in the admin, read in each language that they are written in."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client

from articles.editorial.image_uploads import is_picture_used
from articles.models import Page
from articles.public.static_pages import page_links, save_page
from core import languages
from staff.models import AuditAction, AuditEntry
from tests.articles.browser import analyst_client, change_url, visible_text
from tests.factories import MONDAY_MORNING, make_edition, make_page, make_picture, make_user
from tests.html_pages import normalize_html

pytestmark = pytest.mark.django_db
ADD, LIST = "/admin/articles/page/add/", "/admin/articles/page/"
LATER = MONDAY_MORNING + dt.timedelta(days=2)


def read(client: Client, path: str, status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status, path
    return normalize_html(answer.content.decode())


def form(page: Page | None = None, **typed: Any) -> dict[str, Any]:
    """As the form of that page shows it, with what is typed over it."""
    shown: dict[str, Any] = {"code": page.code if page else "about"}
    for code in languages.codes():
        shown |= {
            f"title_{code}": page.title_in(code) if page else "",
            f"body_{code}": page.body_in(code) if page else "",
            f"base_{code}": page.content_hash_in(code) if page else "",
        }
    return {**shown, **typed}


# --- Public pages ----------------------------------------------------------------------------


def test_a_page_has_its_text_and_when_it_last_changed(client: Client) -> None:
    make_page(code="privacy")
    text = read(client, "/be/privacy/")
    assert "<h1>privacy be</h1>" in text
    assert "Што кажа бюджэт." in text
    assert "Апошняя змена: 23 лістапада 2026" in text
    assert 'rel="canonical" href="http://127.0.0.1:8000/be/privacy/"' in text


def test_a_language_that_is_missing_is_said_to_be_missing(client: Client) -> None:
    make_page(written_in=("en", "ru"))
    text = read(client, "/be/about/")
    assert 'name="robots" content="noindex"' in text
    assert 'href="/ru/about/" lang="ru"' in text
    assert 'rel="alternate" hreflang="be"' not in text
    assert "Что говорит" not in text


@pytest.mark.parametrize("path", ["/be/about/", "/be/privacy/", "/be/imprint/"])
def test_a_page_that_nobody_wrote_is_404_and_linked_from_nowhere(client: Client, path: str) -> None:
    Page.objects.create(code="privacy")
    read(client, path, 404)
    assert path not in read(client, "/be/")


def test_every_page_links_to_it_in_its_language_or_says_in_which(client: Client) -> None:
    make_edition()
    make_page(code="about")
    make_page(code="privacy", written_in=("ru",))
    foot = read(client, "/be/subscribe/").partition("<footer")[2]
    assert '<a href="/be/about/">about be</a>' in foot
    assert '<a href="/ru/privacy/" lang="ru" hreflang="ru">privacy ru</a>' in foot
    assert '<span class="language">руская</span>' in foot


def test_the_links_read_no_bodies(django_assert_num_queries: Any) -> None:
    make_page(code="about")
    make_page(code="privacy")
    with django_assert_num_queries(1) as asked:
        assert [link.path for link in page_links("ru")] == ["/ru/about/", "/ru/privacy/"]
    assert "body" not in asked.captured_queries[0]["sql"]


# --- At the desk -----------------------------------------------------------------------------


def test_a_saved_language_is_public_at_once(client: Client) -> None:
    manager = analyst_client(may=("add_page", "change_page", "view_page"))
    typed = form(title_be="Пра нас", body_be="<p>Мы.</p><script>alert(1)</script>")
    assert manager.post(ADD, typed).status_code == 302
    text = read(client, "/be/about/").partition("<main")[2]
    assert "Мы." in text
    assert "alert" not in text
    [entry] = AuditEntry.objects.filter(subject_type="articles.page")
    assert (entry.action, entry.language) == (AuditAction.PUBLISHED, "be")


def test_whoever_may_only_read_finds_nothing_to_save() -> None:
    page = make_page()
    analyst = analyst_client(may=("view_page",))
    shown = analyst.get(change_url(page))
    assert shown.status_code == 200
    assert "base_be" not in shown.content.decode()
    assert analyst.post(change_url(page), form(page, title_be="Іншае")).status_code == 403


@pytest.mark.parametrize(
    ("typed", "wrong"),
    [
        ({"title_be": "Пра нас"}, "body_be"),
        ({"body_be": "<p>Мы.</p>"}, "title_be"),
        ({"title_be": "Пра нас", "body_be": "<p>&nbsp;</p>"}, "body_be"),
    ],
)
def test_half_a_page_is_refused_and_what_was_typed_stays(
    desk: Client, typed: dict[str, str], wrong: str
) -> None:
    answer = desk.post(ADD, form(**typed))
    assert "A page has both title and text in a language, or neither." in visible_text(answer)
    assert list(answer.context["adminform"].form.errors) == [wrong]
    assert next(iter(typed.values())) in answer.content.decode().replace("&lt;", "<").replace(
        "&gt;", ">"
    )
    assert not Page.objects.exists()


def test_there_is_one_page_of_each_kind_and_none_is_deleted(desk: Client) -> None:
    page = make_page(code="about")
    assert desk.post(ADD, form(title_en="Again", body_en="<p>x</p>")).status_code == 200
    assert Page.objects.count() == 1
    make_page(code="privacy")
    assert desk.get(ADD).status_code == 403
    assert desk.post(f"{LIST}{page.pk}/delete/").status_code == 403
    assert desk.get(LIST).status_code == 200


def test_an_emptied_language_is_no_longer_public(desk: Client, client: Client) -> None:
    page = make_page()
    assert desk.post(change_url(page), form(page, title_be="", body_be="")).status_code == 302
    assert "You can read it in" not in read(client, "/en/about/")
    assert 'name="robots" content="noindex"' in read(client, "/be/about/")
    taken_back = AuditEntry.objects.get(action=AuditAction.WITHDREW)
    assert taken_back.language == "be"


def test_only_what_changed_is_dated_anew_and_written_down() -> None:
    page = make_page()
    before = AuditEntry.objects.count()
    page.body_ru = "<p>Иначе.</p>"
    assert save_page(page, by=make_user(), now=LATER) == ["ru"]
    page.refresh_from_db()
    assert (page.changed_in("ru"), page.changed_in("be")) == (LATER, MONDAY_MORNING)
    assert save_page(page, by=make_user(), now=LATER) == []
    assert AuditEntry.objects.count() == before + 1


def test_a_page_without_anything_in_a_language_is_fit() -> None:
    Page(code="about").clean()
    with pytest.raises(ValidationError, match="title and text"):
        Page(code="about", title_en="About").clean()


@pytest.mark.both_databases
def test_a_picture_on_it_is_in_use() -> None:
    picture = make_picture()
    page = make_page()
    assert not is_picture_used(picture)
    page.body_en = f'<figure><img src="{picture.path}" alt=""></figure>'
    save_page(page, by=make_user(), now=LATER)
    assert is_picture_used(picture)


# --- Two people ------------------------------------------------------------------------------


def test_two_people_at_two_languages_keep_both_texts(desk: Client) -> None:
    page = make_page()
    opened = form(page)
    desk.post(change_url(page), form(page, body_be="<p>Першы.</p>"))
    assert desk.post(change_url(page), {**opened, "body_ru": "<p>Второй.</p>"}).status_code == 302
    page.refresh_from_db()
    assert (page.body_be, page.body_ru) == ("<p>Першы.</p>", "<p>Второй.</p>")


@pytest.mark.both_databases
def test_the_second_at_one_language_is_asked_first_and_may_insist(desk: Client) -> None:
    page = make_page()
    opened = {**form(page), "body_be": "<p>Другі.</p>"}
    desk.post(change_url(page), form(page, body_be="<p>Першы.</p>"))
    answer = desk.post(change_url(page), opened)
    assert "Somebody saved another text in this language while you were writing." in visible_text(
        answer
    )
    assert "Другі." in answer.content.decode()
    page.refresh_from_db()
    assert page.body_be == "<p>Першы.</p>"
    again = answer.context["adminform"].form
    insisting = {**opened, "base_be": again["base_be"].value()}
    assert desk.post(change_url(page), insisting).status_code == 302
    page.refresh_from_db()
    assert page.body_be == "<p>Другі.</p>"


def test_a_third_text_asks_anew(desk: Client) -> None:
    page = make_page()
    opened = {**form(page), "body_be": "<p>Другі.</p>"}
    desk.post(change_url(page), form(page, body_be="<p>Першы.</p>"))
    asked = desk.post(change_url(page), opened).context["adminform"].form["base_be"].value()
    page.refresh_from_db()
    desk.post(change_url(page), form(page, body_be="<p>Трэці.</p>"))
    answer = desk.post(change_url(page), {**opened, "base_be": asked})
    assert answer.status_code == 200
    page.refresh_from_db()
    assert page.body_be == "<p>Трэці.</p>"


def test_what_only_carries_the_form_is_no_change_in_its_history(desk: Client) -> None:
    page = make_page()
    desk.post(change_url(page), form(page, title_be="Іначай"))
    history = visible_text(desk.get(f"{change_url(page).removesuffix('change/')}history/"))
    assert "base" not in history.lower().replace("database", "")
