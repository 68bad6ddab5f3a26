"""The desk, used as an analyst's browser uses it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import translation

from articles.gathering import gather
from articles.models import Article, Author, Digest, Masthead
from articles.publishing import publish, withdraw, withdraw_language
from newsroom import languages
from tests.factories import MONDAY_MORNING, WEEK, make_article, make_topic, make_user

pytestmark = pytest.mark.django_db
PUBLISHING = "articles.publish_article"
LIST, ADD = "/admin/articles/article/", "/admin/articles/article/add/"


@pytest.fixture
def desk() -> Client:
    """A superuser's browser."""
    client = Client()
    client.force_login(make_user())
    return client


def an_analyst(*, may: tuple[str, ...] = ("add_article", "change_article")) -> Client:
    """A member of staff with these permissions only."""
    user = User.objects.create_user("analyst", password="pass", is_staff=True)
    names = (*may, "view_article", "view_author", "view_topic")
    user.user_permissions.set(Permission.objects.filter(codename__in=names))
    client = Client()
    client.force_login(user)
    return client


def typed(**texts: Any) -> dict[str, Any]:
    """What the article's form posts: every text empty, unless said otherwise."""
    empty = {
        f"{field}_{code}": "" for code in languages.codes() for field in ("title", "lead", "body")
    }
    return {**empty, "topic": "", "week": "", "verdict": "", "cover_credit": "", **texts}


def as_saved(article: Article, **changes: Any) -> dict[str, Any]:
    """The form as the page of that article shows it, with these changes."""
    texts: dict[str, Any] = {}
    for code in languages.codes():
        text = article.text_in(code)
        texts |= {
            f"title_{code}": text.title,
            f"lead_{code}": text.lead,
            f"body_{code}": text.body,
        }
    shared = {
        "topic": article.topic_id or "",
        "week": str(article.week or ""),
        "verdict": article.verdict,
        "authors": list(article.authors.values_list("pk", flat=True)),
    }
    return typed(**{**texts, **shared, **changes})


def page_of(row: Any) -> str:
    return reverse(f"admin:articles_{row._meta.model_name}_change", args=[row.pk])


def said(response: Any) -> str:
    """The page's text with its markup taken out."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


# --- Writing -------------------------------------------------------------------------


def test_an_analyst_starts_in_russian_and_adds_belarusian_later(desk: Client) -> None:
    topic = make_topic()
    author = Author.objects.create(code="ana", name_en="Ana")
    desk.post(
        ADD,
        typed(
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

    desk.post(page_of(article), as_saved(article, title_be="Бюджэт"))
    rows = {row.language: row for row in article.article_languages.all()}
    assert set(rows) == {"ru", "be"}
    assert rows["be"].source_language == "ru"
    assert list(article.authors.all()) == [author], "saving again keeps the byline"


def test_an_article_without_a_title_is_refused_and_what_was_typed_stays(desk: Client) -> None:
    page = desk.post(ADD, typed(body_be="<p>Доўга пісалі.</p>"))
    assert "The article has no title. Write one in any one language." in said(page)
    assert "Доўга пісалі." in page.content.decode()
    assert not Article.objects.exists()


def test_a_second_verdict_on_a_topic_and_week_is_refused_at_the_form(desk: Client) -> None:
    make_article(verdict="improved")
    page = desk.post(
        ADD,
        typed(title_en="Another", topic=make_topic().pk, week=str(WEEK), verdict="worsened"),
    )
    assert page.status_code == 200
    assert "Another article already gives the verdict on this topic" in said(page)


def test_an_article_keeps_its_own_verdict(desk: Client) -> None:
    article = make_article(verdict="improved")
    answer = desk.post(page_of(article), as_saved(article, verdict="worsened"))
    assert answer.status_code == 302
    article.refresh_from_db()
    assert article.verdict == "worsened"


def test_a_withdrawn_article_gives_no_verdict(desk: Client) -> None:
    withdraw(make_article(verdict="improved"), MONDAY_MORNING)
    new = typed(title_en="Another", topic=make_topic().pk, week=str(WEEK), verdict="worsened")
    assert desk.post(ADD, new).status_code == 302


@pytest.mark.parametrize("emptied", ["", "<p>&nbsp;</p>", "<script>x</script>"])
def test_a_public_language_is_not_emptied_before_it_is_withdrawn(
    desk: Client, emptied: str
) -> None:
    article = make_article(published_in=("be",))
    page = desk.post(page_of(article), as_saved(article, body_be=emptied))
    assert "This language is public. Withdraw it before you empty it." in said(page)
    article.refresh_from_db()
    assert article.body_be == "<p>Бюджэт расце.</p>"


def test_a_draft_may_be_emptied(desk: Client) -> None:
    article = make_article(published_in=("en",))
    desk.post(page_of(article), as_saved(article, title_ru="", lead_ru="", body_ru=""))
    assert {row.language for row in article.article_languages.all()} == {"en", "be"}


def test_each_editor_is_told_its_language_and_each_language_has_one_tab(desk: Client) -> None:
    article = make_article()
    page = desk.get(page_of(article)).content.decode()
    for code, name in (("en", "English"), ("be", "Беларуская"), ("ru", "Русский")):
        assert f"&quot;contentsLanguage&quot;: &quot;{code}&quot;" in page
        assert re.search(rf'name="title_{code}"[^>]*lang="{code}"', page)
        assert name in page


# --- Publishing ----------------------------------------------------------------------


def test_save_and_publish_publishes_that_language_only_and_stays_on_the_page(
    desk: Client,
) -> None:
    article = make_article(published_in=())
    answer = desk.post(page_of(article), as_saved(article, lead_be="Новы.", _publish="be"))
    assert answer.headers["Location"] == page_of(article)
    article.refresh_from_db()
    assert article.lead_be == "Новы."
    assert article.public_languages == ["be"]


def test_a_new_article_is_published_at_once(desk: Client) -> None:
    new = typed(title_en="New", body_en="<p>Text.</p>", topic=make_topic().pk, week="2026-11-16")
    desk.post(ADD, {**new, "_publish": "en"})
    assert Article.objects.get().public_languages == ["en"]


def test_what_is_not_fit_to_be_published_is_saved_and_the_reasons_are_told(
    desk: Client,
) -> None:
    page = desk.post(ADD, typed(title_en="New", _publish="en"), follow=True)
    article = Article.objects.get()
    assert article.title_en == "New"
    assert article.public_languages == []
    told = said(page)
    assert "The body in English is missing." in told
    assert "The article has no topic." in told
    assert "The article has no week." in told


def test_who_may_not_publish_sees_no_such_button_and_cannot_force_it() -> None:
    article, analyst = make_article(published_in=()), an_analyst()
    assert 'name="_publish"' not in analyst.get(page_of(article)).content.decode()
    analyst.post(page_of(article), as_saved(article, _publish="en"))
    assert article.public_languages == []
    published = make_article(title="Other")
    answer = analyst.post(f"{LIST}{published.pk}/do/withdraw/")
    assert answer.status_code == 403
    published.refresh_from_db()
    assert published.withdrawn_at is None


def test_buttons_stand_for_what_can_be_done(desk: Client) -> None:
    article = make_article(published_in=("be",))
    page = desk.get(page_of(article)).content.decode()
    assert set(re.findall(r'name="_publish"[^>]*value="(\w+)"', page)) | set(
        re.findall(r'value="(\w+)"[^>]*name="_publish"', page)
    ) == {"en", "ru"}
    assert set(re.findall(r"/do/([\w-]+)/", page)) == {"withdraw-be", "withdraw"}


def test_a_whole_withdrawn_article_offers_no_publishing(desk: Client) -> None:
    article = make_article()
    withdraw(article, MONDAY_MORNING)
    page = desk.get(page_of(article)).content.decode()
    assert 'name="_publish"' not in page
    assert "/do/" not in page


def test_the_labels_follow_the_language_of_the_moment(
    desk: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    article = make_article(published_in=("be",))
    spoken: list[str] = []

    def translated(message: str) -> str:
        spoken.append(message)
        return message

    monkeypatch.setattr(translation._trans, "gettext", translated)
    desk.get(page_of(article))
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
    assert "Withdrawn in Беларуская." in said(page)
    assert Article.objects.get().public_languages == ["en", "ru"]


def test_the_whole_article_is_withdrawn_after_saying_what_vanishes(desk: Client) -> None:
    article = make_article()
    assert "It vanishes from the site" in said(desk.get(page_of(article)))
    desk.post(f"{LIST}{article.pk}/do/withdraw/")
    assert Article.objects.get().withdrawn_at is not None


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


def queries_of_the_list(desk: Client) -> int:
    with CaptureQueriesContext(connection) as asked:
        assert desk.get(LIST).status_code == 200
    return len(asked)


def test_the_list_asks_as_much_for_many_articles_as_for_few(desk: Client) -> None:
    make_article(title="One")
    queries_of_the_list(desk)  # Fills what is read once: permissions, content types.
    few = queries_of_the_list(desk)
    for number in range(12):
        make_article(title=f"No {number}", topic=make_topic(code=f"t{number}"))
    assert queries_of_the_list(desk) == few


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


@pytest.mark.parametrize("word", ["бюджэт", "БЮДЖЭТ", "Бюджэт", "budget", "бюд be"])
def test_titles_are_found_whatever_their_case(desk: Client, word: str) -> None:
    make_article(title="")
    make_article(title="Other", written_in=("en",))
    page = said(desk.get(LIST, {"q": word}))
    assert "1 article" in page
    assert "The budget en" in page


def test_the_list_is_narrowed_by_the_state_of_a_language(desk: Client) -> None:
    make_article(title="Out", published_in=("be",))
    make_article(title="Waiting", published_in=())
    make_article(title="Gap", written_in=("en",), published_in=())
    for state, title in (("public", "Out"), ("waiting", "Waiting"), ("missing", "Gap")):
        page = said(desk.get(LIST, {"language": f"be:{state}"}))
        found = [name for name in ("Out en", "Waiting en", "Gap en") if name in page]
        assert found == [f"{title} en"]


def test_the_list_is_narrowed_by_week(desk: Client) -> None:
    make_article(title="This")
    make_article(title="Before", week=WEEK.previous())
    page = said(desk.get(LIST, {"week": str(WEEK.previous())}))
    assert "Before en" in page
    assert "This en" not in page


def test_a_nonsense_filter_is_no_crash(desk: Client) -> None:
    make_article()
    for query in ({"language": "xx"}, {"language": "be:x"}, {"week": "yesterday"}):
        assert desk.get(LIST, query).status_code in (200, 302)


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
    assert re.search(r"No article of|This field is required|Enter a valid date", said(page))
    assert not Digest.objects.exists()


def test_a_second_digest_of_a_week_is_refused(desk: Client) -> None:
    make_article()
    digest = gather(WEEK)
    page = desk.post(f"{DIGESTS}add/", {"week": "2026-11-17"})
    assert "already exists" in said(page)
    assert list(Digest.objects.all()) == [digest]


def test_an_editor_reorders_removes_and_introduces(desk: Client) -> None:
    for number in range(3):
        make_article(title=f"No {number}", topic=make_topic(code=f"t{number}", position=number))
    digest = gather(WEEK)
    desk.post(
        page_of(digest),
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
    page = desk.get(page_of(gather(WEEK))).content.decode()
    offered = set(re.findall(r"<option[^>]*>\s*([^<]+?)\s*</option>", page))
    assert {"In en"} <= offered
    assert not {"Draft en", "Before en"} & offered


def test_a_digest_can_be_saved_though_something_in_it_was_withdrawn(desk: Client) -> None:
    gone = make_article(title="Gone", topic=make_topic(code="a"))
    make_article(title="Stays", topic=make_topic(code="b", position=2))
    digest = gather(WEEK)
    withdraw(gone, MONDAY_MORNING)
    answer = desk.post(page_of(digest), entries(digest, introduction_en="Hello."))
    assert answer.status_code == 302
    digest.refresh_from_db()
    assert digest.introduction_in("en") == "Hello."
    assert [str(article) for article in digest.ordered_articles()] == ["Stays en"]


def test_gathering_again_adds_what_came_later_by_a_post_only(desk: Client) -> None:
    make_article()
    digest = gather(WEEK)
    make_article(title="Late")
    again = f"{DIGESTS}{digest.pk}/do/gather/"
    assert desk.get(again).status_code == 405
    assert digest.entries.count() == 1
    assert "Articles added: 1." in said(desk.post(again, follow=True))


def test_an_approved_digest_is_read_only(desk: Client) -> None:
    make_article()
    digest = gather(WEEK)
    digest.mark_approved(make_user(), MONDAY_MORNING)
    answer = desk.post(page_of(digest), entries(digest, introduction_en="Sneaked in."))
    assert answer.status_code == 403
    desk.post(f"{DIGESTS}{digest.pk}/delete/", {"post": "yes"})
    digest.refresh_from_db()
    assert digest.introduction_in("en") == ""
    page = desk.get(page_of(digest)).content.decode()
    assert 'name="introduction_en"' not in page
    make_article(title="Late")
    told = said(desk.post(f"{DIGESTS}{digest.pk}/do/gather/", follow=True))
    assert "is approved" in told
    assert digest.entries.count() == 1


# --- The rest of the desk ------------------------------------------------------------


def test_the_masthead_is_one_row_that_is_never_deleted(desk: Client) -> None:
    masthead = "/admin/articles/masthead/"
    assert desk.get(masthead).headers["Location"] == f"{masthead}add/"
    names = {f"{name}_{code}": "" for code in languages.codes() for name in ("name", "tagline")}
    titles = {f"digest_title_{code}": "" for code in languages.codes()}
    desk.post(f"{masthead}add/", {**names, **titles, "name_be": "Малая газета"})
    assert Masthead.current().name_be == "Малая газета"  # type: ignore[attr-defined]
    assert desk.get(masthead).headers["Location"] == f"{masthead}1/change/"
    assert desk.get(f"{masthead}add/").status_code == 403
    assert desk.post(f"{masthead}1/delete/", {"post": "yes"}).status_code == 403


@pytest.mark.parametrize(
    "path",
    [
        "",
        "articles/article/",
        "articles/article/add/",
        "articles/author/",
        "articles/author/add/",
        "articles/digest/",
        "articles/digest/add/",
        "articles/masthead/add/",
        "articles/topic/",
        "articles/topic/add/",
        "auth/group/",
        "auth/group/add/",
        "auth/user/",
        "auth/user/add/",
        "auth/user/ME/change/",
        "auth/user/ME/password/",
    ],
)
def test_every_page_of_the_desk_opens_and_asks_no_other_host(desk: Client, path: str) -> None:
    make_article()
    gather(WEEK)
    page = desk.get(f"/admin/{path}".replace("ME", str(make_user().pk)))
    assert page.status_code == 200
    tags = r'<(?:script|link|img|iframe)[^>]*(?:src|href)="([^"]+)"'
    loaded = re.findall(tags, page.content.decode())
    assert [address for address in loaded if re.match(r"(?:https?:)?//", address)] == []


def test_no_page_of_the_desk_opens_without_logging_in(client: Client) -> None:
    article = make_article()
    for path in (LIST, ADD, page_of(article), f"{LIST}{article.pk}/do/withdraw/"):
        for ask in (client.get, client.post):
            answer = ask(path)
            assert answer.status_code == 302
            assert answer.headers["Location"].startswith("/admin/login/")


def test_a_publication_twice_is_one_publication(desk: Client) -> None:
    article = make_article(published_in=())
    publish(article, "en", MONDAY_MORNING)
    row = article.article_languages.get(language="en")
    desk.post(page_of(article), as_saved(article, _publish="en"))
    assert (
        row.published_at
        == MONDAY_MORNING
        == article.article_languages.get(language="en").published_at
    )
