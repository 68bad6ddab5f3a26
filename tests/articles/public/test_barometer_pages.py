"""The barometer's page, its part of topic and article pages, and its data files."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

import pytest
from django.test import Client

from articles.editorial import workflow
from articles.editorial.saving import save_article
from articles.models import Article, SiteSettings
from articles.public import barometer_views
from articles.public.barometer_data import CSV_COLUMNS
from core.weeks import Week, long_date
from tests.articles.browser import visible_text
from tests.articles.public.test_barometer import TUESDAY, WEDNESDAY, change
from tests.articles.requests import get_page
from tests.factories import (
    MONDAY_MORNING,
    WEEK,
    make_article,
    make_edition,
    make_topic,
    make_user,
)
from tests.html_pages import normalize_html

pytestmark = pytest.mark.django_db
SITE = "http://127.0.0.1:8000"


@pytest.fixture(autouse=True)
def newsroom() -> None:
    make_edition(code="en")
    make_edition(code="be-ru")
    SiteSettings.objects.create(pk=1, name_be="Погляд")


def corrected(**fields: Any) -> Article:
    article = make_article(verdict="improved", **fields)
    change(article, verdict="worsened")
    return article


# --- The page --------------------------------------------------------------------------------


def test_each_mark_and_each_line_of_the_table_leads_to_its_article(client: Client) -> None:
    article = corrected()
    text = get_page(client, "/be/barometer/")
    assert text.count(f'href="{article.path_in("be")}"') == 2
    [mark] = re.findall(r"<a class=\"worsened\".*?</a>", text)
    assert '<use href="#worsened"' in mark
    assert ">*</text>" in mark
    [title] = re.findall(r"<title>(.*?)</title>", mark)
    assert title == (
        "16–22 лістапада · elite be: Пагоршылася · Бюджэт be · "
        f"Выпраўлена, {long_date(TUESDAY.date(), 'be')} (раней: Палепшылася)"
    )


def test_all_that_a_mark_says_is_in_the_table_in_words(client: Client) -> None:
    corrected()
    answer = client.get("/en/barometer/2026/")
    table = visible_text(answer).partition("An asterisk stands")[2]
    for words in ("16–22 November", "Got worse", "Corrected, 24 November 2026 (before: Improved)"):
        assert words in table, words


def test_a_text_in_another_language_is_named_by_its_language_alone(client: Client) -> None:
    make_article(verdict="improved", written_in=("ru",))
    text = get_page(client, "/be/barometer/")
    assert "Бюджет ru" not in text
    assert "Мова: руская" in text
    assert '<span class="language">руская</span>' in text


def test_a_newsroom_without_a_verdict_says_so(client: Client) -> None:
    make_article()
    assert "Яшчэ няма ніводнай ацэнкі." in get_page(client, "/be/barometer/")
    get_page(client, "/be/barometer/2026/", 404)
    assert "barometer" not in get_page(client, "/be/topics/elite/").partition("<main")[2]
    assert json.loads(get_page(client, "/be/barometer/all.json"))["cells"] == []


def test_the_newest_year_has_one_address_and_all_years_are_linked(client: Client) -> None:
    make_article(verdict="improved")
    make_article(week=WEEK.previous(60), verdict="improved")
    text = get_page(client, "/en/barometer/")
    assert f'<link rel="canonical" href="{SITE}/en/barometer/2026/">' in normalize_html(text)
    assert f'hreflang="be" href="{SITE}/be/barometer/2026/">' in normalize_html(text)
    assert 'href="/en/barometer/2025/"' in text
    assert '<a href="/en/barometer/2026/" aria-current="page">2026</a>' in normalize_html(text)
    assert "<h1>Barometer 2025</h1>" in normalize_html(get_page(client, "/en/barometer/2025/"))


def test_a_year_or_page_that_is_none_is_404(client: Client) -> None:
    make_article(verdict="improved")
    for path in (
        *("2024/", "0000/", "9999/", "26/", "2026/0/", "2026/2/", f"2026/{10**30}/"),
        *("2024.csv", "9999.json", "all.xml"),
    ):
        assert '<html lang="be"' in get_page(client, f"/be/barometer/{path}", 404)


def test_many_topics_are_paged_by_path(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(barometer_views, "TOPICS_PER_PAGE", 2)
    for number in range(3):
        make_article(topic=make_topic(code=f"t{number}", position=number), verdict="improved")
    first, second = get_page(client, "/en/barometer/"), get_page(client, "/en/barometer/2026/2/")
    assert 'id="line-t1"' in first
    assert 'id="line-t2"' not in first
    assert 'href="/en/barometer/2026/2/"' in first
    assert 'id="line-t2"' in second
    assert f'rel="canonical" href="{SITE}/en/barometer/2026/2/"' in normalize_html(second)
    assert f'hreflang="ru" href="{SITE}/ru/barometer/2026/2/"' in normalize_html(second)


def test_an_article_withdrawn_while_the_page_is_made_takes_no_page_down(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    article = make_article(verdict="improved")
    topics = list(barometer_views.barometer.topics_with_verdicts(2026))
    monkeypatch.setattr(barometer_views.barometer, "topics_with_verdicts", lambda _year: topics)
    monkeypatch.setattr(
        barometer_views.barometer, "years_with_verdicts", lambda _topic=None: [2026]
    )
    workflow.withdraw(article, TUESDAY)
    assert "No verdict has been published yet." in get_page(client, "/en/barometer/")
    get_page(client, "/en/topics/elite/")


def test_it_asks_as_much_for_many_verdicts_as_for_few(
    client: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(4):
        topic = make_topic(code=f"t{number}", position=number)
        make_article(topic=topic, week=WEEK.previous(number), verdict="improved")
    change(corrected(), MONDAY_MORNING, verdict="")
    for path in ("barometer/", "barometer/2026/", "barometer/2026.csv", "topics/elite/"):
        with django_assert_max_num_queries(22):
            get_page(client, f"/be/{path}")


# --- Beside it -------------------------------------------------------------------------------


def test_a_topic_has_its_own_line_and_its_newest_year(client: Client) -> None:
    make_article(verdict="improved")
    make_article(topic=make_topic(code="abroad"), verdict="worsened")
    text = get_page(client, "/en/topics/elite/").partition('class="topic-barometer"')[2]
    section = text.partition("</section>")[0]
    assert "Verdicts in 2026" in section
    assert "elite en: the running sum of its verdicts ends at +1" in section
    assert "abroad" not in section
    assert 'href="/en/barometer/2026/"' in section


def test_an_article_says_what_its_verdict_was(client: Client) -> None:
    text = get_page(client, corrected().path_in("be"))
    assert f"* Выпраўлена, {long_date(TUESDAY.date(), 'be')} (раней: Палепшылася)" in text


def test_an_article_that_only_moved_shows_no_earlier_verdict(client: Client) -> None:
    article = make_article(verdict="improved")
    change(article, week=WEEK.previous())
    assert "Corrected, " not in get_page(client, article.path_in("en"))
    change(article, WEDNESDAY, verdict="worsened")
    text = get_page(client, article.path_in("en"))
    assert text.count("Corrected, ") == 1
    assert "Corrected, 25 November 2026 (before: Improved)" in text


def test_an_article_whose_verdict_came_late_says_so(client: Client) -> None:
    article = make_article()
    change(article, verdict="improved")
    text = get_page(client, article.path_in("en"))
    assert "Corrected, 24 November 2026 (before: no verdict)" in text


def test_the_first_page_shows_the_weeks_verdicts_at_a_glance(client: Client) -> None:
    article = make_article(verdict="worsened")
    make_article(topic=make_topic(code="west"))
    text = get_page(client, "/be/").partition('class="week-verdicts"')[2].partition("</section>")[0]
    assert f'href="{article.path_in("be")}"' in text
    assert "Пагоршылася" in text
    assert "west" not in text
    assert 'href="/be/barometer/"' in text


# --- The files -------------------------------------------------------------------------------


def rows(client: Client, path: str) -> list[dict[str, str]]:
    answer = client.get(path)
    assert answer.status_code == 200
    return list(csv.DictReader(io.StringIO(answer.content.decode())))


def test_the_csv_has_a_line_for_each_cell(client: Client) -> None:
    article = corrected(published_in=("en", "ru"))
    answer = client.get("/be/barometer/2026.csv")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8; header=present"
    assert not answer.cookies
    [row] = rows(client, "/be/barometer/2026.csv")
    assert tuple(row) == CSV_COLUMNS
    assert row == {
        "week": "2026-11-16",
        "iso_week": "2026-W47",
        "topic": "elite",
        "verdict": "worsened",
        "article": str(article.pk),
        "language": "ru",
        "title": article.title_ru,
        "address": f"{SITE}/ru/{article.pk}/",
        "languages": "en ru",
        "published": "2026-11-23",
        "corrected": "2026-11-24",
        "was": "improved",
    }


def test_the_json_has_the_same_facts(client: Client) -> None:
    article = corrected()
    change(article, MONDAY_MORNING, verdict="")
    answer = client.get("/en/barometer/2026.json")
    assert answer.headers["Content-Type"] == "application/json"
    data = json.loads(answer.content)
    assert data["form"] == "newsroom.barometer/1"
    assert (data["language"], data["year"]) == ("en", 2026)
    assert data["address"] == f"{SITE}/en/barometer/2026/"
    assert data["verdicts"] == {"improved": 1, "unchanged": 0, "worsened": -1}
    assert data["topics"] == [{"code": "elite", "name": "elite en"}]
    [cell] = data["cells"]
    assert cell["verdict"] is None
    assert sorted(one["was"] for one in cell["corrections"]) == ["improved", "worsened"]
    [row] = rows(client, "/en/barometer/2026.csv")
    assert row["verdict"] == "none"
    assert sorted(row["was"].split()) == ["improved", "worsened"]


def test_all_years_are_in_one_file(client: Client) -> None:
    for monday in ("2024-12-30", "2026-11-16"):
        make_article(week=Week.parse(monday), verdict="improved")
    assert [row["iso_week"] for row in rows(client, "/en/barometer/all.csv")] == [
        "2025-W01",
        "2026-W47",
    ]
    data = json.loads(get_page(client, "/en/barometer/all.json"))
    assert data["year"] is None
    assert len(data["cells"]) == 2


def test_a_title_is_no_formula_in_a_spreadsheet(client: Client) -> None:
    article = make_article(verdict="improved")
    for title in ("=1+1", "@cmd", "-2 degrees"):
        article.title_en = title
        save_article(article, by=make_user(), now=TUESDAY)
        [row] = rows(client, "/en/barometer/all.csv")
        assert row["title"] == f"'{title}"
        assert json.loads(get_page(client, "/en/barometer/all.json"))["cells"][0]["title"] == title


def test_a_file_says_who_it_is_when_it_is_kept(client: Client) -> None:
    make_article(verdict="improved")
    named = client.get("/ru/barometer/all.csv").headers["Content-Disposition"]
    assert named == 'inline; filename="barometer-all-ru.csv"'
