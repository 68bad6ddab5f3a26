"""The search: what it never shows, bad input, and that queries are not stored."""

from __future__ import annotations

import itertools
import re
from html import unescape

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client

from articles.editorial import workflow
from articles.editorial.saving import save_article
from articles.models import Article, ArticleLanguage, SearchEntry
from core.weeks import Week
from tests.articles.requests import LATER, result_titles, save_text, search
from tests.factories import MONDAY_MORNING, WEEK, make_article, make_topic, make_user
from tests.test_guarantees import everything_in_the_database

pytestmark = pytest.mark.django_db


# --- What is never shown ---------------------------------------------------------------


@pytest.mark.both_databases
def test_what_is_not_public_is_not_found(client: Client) -> None:
    topics = iter(make_topic(code=f"t{number}", position=number) for number in range(9))
    make_article(topic=next(topics), published_in=(), title="Draft")
    scheduled = make_article(topic=next(topics), published_in=(), title="Scheduled")
    workflow.schedule(scheduled, "en", LATER, MONDAY_MORNING, by=make_user())
    review = make_article(topic=next(topics), published_in=(), title="Review")
    workflow.submit_for_review(review, "en")
    one = make_article(topic=next(topics), title="One language")
    workflow.withdraw_language(one, "en", LATER)
    whole = make_article(topic=next(topics), title="Whole")
    workflow.withdraw(whole, LATER)
    make_article(topic=next(topics), title="Elsewhere", published_in=("be",))
    make_article(topic=next(topics), title="Public")
    assert result_titles(search(client, "budget", "en")) == ["Public en"]
    assert set(result_titles(search(client, "бюджэт"))) == {
        "Public be",
        "Elsewhere be",
        "One language be",
    }
    workflow.publish_due(LATER)
    assert set(result_titles(search(client, "budget", "en"))) == {"Public en", "Scheduled en"}


@pytest.mark.both_databases
def test_a_change_of_text_topic_or_week_is_found_at_once_and_the_old_one_no_more(
    client: Client,
) -> None:
    article = make_article()
    save_text(article, "en", body="<p>About taxes</p>")
    assert result_titles(search(client, "tax", "en"))
    save_text(article, "en", body="<p>About wages</p>")
    assert not result_titles(search(client, "tax", "en"))
    assert result_titles(search(client, "wage", "en"))
    assert result_titles(search(client, "бюджэт", "be"))
    article.topic, article.week = make_topic(code="west"), Week.parse("2024-06-03")
    save_article(article, by=make_user(), now=LATER)
    assert result_titles(search(client, "wage", "en", topic="west", year="2024"))
    assert not result_titles(search(client, "wage", "en", topic="elite", year="2024"))


def test_a_text_that_was_changed_meanwhile_is_published_as_it_is_now(client: Client) -> None:
    article = make_article(published_in=())
    before = Article.objects.get(pk=article.pk)
    save_text(article, "en", body="<p>About wages</p>")
    workflow.publish(before, "en", LATER)
    assert result_titles(search(client, "wages", "en"))
    assert not result_titles(search(client, "grows", "en"))


@pytest.mark.both_databases
def test_published_again_it_is_found_again_and_deleted_it_is_not(client: Client) -> None:
    article = make_article()
    workflow.withdraw_language(article, "en", LATER)
    workflow.publish(article, "en", LATER)
    assert result_titles(search(client, "budget", "en"))
    Article.objects.get(pk=article.pk).delete()
    assert not result_titles(search(client, "budget", "en"))
    assert not SearchEntry.objects.exists()


@pytest.mark.both_databases
def test_what_was_left_in_the_index_by_mistake_shows_nothing(client: Client) -> None:
    article = make_article(title="Secret")
    ArticleLanguage.objects.filter(article=article, language="en").update(status="withdrawn")
    assert SearchEntry.objects.filter(language="en").exists()
    assert "Secret" not in search(client, "budget", "en").partition("<main")[2]


@pytest.mark.both_databases
def test_the_rebuilt_index_is_the_one_that_was_kept(capsys: pytest.CaptureFixture[str]) -> None:
    article = make_article(title="Kept", verdict="improved")
    workflow.withdraw_language(make_article(week=WEEK.previous()), "ru", LATER)
    workflow.withdraw(make_article(week=WEEK.previous(2)), LATER)
    save_text(article, "be", title="Інакш")
    kept = list(SearchEntry.objects.order_by("row").values())
    call_command("rebuild_search")
    assert list(SearchEntry.objects.order_by("row").values()) == kept
    assert capsys.readouterr().out == "5 texts of 2 articles can be found.\n"


@pytest.mark.both_databases
def test_a_rebuild_makes_whatever_is_missing_and_takes_what_is_too_much(client: Client) -> None:
    article, other = make_article(title="One"), make_article(title="Two", week=WEEK.previous())
    SearchEntry.objects.filter(article=article).delete()
    SearchEntry.objects.filter(article=other).update(stems="damaged")
    ArticleLanguage.objects.filter(article=other, language="ru").update(status="withdrawn")
    call_command("rebuild_search", verbosity=0)
    assert result_titles(search(client, "budget", "en")) == ["One en", "Two en"]
    assert not result_titles(search(client, "damaged", "en"))
    assert result_titles(search(client, "бюджет", "ru")) == ["One ru"]


@pytest.mark.both_databases
def test_either_database_searches_by_an_index_that_keeps_in_step(client: Client) -> None:
    article = make_article()
    save_text(article, "en", body="<p>About wages</p>")
    workflow.withdraw_language(article, "ru", LATER)
    make_article(week=WEEK.previous()).delete()
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(
                "INSERT INTO articles_search(articles_search, rank) VALUES('integrity-check', 1)"
            )
            cursor.execute("SELECT count(*) FROM articles_search('budget')")
            assert cursor.fetchone() == (1,)
        else:
            cursor.execute("SET LOCAL enable_seqscan = off")
            plan = SearchEntry.objects.matching(["budget"]).best_first(["budget"]).explain()
            assert "articles_searchentry_stems" in plan
            assert "articles_searchentry_title_stems" in plan


# --- Bad input ----------------------------------------------------------------------------


NO_OPERATORS = [
    *("%", "_", "b%", "budge_", "budg*", "^zzz", "title_stems:x", '"', "'", "\\", "((((", "$$"),
    *("budget OR zzz", "budget NOT zzz", "budget NEAR/3 zzz", '"budget zzz"', "{budget zzz}"),
    *("budget & !zzz", "budget | zzz", "budget <-> zzz:*"),
    "budget'); DROP TABLE articles_searchentry; --",
    *("😀", "\u200b", "ь", "ся цца", "½ ² ﷺ", "\ud7ff"),
]


@pytest.mark.both_databases
def test_no_operator_is_one_and_nothing_breaks(client: Client) -> None:
    make_article()
    for words, language in zip(NO_OPERATORS, itertools.cycle(["be", "en", "ru"]), strict=False):
        page = search(client, words, language)
        assert result_titles(page) == [], words
        assert "<mark>" not in page, words
    assert result_titles(search(client, "budget", "en")) == ["The budget en"]


@pytest.mark.both_databases
def test_punctuation_between_words_is_nothing(client: Client) -> None:
    make_article()
    for words in ('"budget"', "budget, (grows)!", "THE-BUDGET/grow", "budget -grows", "'budget'"):
        assert result_titles(search(client, words, "en")) == ["The budget en"], words


@pytest.mark.both_databases
def test_what_is_too_long_or_no_text_is_said_and_kept_in_the_form(client: Client) -> None:
    for words in ("ж" * 201, "слова " * 1700, "\0", "a\0b"):
        page = search(client, words, status=400)
        assert 'class="errorlist"' in page
        assert words.strip()[:200] in unescape(page)
        assert client.get("/be/search/", {"q": words}).status_code == 400


def test_a_form_of_megabytes_is_refused_unread(client: Client) -> None:
    search(client, "ж" * 100_000, status=413)


def test_a_topic_or_year_there_is_not_is_said(client: Client) -> None:
    make_article()
    for topic, year in (("none", ""), ("\0", ""), ("", "x"), ("", "1"), ("", "9" * 40)):
        page = search(client, "budget", "en", status=400, topic=topic, year=year)
        assert 'class="errorlist"' in page


def test_no_words_are_no_search(client: Client) -> None:
    make_article()
    for words in ("", "   ", "\u00a0"):
        page = search(client, words, "en")
        assert 'id="found"' not in page
        assert 'class="errorlist"' not in page
        assert "Any form of a word" in page


def test_a_newsroom_without_articles_has_a_search(client: Client) -> None:
    assert "Нічога не знойдзена" in search(client, "бюджэт")
    assert client.get("/be/search/").status_code == 200


def test_nothing_found_is_helped(client: Client) -> None:
    make_article()
    page = search(client, "zzz", "en", topic="elite")
    assert "Nothing was found" in page
    assert "Try fewer of them" in page
    assert "Search in all topics and years" in page
    assert "Search in all topics" not in search(client, "zzz", "en")


def test_the_number_stands_in_its_plural(client: Client) -> None:
    words = {1: "Знойдзены 1 артыкул", 2: "Знойдзена 2 артыкулы", 5: "Знойдзена 5 артыкулаў"}
    for number in range(1, 6):
        make_article(week=WEEK.previous(number))
        assert words.get(number, "") in search(client, "бюджэт")


# --- What is not kept ------------------------------------------------------------------------


@pytest.mark.both_databases
def test_what_somebody_searches_for_stands_nowhere(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "django.request")
    make_article()
    for words in ("plantedword budget", "plantedword" * 30, "plantedword\0"):
        answer = client.post("/en/search/", {"q": words})
        answers = [answer]
        if answer.status_code == 303:
            answers += [client.get(answer.headers["Location"])]
            assert "plantedword" not in answer.headers["Location"]
            assert client.get(f"{answer.headers['Location']}9/").status_code == 404
        for answer in answers:
            assert answer.headers["Cache-Control"] == "no-store"
            assert "noindex" in answer.headers["X-Robots-Tag"]
            assert answer.headers["Referrer-Policy"] == "no-referrer"
            assert not answer.cookies
        head = answers[-1].content.decode().partition("</head>")[0]
        assert "plantedword" not in head, "a title stands in the browser's history"
        client.get("/en/search/", {"q": words})
    assert "plantedword" not in caplog.text
    assert b"plantedword" not in everything_in_the_database()


def test_the_form_asks_the_browser_to_forget_and_posts(client: Client) -> None:
    page = client.get("/be/search/").content.decode()
    [field] = re.findall(r"<input[^>]*name=\"q\"[^>]*>", page.partition("<main")[2])
    assert 'autocomplete="off"' in field
    assert 'spellcheck="false"' in field
    assert "maxlength" not in field
    assert '<form class="search" role="search" method="post" action="/be/search/"' in page
    # The form itself is a page like others.
    assert "no-store" not in client.get("/be/search/").headers.get("Cache-Control", "")


def test_a_search_needs_no_token_and_no_other_method_works() -> None:
    strict = Client(enforce_csrf_checks=True)
    path = strict.post("/be/search/", {"q": "бюджэт"}).headers["Location"]
    assert strict.put("/be/search/").status_code == 405
    plain = Client()
    assert plain.head(path).status_code == 200
    for method in (plain.post, plain.put, plain.delete):
        assert method(path).status_code == 405
