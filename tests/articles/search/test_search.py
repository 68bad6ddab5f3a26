"""The search: what it finds, and what it shows."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.utils.html import strip_tags
from pytest_django import DjangoAssertNumQueries

from articles.search import query
from core.weeks import Week
from tests.articles.requests import result_titles, save_text, search, submit_search
from tests.factories import WEEK, make_article, make_topic
from tests.html_pages import normalize_html
from tests.visitor import Visitor

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
PER_PAGE = 2


# --- What is found --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "written", "asked"),
    [
        ("be", "Выбары адбыліся ў Мінску", "выбарах мінск"),
        ("be", "Новыя санкцыі", "санкцый"),
        ("be", "З’езд у сёлах", "зʼезд сялом"),
        ("be", "Ўлада", "УЛАДАЙ"),
        ("ru", "Выборы прошли", "выборах"),
        ("ru", "Ещё одни санкции", "САНКЦИЙ еще"),
        ("en", "The minister’s elections", "MINISTERS' election"),
    ],
)
def test_any_form_and_spelling_of_a_word_finds_it(
    client: Client, language: str, written: str, asked: str
) -> None:
    article = make_article()
    make_article(topic=make_topic(code="other"))
    save_text(article, language, title="Без слоў", body=f"<p>{written}.</p>")
    page = search(client, asked, language)
    assert result_titles(page) == ["Без слоў"]
    assert article.path_in(language) in page


def test_all_the_words_have_to_be_there_in_title_lead_or_body(client: Client) -> None:
    article = make_article()
    save_text(article, "be", title="Рынак", lead="Цэны.", body="<ul><li>Хлеб</li></ul><p>Соль</p>")
    assert result_titles(search(client, "соль рынка цана хлебам")) == ["Рынак"]
    assert result_titles(search(client, "соль рынка вада")) == []


def test_titles_come_first_and_then_the_newest(client: Client) -> None:
    for number, (title, body) in enumerate(
        [("Old title with tax", ""), ("Newer", "tax"), ("Title with tax", ""), ("Newest", "tax")]
    ):
        article = make_article(week=WEEK.previous(9 - number))
        save_text(article, "en", title=title, body=f"<p>Text {body}</p>")
    assert result_titles(search(client, "taxes", "en")) == [
        "Title with tax", "Old title with tax", "Newest", "Newer"
    ]  # fmt: skip


def test_a_topic_and_a_year_narrow_it_down(client: Client) -> None:
    west = make_topic(code="west", position=2)
    of_year = [Week.parse("2025-12-29"), Week.parse("2026-06-01"), Week.parse("2024-06-03")]
    for number, week in enumerate(of_year):
        make_article(week=week, title=f"E{number}")
        make_article(week=week, title=f"W{number}", topic=west)
    assert len(result_titles(search(client, "budget", "en"))) == 6
    assert result_titles(search(client, "budget", "en", topic="west")) == [
        "W1 en",
        "W0 en",
        "W2 en",
    ]
    # A week that begins in one year and ends in the next belongs to both.
    assert result_titles(search(client, "budget", "en", topic="west", year="2025")) == ["W0 en"]
    assert result_titles(search(client, "budget", "en", topic="west", year=2026)) == [
        "W1 en",
        "W0 en",
    ]
    page = client.get("/en/search/").content.decode()
    assert re.findall(r'<option value="(\d+)"', page) == ["2026", "2025", "2024"]


def test_only_the_pages_language_is_searched_and_the_others_are_offered(client: Client) -> None:
    make_article(title="Толькі")
    assert result_titles(search(client, "бюджэт", "ru")) == []
    page = search(client, "бюджэт", "ru")
    [path] = re.findall(r'<a href="(/be/search/[^"]+)" lang="be"', page.partition("<main")[2])
    assert result_titles(normalize_html(client.get(path).content.decode())) == ["Толькі be"]


def test_the_same_words_in_another_language_leave_topic_and_year_behind(client: Client) -> None:
    make_article(published_in=("be",), title="Толькі")
    make_article(published_in=("ru",), title="Иное", week=Week.parse("2024-06-03"))
    page = search(client, "бюджет", "ru", topic="elite", year="2024")
    for path in re.findall(r'<a href="(/be/search/[^"]+)"', page):
        answer = client.get(path)
        assert answer.status_code == 200
        assert 'value="бюджет"' in answer.content.decode()


def test_it_is_paged_by_path_and_the_words_stay_out_of_it(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query, "PAGE_SIZE", PER_PAGE)
    for number in range(PER_PAGE + 1):
        make_article(week=WEEK.previous(number), title=f"N{number}")
    path = submit_search(client, "budget", "en", topic="elite")
    first, second = (normalize_html(client.get(at).content.decode()) for at in (path, f"{path}2/"))
    assert f"{PER_PAGE + 1} articles found" in first
    assert result_titles(first)[-1] == f"N{PER_PAGE - 1} en"
    assert f'<a rel="next" href="{path}2/"' in first
    assert result_titles(second) == [f"N{PER_PAGE} en"]
    assert f'<a rel="prev" href="{path}"' in second
    for page in (first, second):
        assert not re.search(r'(href|action)="[^"]*budget', page)
        assert 'value="budget"' in page
        assert '<option value="elite" selected>' in page
    for page_number in (0, 3, 10**30):
        search(client, "budget", "en", page=page_number or "0", status=404)


def test_who_goes_back_to_the_results_sees_them_again(client: Client) -> None:
    make_article()
    path = submit_search(client, "бюджэту", topic="elite", year=str(WEEK.year))
    for _ in range(2):
        answer = client.get(path)
        assert answer.status_code == 200
        assert result_titles(normalize_html(answer.content.decode())) == ["Бюджэт be"]


def test_a_link_with_words_in_it_works_too(client: Client) -> None:
    make_article()
    answer = client.get("/be/search/", {"q": "бюджэту", "topic": "elite"}, follow=True)
    [(path, status)] = answer.redirect_chain
    assert (status, path.partition("?")[1]) == (303, "")
    assert result_titles(normalize_html(answer.content.decode())) == ["Бюджэт be"]


# --- What is shown of it ---------------------------------------------------------------


def test_the_words_are_marked_in_title_and_excerpt_as_they_are_written(client: Client) -> None:
    article = make_article()
    save_text(
        article, "be",
        title="Пра вы\u0301бары",
        body="<p>Нічога.</p><p>На выбарах і <strong>вы</strong>барам.</p>",
    )  # fmt: skip
    page = search(client, "выбараў")
    assert "Пра <mark>вы\u0301бары</mark>" in page
    assert "На <mark>выбарах</mark> і <mark>выбарам</mark>." in page
    assert "Нічога" not in page


def test_an_excerpt_is_the_paragraph_with_most_of_the_words(client: Client) -> None:
    article = make_article()
    long = "Пачатак. " * 60
    save_text(article, "be", lead="Вада.", body=f"<p>{long}Вада і соль, {long}</p>")
    [excerpt] = re.findall(r'<p class="lead">(.*?)</p>', search(client, "соль вада"))
    assert "<mark>Вада</mark> і <mark>соль</mark>, Пачатак." in excerpt
    assert excerpt.startswith("…")
    assert excerpt.endswith("…")
    assert len(strip_tags(excerpt)) < 300


def test_a_word_in_the_title_alone_shows_how_the_text_begins(client: Client) -> None:
    article = make_article()
    save_text(article, "be", title="Соль", lead="Пра яе.")
    assert '<p class="lead">Пра яе.</p>' in search(client, "солі")


def test_nothing_of_a_text_or_a_query_becomes_markup(client: Client) -> None:
    article = make_article()
    save_text(article, "en", title="<b>tax</b> & co", lead='tax <script>alert("x")</script> &amp;')
    page = search(client, 'tax "><script>alert(1)</script>', "en")
    assert "<script" not in page
    page = search(client, "tax", "en")
    assert "<script" not in page
    assert "&lt;b&gt;<mark>tax</mark>&lt;/b&gt; &amp; co" in page
    assert "<mark>tax</mark> &lt;script&gt;" in page


# --- Where it is ------------------------------------------------------------------------------


def test_every_page_leads_to_the_search_of_its_language(client: Client) -> None:
    article = make_article()
    for path in ("/be/", article.path_in("be"), "/be/weeks/", "/be/subscribe/", "/be/search/"):
        assert '<a href="/be/search/"' in client.get(path).content.decode(), path
    page = normalize_html(client.get("/be/search/").content.decode())
    for language in ("en", "ru"):
        assert f'<a href="/{language}/search/" hreflang="{language}"' in page
        assert f'hreflang="{language}" href="http://127.0.0.1:8000/{language}/search/"' in page


def test_many_results_ask_the_database_no_more_than_few(
    client: Client, visitor: Visitor, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(12):
        make_article(week=WEEK.previous(number))
    path = submit_search(client, "budget", "en")
    visitor.get("/en/")  # What all pages share is made.
    with django_assert_max_num_queries(8):
        assert len(result_titles(visitor.get(path).content.decode())) == 12
