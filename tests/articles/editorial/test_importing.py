"""Articles from JSON lines: whatever stands in the file."""

from __future__ import annotations

import datetime as dt
import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from articles.editorial.importing import ImportOptions, ImportReport, import_articles
from articles.models import Article
from core.weeks import Week
from tests.factories import WEEK, make_article, make_topic, make_user

pytestmark = pytest.mark.django_db

NOW = dt.datetime(2026, 11, 25, 12, 0, tzinfo=dt.UTC)  # A Wednesday.
SENTENCES = ["Title", "Lead.", "One.", "Two.", "Three.", "Four.", "Five <b>& six</b>."]
FIT = {"topic": "elite", "week": "2026-11-16"}


def line(*, id: str = "a", **rest: Any) -> str:
    return json.dumps({"id": id, "en": SENTENCES, **rest}, ensure_ascii=False)


def imported(*lines: str, **options: Any) -> ImportReport:
    return import_articles(lines, ImportOptions(owner=make_user(), now=NOW, **options))


def run(path: Path, *arguments: str) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("import_articles", str(path), *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_the_first_sentence_is_the_title_the_second_the_lead_the_rest_paragraphs_by_four() -> None:
    assert imported(line(be=["Загаловак", "Лід."])).imported == 1
    article = Article.objects.get()
    assert (article.text_in("en").title, article.text_in("en").lead) == ("Title", "Lead.")
    assert article.text_in("en").body == (
        "<p>One. Two. Three. Four.</p><p>Five &lt;b&gt;&amp; six&lt;/b&gt;.</p>"
    )
    assert article.text_in("be").title == "Загаловак"
    assert article.text_in("be").body == ""
    assert article.text_in("ru").is_empty
    assert article.created_at == NOW
    assert article.owner == make_user()


@pytest.mark.both_databases
def test_nothing_is_imported_twice() -> None:
    assert imported(line(), line()).known == 1
    again = imported(line(), line(id="b"))
    assert (again.known, again.imported) == (1, 1)
    assert Article.objects.count() == 2


def test_topic_week_and_verdict_are_taken_as_they_stand() -> None:
    make_topic()
    imported(line(**FIT, verdict="worsened"))
    article = Article.objects.get()
    assert article.topic is not None
    assert (article.topic.code, article.week, article.verdict) == ("elite", WEEK, "worsened")


def test_publishing_takes_every_language_that_is_fit_and_leaves_the_rest_as_drafts() -> None:
    make_topic()
    report = imported(
        line(**FIT, be=SENTENCES, ru=["Только заголовок"]),
        line(id="nowhere"),
        publish=True,
    )
    assert (report.imported, report.published, report.drafts) == (2, 1, 1)
    whole, homeless = Article.objects.order_by("pk")
    assert whole.public_languages == ["en", "be"]
    assert homeless.public_languages == []


def test_lines_are_spread_evenly_over_topics_and_full_weeks_and_the_same_way_each_time() -> None:
    topics = [make_topic(code=code, position=place) for place, code in enumerate("abc")]
    imported(*(line(id=str(number)) for number in range(12)), spread_weeks=4)
    places = {(article.topic, article.week) for article in Article.objects.all()}
    weeks = [Week.last_full(NOW.date()).previous(back) for back in range(4)]
    assert places == {(topic, week) for topic in topics for week in weeks}
    first = Article.objects.get(imported_as="0")
    assert first.week == WEEK, "the newest is the last full week"


def test_what_says_its_place_is_not_moved_by_spreading() -> None:
    make_topic()
    make_topic(code="west", position=2)
    imported(line(topic="west", week="2026-01-05"), spread_weeks=4)
    article = Article.objects.get()
    assert article.topic is not None
    assert (article.topic.code, str(article.week)) == ("west", "2026-01-05")


BAD = [
    ("{", "not JSON"),
    ("nonsense", "not JSON"),
    ("[" * 100_000, "not JSON"),
    ('{"id": "x", "en": ["t"], "n": ' + "1" * 5000 + "}", "not JSON"),
    ("[1]", "has to be an object"),
    ("null", "has to be an object"),
    (json.dumps({"en": SENTENCES}), "id is missing"),
    (json.dumps({"id": 7, "en": SENTENCES}), "id is missing"),
    (json.dumps({"id": " ", "en": SENTENCES}), "id is missing"),
    (line(id="x" * 201), "id is longer"),
    (json.dumps({"id": "x"}), "There is no text"),
    (json.dumps({"id": "x", "de": SENTENCES}), "There is no text"),
    (line(id="x", en="Title"), "list of sentences"),
    (line(id="x", be={"title": "x"}), "list of sentences"),
    (line(id="x", be=["Title", 7]), "list of sentences"),
    (line(id="x", be=None), "list of sentences"),
    (line(id="x", be=[]), "no title"),
    (line(id="x", be=["  ", "Lead."]), "no title"),
    (line(id="x", be=["x" * 201]), "longer than 200"),
    (line(id="x", topic="cooking"), "There is no topic 'cooking'"),
    (line(id="x", topic=["elite"]), "topic"),
    (line(id="x", topic={}), "topic"),
    (line(id="x", topic=7), "topic"),
    (line(id="x", week="2026-11-17"), "not a Monday"),
    (line(id="x", week="soon"), "not a date"),
    (line(id="x", week=[]), "not a date"),
    (line(id="x", week=20261116), "not a date"),
    (line(id="x", verdict="better"), "The verdict is"),
    (line(id="x", verdict=["improved"]), "The verdict is"),
    (line(id="x", verdict=0), "The verdict is"),
    (line(id="x", **FIT, verdict="improved"), "already gives the verdict"),
    ('{"id": "x", "en": ["Title \\ud800"]}', "cannot be stored"),
    ('{"id": "x\\ud800", "en": ["Title"]}', "cannot be stored"),
    ('{"id": "x", "en": ["Title \\u0000"]}', "cannot be stored"),
]


@pytest.mark.both_databases
def test_a_bad_line_is_told_by_its_number_and_the_others_go_on() -> None:
    make_article(topic=make_topic(), verdict="worsened")
    bad, reasons = zip(*BAD, strict=True)
    report = imported(line(id="first"), "", *bad, line(id="last"))
    assert report.imported == 2
    assert [number for number, _told in report.bad] == list(range(3, 3 + len(BAD)))
    for (_number, told), reason in zip(report.bad, reasons, strict=True):
        assert reason in told
    kept = Article.objects.exclude(imported_as="").values_list("imported_as", flat=True)
    assert set(kept) == {"first", "last"}


def test_a_null_topic_week_or_verdict_is_none_at_all() -> None:
    assert imported(line(topic=None, week=None, verdict=None)).bad == []
    assert imported(line(id="b", verdict="")).bad == []


# --- The command ---------------------------------------------------------------------


def test_the_command_tells_what_became_of_the_file(tmp_path: Path) -> None:
    make_user()
    make_topic()
    path = tmp_path / "news.jsonl"
    path.write_text(f"\ufeff{line()}\n\n{line(id='b')}\n", encoding="utf-8")
    out, _err = run(path, "--spread-weeks", "2", "--publish")
    assert out == "2 imported (2 published, 0 drafts), 0 there already, 0 bad\n"
    out, _err = run(path)
    assert "2 there already" in out


def test_the_command_exits_with_1_if_any_line_was_bad_and_keeps_the_good_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_user()
    path = tmp_path / "news.jsonl"
    path.write_text(f"{{\n{line()}\n", encoding="utf-8")
    with pytest.raises(SystemExit) as left:
        call_command("import_articles", str(path))
    assert left.value.code == 1
    assert "Line 1: This is not JSON" in capsys.readouterr().err
    assert Article.objects.count() == 1


def test_a_file_that_cannot_be_read_is_told_so(tmp_path: Path) -> None:
    make_user()
    with pytest.raises(CommandError, match=r"cannot be read: No such file"):
        run(tmp_path / "nowhere.jsonl")
    with pytest.raises(CommandError, match=r"cannot be read: Is a directory"):
        run(tmp_path)
    latin = tmp_path / "latin.jsonl"
    latin.write_bytes('{"id": "Бел"}'.encode("cp1251"))
    with pytest.raises(CommandError, match="not UTF-8"):
        run(latin)


def test_somebody_has_to_own_them(tmp_path: Path) -> None:
    path = tmp_path / "news.jsonl"
    path.write_text(line(), encoding="utf-8")
    with pytest.raises(CommandError, match="no superuser yet"):
        run(path)
    make_user()
    with pytest.raises(CommandError, match="no user ana"):
        run(path, "--owner", "ana")
    ana = User.objects.create_user("ana")
    run(path, "--owner", "ana")
    assert Article.objects.get().owner == ana


@pytest.mark.parametrize("weeks", ["-1", "521"])
def test_so_many_weeks_there_are_not(tmp_path: Path, weeks: str) -> None:
    make_user()
    with pytest.raises(CommandError, match="--spread-weeks"):
        run(tmp_path, f"--spread-weeks={weeks}")
