"""What the views and tags of a page hand to its template, ready to be written."""

from __future__ import annotations

import pytest
from django.core.paginator import Paginator
from django.utils import translation

from articles.admin.language_panels import LanguagePanel, language_panel
from articles.editorial.coverage import Row
from articles.models import ArticleLanguage, Status
from articles.public import selectors
from articles.templatetags.article_admin import language_tab
from articles.templatetags.site import HeadLink, canonical_links, caption_line, caption_parts
from tests.factories import make_article, make_picture, make_user


def pager(number: int, *, count: int) -> selectors.Pager | None:
    return selectors.pager(Paginator(range(count), 10).page(number), "topic", "en", "elite")


# --- Pages of a list -----------------------------------------------------------------


def test_a_list_on_one_page_leads_to_no_other() -> None:
    assert pager(1, count=10) is None


def test_the_first_page_of_a_list_has_an_address_without_a_number() -> None:
    assert pager(2, count=30) == selectors.Pager(2, 3, "/en/topics/elite/", "/en/topics/elite/3/")


def test_nothing_is_newer_than_the_first_page_nor_older_than_the_last() -> None:
    first, last = pager(1, count=20), pager(2, count=20)
    assert first
    assert first.newer == ""
    assert first.older == "/en/topics/elite/2/"
    assert last
    assert last.newer == "/en/topics/elite/"
    assert last.older == ""


# --- A page's own canonical_links ----------------------------------------------------------


@pytest.fixture
def _site(settings: object) -> None:
    settings.SITE_URL = "https://news.example"  # type: ignore[attr-defined]


@pytest.mark.usefixtures("_site")
def test_a_page_names_every_language_that_it_is_there_in_and_its_own_address() -> None:
    there = selectors.alternates_from_paths({"en": "/en/1/", "be": "/be/1/"}, "be", ["en", "be"])
    assert canonical_links(there) == [
        HeadLink("alternate", "en", "https://news.example/en/1/"),
        HeadLink("alternate", "x-default", "https://news.example/en/1/"),
        HeadLink("alternate", "be", "https://news.example/be/1/"),
        HeadLink("canonical", "", "https://news.example/be/1/"),
    ]


def test_a_page_that_is_not_there_in_its_language_names_no_address() -> None:
    assert (
        canonical_links(
            selectors.alternates_from_paths({"en": "/en/1/", "be": "/be/1/"}, "be", ["en"])
        )
        == []
    )


# --- A picture's caption -------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("caption", "credit", "line"),
    [("A & B", "C <D>", "A & B · C <D>"), ("", "C", "C"), ("A", "", "A"), ("", "", "")],
)
def test_a_caption_and_a_credit_stand_in_one_line(caption: str, credit: str, line: str) -> None:
    picture = make_picture(caption_en=caption, credit=credit)
    with translation.override("en"):
        assert caption_line(picture) == line


@pytest.mark.django_db
def test_a_credit_is_in_no_language_and_its_characters_are_no_markup() -> None:
    picture = make_picture(caption_en="A", credit="C <D>")
    with translation.override("en"):
        credit = '<span lang="" translate="no">C &lt;D&gt;</span>'
        assert caption_parts(picture) == ["A", credit]


# --- The desk ------------------------------------------------------------------------


def test_a_new_articles_form_is_opened_at_a_language() -> None:
    assert language_tab("en", topic=1) == "/admin/articles/article/add/?topic=1&tab=english"


def test_an_articles_form_is_opened_at_a_language() -> None:
    assert language_tab("en", 1234) == "/admin/articles/article/1234/change/?tab=english"


@pytest.mark.django_db
def test_only_a_public_article_outside_the_digest_could_be_chosen() -> None:
    public, draft = make_article(), make_article(published_in=())
    assert Row(None, public, [], is_in_digest=False).can_be_added
    assert not Row(None, public, [], is_in_digest=True).can_be_added
    assert not Row(None, draft, [], is_in_digest=False).can_be_added
    assert not Row(None, None, [], is_in_digest=False).can_be_added


def panel(status: str, **row: object) -> LanguagePanel:
    """An editor's, of an article whose English has that status."""
    article = make_article()
    ArticleLanguage.objects.filter(article=article, language="en").update(status=status, **row)
    return language_panel(make_user(), type(article).objects.get(pk=article.pk), "en", None, None)


@pytest.mark.django_db
def test_saving_a_public_language_publishes_at_once_and_its_button_says_so() -> None:
    public, draft = panel(Status.PUBLISHED), panel(Status.DRAFT)
    assert public.publishes_at_once
    assert public.public_since is not None
    assert public.save_label == "Publish changes"
    assert not draft.publishes_at_once
    assert draft.public_since is None
    assert draft.save_label == "Save"


@pytest.mark.django_db
def test_a_remark_stands_until_the_language_is_public() -> None:
    assert panel(Status.DRAFT, remark="Shorter").remark == "Shorter"
    assert panel(Status.PUBLISHED, remark="Shorter").remark == ""


@pytest.mark.django_db
def test_only_what_waits_for_review_can_be_sent_back() -> None:
    assert panel(Status.REVIEW).may_request_changes
    assert not panel(Status.DRAFT).may_request_changes
