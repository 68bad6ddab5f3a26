"""How far a week is, topic by topic and language by language, and what its gaps mean."""

from __future__ import annotations

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from articles.editorial import workflow
from articles.editorial.coverage import (
    coverage_matrix,
    gap_policies,
    gaps_on_hold,
    save_gap_policies,
    text_for_edition,
)
from articles.editorial.digest_builder import build_digest
from articles.editorial.saving import save_article
from articles.models import Article, Digest
from articles.models.digests import GapPolicy
from tests.articles.admin.test_digests import entries
from tests.articles.browser import change_url, visible_text
from tests.factories import MONDAY_MORNING, WEEK, make_article, make_topic

pytestmark = pytest.mark.django_db


def states() -> list[tuple[str, list[str]]]:
    return [
        (row.topic.code if row.topic else "", [cell.state for cell in row.cells])
        for row in coverage_matrix(WEEK)
    ]


def test_each_topic_says_how_far_each_language_is() -> None:
    elite, west = make_topic(code="elite", position=1), make_topic(code="west", position=2)
    make_topic(code="empty", position=3)
    article = make_article(topic=elite, published_in=("en",))
    workflow.submit_for_review(article, "be")
    make_article(topic=west, written_in=("ru",))
    make_article(topic=west, week=WEEK.previous())
    assert states() == [
        ("elite", ["published", "review", "draft"]),
        ("west", ["missing", "missing", "published"]),
        ("empty", ["missing", "missing", "missing"]),
    ]


def test_a_public_translation_whose_source_moved_on_is_stale() -> None:
    article = make_article(written_in=("ru",))
    article.title_be, article.body_be = "Бюджэт", "<p>Бюджэт расце.</p>"
    save_article(article, by=article.owner, now=MONDAY_MORNING)
    workflow.publish(article, "be", MONDAY_MORNING)
    article.title_ru = "Иначе"
    save_article(article, by=article.owner, now=MONDAY_MORNING)
    assert states() == [("elite", ["missing", "stale", "published"])]


def test_two_articles_of_a_topic_and_one_without_are_all_there() -> None:
    for title in ("One", "Two"):
        make_article(title=title)
    loose = make_article(title="Loose", published_in=())
    Article.objects.filter(pk=loose.pk).update(topic=None)
    withdrawn = make_article(title="Gone")
    workflow.withdraw(withdrawn, MONDAY_MORNING)
    assert [code for code, _states in states()] == ["elite", "elite", ""]


def test_the_matrix_asks_the_database_as_often_for_many_as_for_few() -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as asked:
            coverage_matrix(WEEK)
        return len(asked)

    make_article()
    few = queries()
    for number in range(8):
        make_article(topic=make_topic(code=f"t{number}"), title=f"No {number}")
    assert queries() == few <= 6


# --- Gaps ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("published", "policies", "shown"),
    [
        (("be", "ru"), {}, "be"),
        (("ru",), {}, "ru"),
        (("en",), {}, None),
        (("ru",), {"be": GapPolicy.LEAVE_OUT}, None),
        (("en",), {"be": GapPolicy.SHOW_OTHER}, "en"),
        (("en",), {"ru": GapPolicy.SHOW_OTHER}, "en"),
        (("ru", "en"), {"be": GapPolicy.SHOW_OTHER}, "ru"),
        (("en",), {"be": GapPolicy.SHOW_OTHER, "ru": GapPolicy.LEAVE_OUT}, None),
        ((), {"be": GapPolicy.SHOW_OTHER}, None),
        # Published meanwhile: there is no gap any more.
        (("be",), {"be": GapPolicy.LEAVE_OUT}, "be"),
    ],
)
def test_an_edition_in_be_and_ru_shows(
    published: tuple[str, ...], policies: dict[str, str], shown: str | None
) -> None:
    article = make_article(published_in=published)
    known = {(article.topic_id or 0, code): policy for code, policy in policies.items()}
    text = text_for_edition(article, ["be", "ru"], known)
    assert (text.language if text else None) == shown


def test_a_digest_is_held_until_the_cell_is_published() -> None:
    article = make_article(published_in=("en",))
    empty = make_topic(code="empty", position=2)
    digest = build_digest(WEEK)
    save_gap_policies(
        digest,
        [(article.topic_id or 0, "be", "hold"), (empty.pk, "en", "hold")],
    )
    held = {(cell.topic.code, cell.language) for cell in gaps_on_hold(digest) if cell.topic}
    assert held == {("elite", "be"), ("empty", "en")}
    workflow.publish(article, "be", MONDAY_MORNING)
    make_article(topic=empty, written_in=("en",))
    assert gaps_on_hold(digest) == []


def test_policies_are_chosen_with_the_digests_form(desk: Client) -> None:
    article = make_article(published_in=("en",))
    digest = build_digest(WEEK)
    page = desk.get(change_url(digest)).content.decode()
    topic = article.topic_id or 0
    assert set(re.findall(r'name="(gap-[\w-]+)"', page)) == {f"gap-{topic}-be", f"gap-{topic}-ru"}
    sent = entries(digest, **{f"gap-{topic}-be": "hold", f"gap-{topic}-ru": "nonsense"})
    assert desk.post(change_url(digest), sent).status_code == 302
    assert gap_policies(digest) == {(topic, "be"): "hold"}
    assert '<option value="hold" selected>' in desk.get(change_url(digest)).content.decode()
    desk.post(change_url(digest), entries(digest, **{f"gap-{topic}-be": ""}))
    assert gap_policies(Digest.objects.get()) == {}


def test_each_cell_leads_to_where_it_is_mended(desk: Client) -> None:
    article = make_article(published_in=("en",))
    empty = make_topic(code="empty", position=2)
    page = desk.get(change_url(build_digest(WEEK))).content.decode()
    assert f'href="{change_url(article)}?tab=' in page
    new = re.search(rf'href="([^"]*\?topic={empty.pk}&amp;week={WEEK}&amp;tab=[^"]*)"', page)
    assert new is not None
    form = desk.get(new[1].replace("&amp;", "&")).content.decode()
    assert re.search(rf'<option value="{empty.pk}" selected', form)
    assert f'value="{WEEK}"' in form
    assert "How far the week is" in visible_text(desk.get(change_url(Digest.objects.get())))
