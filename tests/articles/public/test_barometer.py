"""The barometer: what stands in its cells, and what is kept of a verdict that was corrected."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from articles.editorial import workflow
from articles.editorial.saving import save_article
from articles.models import Article, Topic, VerdictChange
from articles.public import charts
from articles.public.barometer import (
    Barometer,
    Cell,
    build_barometer,
    topics_with_verdicts,
    years_with_verdicts,
)
from core.weeks import Week
from tests.factories import MONDAY_MORNING, WEEK, make_article, make_topic, make_user
from tests.svg_measures import elements_of, size_of, texts_of

pytestmark = pytest.mark.django_db
TUESDAY = MONDAY_MORNING + dt.timedelta(days=1)
WEDNESDAY = MONDAY_MORNING + dt.timedelta(days=2)


def change(article: Article, now: dt.datetime = TUESDAY, **facts: Any) -> None:
    for name, value in facts.items():
        setattr(article, name, value)
    save_article(article, by=make_user(), now=now)


def cells(language: str = "en", year: int | None = None) -> list[Cell]:
    return build_barometer(language, year).cells


def only_cell(language: str = "en") -> Cell:
    [cell] = cells(language)
    return cell


# --- What stands in a cell -----------------------------------------------------------------


def test_a_cell_has_the_verdict_and_leads_to_its_article() -> None:
    article = make_article(verdict="worsened")
    cell = only_cell("be")
    assert (cell.topic, cell.week, cell.verdict) == (article.topic, WEEK, "worsened")
    assert cell.path == article.path_in("be")
    assert cell.permalink == f"/be/{article.pk}/"
    assert cell.title == article.title_be
    assert cell.languages == ["en", "be", "ru"]
    assert cell.corrections == ()


def test_a_verdict_is_shown_in_every_language_and_leads_to_the_nearest_text() -> None:
    article = make_article(verdict="improved", written_in=("en", "ru"))
    cell = only_cell("be")
    assert (cell.language, cell.path) == ("ru", article.path_in("ru"))
    assert cell.languages == ["en", "ru"]


@pytest.mark.parametrize(
    "hidden",
    [
        {"published_in": ()},
        {"verdict": ""},
        {"week": None, "published_in": ()},
    ],
)
def test_what_is_no_public_verdict_has_no_cell(hidden: dict[str, Any]) -> None:
    make_article(**{"verdict": "improved", **hidden})
    assert cells() == []
    assert years_with_verdicts() == []


def test_what_is_withdrawn_leaves_no_cell_and_no_corrections() -> None:
    article = make_article(verdict="improved")
    change(article, verdict="worsened")
    workflow.withdraw(article, WEDNESDAY)
    assert cells() == []
    assert years_with_verdicts() == []


def test_a_cell_stays_while_one_language_is_public() -> None:
    article = make_article(verdict="improved", published_in=("en", "be"))
    workflow.withdraw_language(article, "be", WEDNESDAY)
    assert only_cell("be").language == "en"
    workflow.withdraw_language(article, "en", WEDNESDAY)
    assert cells() == []


@pytest.mark.both_databases
def test_topics_stand_in_their_order_and_weeks_in_time() -> None:
    west, elite = make_topic(code="west", position=2), make_topic(code="elite", position=1)
    for topic in (west, elite):
        make_article(topic=topic, verdict="improved")
        make_article(topic=topic, week=WEEK.previous(2), verdict="unchanged")
    make_topic(code="silent", position=0)
    found = build_barometer("en", 2026)
    assert [row.topic for row in found.rows] == [elite, west]
    assert [cell.week for cell in found.rows[0].cells] == [WEEK.previous(2), WEEK]
    assert [week for week, _cells in found.by_week] == [WEEK, WEEK.previous(2)]


def test_a_week_without_one_topics_verdict_has_an_empty_place_in_the_table() -> None:
    make_article(topic=make_topic(code="elite", position=1), verdict="improved")
    make_article(
        topic=make_topic(code="west", position=2), week=WEEK.previous(), verdict="worsened"
    )
    [(_this, this_week), (_last, last_week)] = build_barometer("en", 2026).by_week
    assert [bool(cell) for cell in this_week] == [True, False]
    assert [bool(cell) for cell in last_week] == [False, True]


def test_the_sum_goes_up_and_down_and_breaks_where_there_is_no_verdict() -> None:
    given = ("improved", "unchanged", "", "worsened", "worsened")
    for number, verdict in enumerate(given):
        make_article(week=WEEK.previous(len(given) - number), verdict=verdict)
    [row] = build_barometer("en", 2026).rows
    assert [total for _week, total in row.running_totals] == [1, 1, 0, -1]
    [(_row, picture)] = charts.line_charts(build_barometer("en", 2026), single_topic=True)
    [line] = elements_of(picture, "path", class_="highlighted")
    assert line["d"].count("M") == 2, "from nought, and anew after the week without one"
    [title] = elements_of(picture, "title")
    assert title["text"].endswith("ends at −1; the highest is +1, the lowest −1")
    assert texts_of(picture, "last") == ["\N{MINUS SIGN}1"]


# --- Years -----------------------------------------------------------------------------------


@pytest.mark.both_databases
@pytest.mark.parametrize(
    ("monday", "year"),
    [("2025-12-29", 2026), ("2026-12-28", 2026), ("2027-01-04", 2027), ("2020-12-28", 2020)],
)
def test_a_week_belongs_to_the_year_of_its_thursday(monday: str, year: int) -> None:
    make_article(week=Week.parse(monday), verdict="improved")
    assert years_with_verdicts() == [year]
    assert [str(cell.week) for cell in cells(year=year)] == [monday]
    assert cells(year=year - 1) == cells(year=year + 1) == []


def test_a_year_of_53_weeks_is_drawn_whole() -> None:
    for monday in ("2019-12-30", "2020-12-28"):
        make_article(week=Week.parse(monday), verdict="improved")
    found = build_barometer("en", 2020)
    assert len(found.weeks) == 53
    strips = charts.strips(found)
    widths = [size_of(strip)[0] for strip in strips]
    assert sum(widths) == 53 * charts.CELL_WIDTH
    assert max(widths) <= 280, "a phone of 320 pixels"
    first, last = elements_of(strips[0], "rect")[0], elements_of(strips[-1], "rect")[-1]
    assert first["x"] == "0"
    assert int(last["x"]) + charts.CELL_WIDTH == widths[-1]


def test_one_week_alone_is_drawn_in_its_own_quarter() -> None:
    make_article(verdict="improved")
    [strip] = charts.strips(build_barometer("en", 2026))
    assert elements_of(strip, "svg")[0]["aria-label"] == "October, November, December"
    assert len(elements_of(strip, "a")) == 1
    assert not elements_of(strip, "path"), "nothing was missed before the newsroom began"


def test_a_week_in_between_without_a_verdict_is_a_dot() -> None:
    make_article(verdict="improved")
    make_article(week=WEEK.previous(2), verdict="improved")
    [strip] = charts.strips(build_barometer("en", 2026))
    [dots] = elements_of(strip, "path", class_="dots")
    assert dots["d"].count("M") == 1


def test_months_are_named_in_the_language_and_by_themselves() -> None:
    make_article(verdict="improved")
    [strip] = charts.strips(build_barometer("be", 2026))
    assert texts_of(strip, "month") == ["кастрычнік", "лістапад", "снежань"]


def test_the_line_of_a_year_that_has_just_begun_is_as_wide_as_a_whole_years() -> None:
    make_article(verdict="improved")
    [(_row, autumn)] = charts.line_charts(build_barometer("en", 2026))
    make_article(week=Week.parse("2026-01-05"), verdict="improved")
    [(_row, year)] = charts.line_charts(build_barometer("en", 2026))
    for picture, months in ((autumn, ["Oct", "Nov", "Dec"]), (year, ["Jan", "Apr", "Jul", "Oct"])):
        named = [
            one
            for one in elements_of(picture, "text", class_="axis-label")
            if one["text"].isalpha()
        ]
        assert [one["text"] for one in named] == months
        assert float(named[0]["x"]) == charts.CHART_LEFT


def test_no_number_of_the_scale_stands_upon_nought() -> None:
    for number in range(14):
        make_article(week=WEEK.previous(number + 1), verdict="worsened")
    make_article(week=WEEK.previous(20), verdict="improved")
    [(_row, picture)] = charts.line_charts(build_barometer("en", 2026))
    assert texts_of(picture, "number") == ["0", "\N{MINUS SIGN}13"]


def test_a_long_name_is_shortened_in_the_picture_only() -> None:
    topic = make_topic()
    Topic.objects.filter(pk=topic.pk).update(name_en="A" * 100)
    make_article(topic=Topic.objects.get(), verdict="improved")
    found = build_barometer("en", 2026)
    [strip] = charts.strips(found)
    assert texts_of(strip, "label") == ["A" * (charts.MAX_LABEL_LENGTH - 1) + "…"]
    assert str(found.rows[0].topic) == "A" * 100


# --- Corrections -----------------------------------------------------------------------------


def corrections(cell: Cell) -> list[tuple[str, dt.datetime]]:
    return [(one.previous, one.corrected_at) for one in cell.corrections]


def test_a_corrected_verdict_keeps_what_it_was_and_when() -> None:
    article = make_article(verdict="improved")
    change(article, verdict="unchanged")
    change(article, WEDNESDAY, verdict="worsened")
    cell = only_cell()
    assert cell.verdict == "worsened"
    assert corrections(cell) == [("improved", TUESDAY), ("unchanged", WEDNESDAY)]
    assert build_barometer("en", 2026).has_corrections


def test_a_verdict_that_changes_before_it_came_out_is_no_correction() -> None:
    article = make_article(verdict="improved", published_in=())
    change(article, verdict="worsened")
    workflow.publish(article, "en", WEDNESDAY)
    assert corrections(only_cell()) == []


def test_a_verdict_that_changes_while_withdrawn_is_a_correction() -> None:
    article = make_article(verdict="improved", published_in=("en",))
    workflow.withdraw_language(article, "en", MONDAY_MORNING)
    change(article, verdict="worsened")
    workflow.publish(article, "en", WEDNESDAY)
    assert corrections(only_cell()) == [("improved", TUESDAY)]


def test_a_text_that_changes_is_no_correction_of_the_verdict() -> None:
    article = make_article(verdict="improved")
    change(article, title_en="Another title")
    assert not VerdictChange.objects.exists()


def test_a_verdict_that_was_taken_back_leaves_a_mark_that_leads_to_its_article() -> None:
    article = make_article(verdict="improved")
    change(article, verdict="")
    cell = only_cell()
    assert (cell.verdict, cell.article_id) == ("", article.pk)
    assert corrections(cell) == [("improved", TUESDAY)]
    assert build_barometer("en", 2026).has_retractions
    assert years_with_verdicts() == [2026]
    assert topics_with_verdicts(2026) == [article.topic]
    assert charts.line_charts(build_barometer("en", 2026)) == []


def test_a_verdict_that_came_late_says_that_there_was_none() -> None:
    article = make_article(verdict="")
    change(article, verdict="improved")
    assert corrections(only_cell()) == [("", TUESDAY)]


@pytest.mark.both_databases
def test_an_article_that_moves_leaves_its_place_and_comes_to_another() -> None:
    article = make_article(verdict="improved")
    change(article, week=WEEK.previous())
    came, left = cells()
    assert (came.week, came.verdict, corrections(came)) == (
        WEEK.previous(),
        "improved",
        [("", TUESDAY)],
    )
    assert (left.week, left.verdict, corrections(left)) == (WEEK, "", [("improved", TUESDAY)])
    assert left.article_id == article.pk


def test_another_article_may_give_the_verdict_that_the_first_took_back() -> None:
    article = make_article(verdict="improved")
    change(article, verdict="")
    other = make_article(verdict="worsened", title="Another")
    cell = only_cell()
    assert (cell.verdict, cell.article_id) == ("worsened", other.pk)
    assert corrections(cell) == [("improved", TUESDAY)]


# --- Many ------------------------------------------------------------------------------------


def a_year(topics: int, *, beside: int = 0) -> Barometer:
    for number in range(beside, topics):
        make_article(topic=make_topic(code=f"t{number}", position=number), verdict="improved")
    return build_barometer("en", 2026)


@pytest.mark.both_databases
def test_the_number_of_queries_is_the_same_for_many(django_assert_num_queries: Any) -> None:
    a_year(2)
    change(Article.objects.earliest("pk"), verdict="")
    with django_assert_num_queries(4):
        build_barometer("en", 2026)
    a_year(6, beside=2)
    change(Article.objects.latest("pk"), verdict="")
    with django_assert_num_queries(4):
        build_barometer("en", 2026)


def test_only_the_topics_asked_for_are_read() -> None:
    a_year(3)
    wanted = Topic.objects.filter(code="t1")
    found = build_barometer("en", 2026, list(wanted))
    assert [row.topic.code for row in found.rows] == ["t1"]
    assert [topic.code for topic in topics_with_verdicts(2026)] == ["t0", "t1", "t2"]
