"""The desk, used as an analyst's browser uses it: writing, publishing, the list."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import translation

from articles.editorial.digest_builder import build_digest
from articles.editorial.workflow import withdraw, withdraw_language
from articles.models import Article, Author, Draft
from tests.articles.browser import (
    ADD,
    LIST,
    analyst_client,
    change_url,
    form_data,
    form_data_of,
    visible_text,
)
from tests.articles.requests import count_queries
from tests.factories import MONDAY_MORNING, WEEK, make_article, make_topic

pytestmark = pytest.mark.django_db


# --- Writing -------------------------------------------------------------------------


def test_an_analyst_starts_in_russian_and_adds_belarusian_later(desk: Client) -> None:
    topic = make_topic()
    author = Author.objects.create(code="ana", name_en="Ana")
    desk.post(
        ADD,
        form_data(
            title_ru="Бюджет",
            body_ru="<p>Растёт.</p>",
            topic=topic.pk,
            week="2026-11-19",
            authors=[author.pk],
        ),
    )
    article = Article.objects.get()
    assert article.owner.username == "editor"
    assert article.created_at is not None
    assert article.week == WEEK, "a Thursday means its week"
    assert list(article.authors.all()) == [author]
    assert [row.language for row in article.article_languages.all()] == ["ru"]

    desk.post(change_url(article), form_data_of(article, title_be="Бюджэт"))
    rows = {row.language: row for row in article.article_languages.all()}
    assert set(rows) == {"ru", "be"}
    assert rows["be"].source_language == "ru"
    assert list(article.authors.all()) == [author], "saving again keeps the byline"


def test_an_article_without_a_title_is_refused_and_what_was_typed_stays(desk: Client) -> None:
    page = desk.post(ADD, form_data(body_be="<p>Доўга пісалі.</p>"))
    assert "The article has no title. Write one in any one language." in visible_text(page)
    assert "Доўга пісалі." in page.content.decode()
    assert not Article.objects.exists()


def test_a_second_verdict_on_a_topic_and_week_is_refused_at_the_form(desk: Client) -> None:
    make_article(verdict="improved")
    page = desk.post(
        ADD,
        form_data(title_en="Another", topic=make_topic().pk, week=str(WEEK), verdict="worsened"),
    )
    assert page.status_code == 200
    assert "Another article already gives the verdict on this topic" in visible_text(page)


def test_an_article_keeps_its_own_verdict(desk: Client) -> None:
    article = make_article(verdict="improved")
    answer = desk.post(change_url(article), form_data_of(article, verdict="worsened"))
    assert answer.status_code == 302
    article.refresh_from_db()
    assert article.verdict == "worsened"


def test_a_withdrawn_article_gives_no_verdict(desk: Client) -> None:
    withdraw(make_article(verdict="improved"), MONDAY_MORNING)
    new = form_data(title_en="Another", topic=make_topic().pk, week=str(WEEK), verdict="worsened")
    assert desk.post(ADD, new).status_code == 302


def test_a_public_language_is_not_emptied_before_it_is_withdrawn(desk: Client) -> None:
    article = make_article(published_in=("be",))
    for emptied in ("", "<p>&nbsp;</p>", "<script>x</script>"):
        page = desk.post(change_url(article), form_data_of(article, body_be=emptied))
        assert "This language is public. Withdraw it before you empty it." in visible_text(page)
    article.refresh_from_db()
    assert article.body_be == "<p>Бюджэт расце.</p>"


def test_a_public_article_keeps_its_topic_and_week(desk: Client) -> None:
    article = make_article()
    answer = desk.post(change_url(article), form_data_of(article, topic="", week=""))
    assert visible_text(answer).count("Choose another, but leave none out") == 2
    article.refresh_from_db()
    assert article.topic
    assert article.week


def test_each_editor_is_told_its_language_and_each_language_has_one_tab(desk: Client) -> None:
    article = make_article()
    page = desk.get(change_url(article)).content.decode()
    for code, name in (("en", "English"), ("be", "Беларуская"), ("ru", "Русский")):
        assert f"&quot;contentsLanguage&quot;: &quot;{code}&quot;" in page
        assert re.search(rf'name="title_{code}"[^>]*lang="{code}"', page)
        assert name in page


# --- Publishing ----------------------------------------------------------------------


def test_save_and_publish_publishes_that_language_only_and_stays_on_the_page(
    desk: Client,
) -> None:
    article = make_article(published_in=())
    answer = desk.post(change_url(article), form_data_of(article, lead_be="Новы.", _publish="be"))
    assert answer.headers["Location"] == change_url(article)
    article.refresh_from_db()
    assert article.lead_be == "Новы."
    assert article.public_languages == ["be"]


def test_a_new_article_is_published_at_once(desk: Client) -> None:
    new = form_data(
        title_en="New", body_en="<p>Text.</p>", topic=make_topic().pk, week="2026-11-16"
    )
    desk.post(ADD, {**new, "_publish": "en"})
    assert Article.objects.get().public_languages == ["en"]


def test_what_is_not_fit_to_be_published_is_saved_and_the_reasons_are_told(
    desk: Client,
) -> None:
    page = desk.post(ADD, form_data(title_en="New", _publish="en"), follow=True)
    article = Article.objects.get()
    assert article.title_en == "New"
    assert article.public_languages == []
    told = visible_text(page)
    assert "The body in English is missing." in told
    assert "The article has no topic." in told
    assert "The article has no week." in told


def test_who_may_not_publish_sees_no_such_button_and_cannot_force_it() -> None:
    article, analyst = make_article(published_in=()), analyst_client()
    assert 'name="_publish"' not in analyst.get(change_url(article)).content.decode()
    analyst.post(change_url(article), form_data_of(article, _publish="en"))
    assert article.public_languages == []
    published = make_article(title="Other")
    answer = analyst.post(f"{LIST}{published.pk}/do/withdraw/")
    assert answer.status_code == 403
    published.refresh_from_db()
    assert published.withdrawn_at is None


def test_buttons_stand_for_what_can_be_done(desk: Client) -> None:
    article = make_article(published_in=("be",))
    page = desk.get(change_url(article)).content.decode()
    assert set(re.findall(r'name="_publish"[^>]*value="(\w+)"', page)) | set(
        re.findall(r'value="(\w+)"[^>]*name="_publish"', page)
    ) == {"en", "ru"}
    assert set(re.findall(r"/do/([\w-]+)/", page)) == {"withdraw-be", "withdraw"}


def test_a_whole_withdrawn_article_offers_no_publishing(desk: Client) -> None:
    article = make_article()
    withdraw(article, MONDAY_MORNING)
    page = desk.get(change_url(article)).content.decode()
    assert 'name="_publish"' not in page
    assert set(re.findall(r"/do/([\w-]+)/", page)) == {"note"}


def test_the_labels_follow_the_language_of_the_moment(
    desk: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    article = make_article(published_in=("be",))
    spoken: list[str] = []

    def translated(message: str) -> str:
        spoken.append(message)
        return message

    monkeypatch.setattr(translation._trans, "gettext", translated)
    desk.get(change_url(article))
    assert "Withdraw in {language}" in spoken, "translated when the page is made"


# --- Withdrawing ---------------------------------------------------------------------


def test_a_get_withdraws_nothing(desk: Client) -> None:
    article = make_article()
    for verb in ("withdraw", "withdraw-be"):
        desk.get(f"{LIST}{article.pk}/do/{verb}/")
    article.refresh_from_db()
    assert article.public_languages == ["en", "be", "ru"]


def test_one_language_is_withdrawn_and_the_others_stay(desk: Client) -> None:
    article = make_article()
    page = desk.post(f"{LIST}{article.pk}/do/withdraw-be/", follow=True)
    assert "Withdrawn in Беларуская." in visible_text(page)
    assert Article.objects.get().public_languages == ["en", "ru"]


def test_the_whole_article_is_withdrawn_after_saying_what_vanishes(desk: Client) -> None:
    article = make_article()
    asked = visible_text(desk.get(f"{LIST}{article.pk}/do/withdraw/"))
    assert (
        f"The page in Беларуская answers that the text was withdrawn: {article.path_in('be')}"
        in (asked)
    )
    assert "This cannot be undone." in asked
    desk.post(f"{LIST}{article.pk}/do/withdraw/")
    assert Article.objects.get().withdrawn_at is not None


def test_no_sentence_of_it_ends_in_two_full_stops(desk: Client) -> None:
    """A date ends in one by itself: 2026 г."""
    article = make_article()
    build_digest(WEEK)
    for language in ("be", "ru", "en"):
        asked = visible_text(
            desk.get(f"{LIST}{article.pk}/do/withdraw/", headers={"accept-language": language})
        )
        assert " ".join(WEEK.label(language).split()).rstrip(".") in asked
        assert ".." not in asked


def test_a_public_article_is_not_deleted_past_its_withdrawal(desk: Client) -> None:
    article = make_article()
    desk.post(f"{LIST}{article.pk}/delete/", {"post": "yes"})
    desk.post(LIST, {"action": "delete_selected", "_selected_action": [article.pk], "post": "yes"})
    assert Article.objects.filter(pk=article.pk).exists()


def test_a_draft_can_be_deleted(desk: Client) -> None:
    article = make_article(published_in=())
    desk.post(f"{LIST}{article.pk}/delete/", {"post": "yes"})
    assert not Article.objects.exists()


# --- The list ------------------------------------------------------------------------


def test_the_list_asks_as_much_for_many_articles_as_for_few(desk: Client) -> None:
    make_article(title="One")
    few = count_queries(desk, LIST)
    for number in range(12):
        make_article(title=f"No {number}", topic=make_topic(code=f"t{number}"))
    assert count_queries(desk, LIST) == few


def test_the_list_tells_each_languages_state_in_words(desk: Client) -> None:
    article = make_article(written_in=("en", "be"), published_in=("be",))
    page = desk.get(LIST).content.decode()
    assert 'title="English: Draft"' in page
    assert 'title="Беларуская: Published"' in page
    assert 'title="Русский: Missing"' in page
    withdraw_language(article, "be", MONDAY_MORNING)
    assert 'title="Беларуская: Withdrawn"' in desk.get(LIST).content.decode()
    assert "16–22 November 2026" in page
    withdraw(article, MONDAY_MORNING)
    assert 'title="English: Withdrawn"' in desk.get(LIST).content.decode()


@pytest.mark.both_databases
def test_titles_are_found_whatever_their_case(desk: Client) -> None:
    make_article(title="")
    make_article(title="Other", written_in=("en",))
    for word in ("бюджэт", "БЮДЖЭТ", "Бюджэт", "budget", "бюд be"):
        page = visible_text(desk.get(LIST, {"q": word}))
        assert "Articles: 1" in page
        assert "The budget en" in page


def test_the_list_is_narrowed_by_the_state_of_a_language(desk: Client) -> None:
    make_article(title="Out", published_in=("be",))
    make_article(title="Waiting", published_in=())
    make_article(title="Gap", written_in=("en",), published_in=())
    for state, title in (("public", "Out"), ("waiting", "Waiting"), ("missing", "Gap")):
        page = visible_text(desk.get(LIST, {"language": f"be:{state}"}))
        found = [name for name in ("Out en", "Waiting en", "Gap en") if name in page]
        assert found == [f"{title} en"]


def test_the_list_is_narrowed_by_week(desk: Client) -> None:
    make_article(title="This")
    make_article(title="Before", week=WEEK.previous())
    page = visible_text(desk.get(LIST, {"week": str(WEEK.previous())}))
    assert "Before en" in page
    assert "This en" not in page


def test_a_nonsense_filter_is_no_crash(desk: Client) -> None:
    make_article()
    for query in ({"language": "xx"}, {"language": "be:x"}, {"week": "yesterday"}):
        assert desk.get(LIST, query).status_code in (200, 302)


def test_what_an_analyst_changes_in_a_public_text_is_handed_in(desk: Client) -> None:
    analyst = analyst_client()
    article = make_article(
        written_in=("ru",), owner=User.objects.get(username="analyst"), now=MONDAY_MORNING
    )
    before = article.title_ru
    page = analyst.post(
        change_url(article), form_data_of(article, title_ru="Иначе", title_be="Бюджэт"), follow=True
    )
    assert "Your changes in Русский wait for an editor" in visible_text(page)
    article.refresh_from_db()
    assert (article.title_ru, article.title_be) == (before, "Бюджэт")

    [draft] = Draft.objects.submitted()
    assert "analyst handed in changes" in visible_text(desk.get(change_url(article)))
    read = f"{change_url(article)}?draft={draft.pk}"
    assert 'value="Иначе"' in desk.get(read).content.decode()
    desk.post(read, form_data_of(article, title_ru="Иначе"))
    article.refresh_from_db()
    assert article.title_ru == "Иначе"
    assert not Draft.objects.exists()


def test_who_may_only_look_reads_the_texts_and_finds_no_button() -> None:
    article = make_article(published_in=("be",))
    page = analyst_client(may=()).get(change_url(article))
    assert "Бюджэт расце." in visible_text(page)
    assert 'name="_do"' not in page.content.decode()


def test_the_history_names_texts_and_facts_only(desk: Client) -> None:
    article = make_article(published_in=())
    desk.post(change_url(article), form_data_of(article, title_be="Іншы", seen="{}"))
    page = visible_text(desk.get(f"{LIST}{article.pk}/history/"))
    assert "Title" in page or "title" in page
    assert "base_" not in page
