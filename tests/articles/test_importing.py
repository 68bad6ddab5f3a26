"""Articles from a file: each line by itself, nothing twice."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from articles.importing import ImportReport, Options, import_articles
from articles.models import Article
from newsroom.weeks import Week
from tests.factories import MONDAY_MORNING, WEEK, make_article, make_topic, make_user

pytestmark = pytest.mark.django_db


def line(identity: str = "one", **fields: Any) -> str:
    text = {"en": ["Title", "Lead.", "A.", "B.", "C.", "D.", "E & <b>."]}
    return json.dumps({"id": identity, **text, **fields})


def run(*lines: str, spread_weeks: int = 0, publish: bool = False) -> ImportReport:
    options = Options(make_user(), MONDAY_MORNING, spread_weeks, publish)
    return import_articles(io.StringIO("\n".join(lines)), options)


def test_the_first_sentence_is_the_title_the_second_the_lead_and_the_rest_go_by_four() -> None:
    assert run(line()).imported == 1
    article = Article.objects.get()
    assert (article.title_en, article.lead_en) == ("Title", "Lead.")
    assert article.body_en == "<p>A. B. C. D.</p><p>E &amp; &lt;b&gt;.</p>"
    assert not article.title_be
    assert [row.language for row in article.article_languages.all()] == ["en"]


def test_topic_week_and_verdict_are_taken_if_they_are_there() -> None:
    make_topic(code="west")
    report = run(line(topic="west", week="2026-11-16", verdict="improved"), publish=True)
    assert (report.imported, report.published) == (1, 1)
    article = Article.objects.get()
    assert (article.topic.code, article.week, article.verdict) == ("west", WEEK, "improved")


def test_without_topic_and_week_it_stays_a_draft() -> None:
    report = run(line(), publish=True)
    assert (report.imported, report.published, report.drafts) == (1, 0, 1)
    assert not Article.objects.public().exists()


def test_lines_are_spread_over_the_topics_and_the_last_full_weeks() -> None:
    topics = {make_topic(code=f"t{number}", position=number) for number in range(3)}
    report = run(*(line(str(n)) for n in range(12)), spread_weeks=2, publish=True)
    assert report.published == 12
    weeks = set(Article.objects.values_list("week", flat=True))
    assert weeks == {Week.parse("2026-11-16"), Week.parse("2026-11-09")}
    for topic in topics:
        assert Article.objects.filter(topic=topic).count() == 4


@pytest.mark.both_databases
def test_nothing_is_imported_twice() -> None:
    run(line("one"))
    report = run(line("one"), line("two"))
    assert (report.imported, report.known) == (1, 1)


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("{", "not JSON"),
        ("[]", "object"),
        ('{"en": ["T"]}', "id is missing"),
        ('{"id": "x"}', "no text"),
        ('{"id": "x", "en": "T"}', "list of sentences"),
        ('{"id": "x", "en": [1]}', "list of sentences"),
        ('{"id": "x", "en": [""]}', "no title"),
        ('{"id": "x", "en": []}', "no title"),
        (line("x", en=["T" * 201]), "longer than 200"),
        (line("x", topic="nowhere"), "no topic 'nowhere'"),
        (line("x", week="2026-11-17"), "not a Monday"),
        (line("x", week="soon"), "not a date"),
        (line("x", verdict="great"), "verdict is 'great'"),
        (line("i" * 300), "longer than 200"),
    ],
)
def test_a_bad_line_is_named_by_its_number_and_the_rest_goes_on(bad: str, why: str) -> None:
    report = run(line("before"), "", bad, line("after"))
    assert report.imported == 2
    [(number, reason)] = report.bad
    assert number == 3
    assert why in reason
    assert Article.objects.count() == 2


@pytest.mark.both_databases
def test_a_second_verdict_for_a_topic_and_week_is_a_bad_line() -> None:
    make_article(verdict="improved")
    report = run(line("x", topic="elite", week=str(WEEK), verdict="worsened"))
    assert "verdict" in report.bad[0][1]


def test_the_command_reports_and_fails_if_a_line_was_bad(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_user()
    path = tmp_path / "news.jsonl"
    path.write_text("\ufeff" + line("good") + "\n{\n", encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        call_command("import_articles", path)
    assert ended.value.code == 1
    said = capsys.readouterr()
    assert "1 imported (0 published, 1 drafts), 0 there already, 1 bad" in said.out
    assert "Line 2: This is not JSON" in said.err


def test_a_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    make_user()
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("import_articles", tmp_path / "none")
    (tmp_path / "old").write_bytes("Загаловак".encode("cp1251"))
    with pytest.raises(CommandError, match="not UTF-8"):
        call_command("import_articles", tmp_path / "old")


def test_without_a_superuser_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="createsuperuser"):
        call_command("import_articles", tmp_path / "none")
