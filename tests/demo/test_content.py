"""The demo newsroom, from a tiny folder of its own and from the real one."""

import datetime as dt
import io
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import translation
from PIL import Image

from articles.models import Article, Author, Digest, Page, SiteSettings, Topic, VerdictChange
from core.weeks import Week
from demo.content.content import FOLDER, InvalidDemoContent, read_content, to_html
from demo.content.covers import COVER_STYLES, draw_cover
from demo.content.loading import load_demo
from tests.covers import same_cover_for_all
from tests.factories import make_article, make_page, make_user

pytestmark = pytest.mark.django_db

NOW = dt.datetime(2026, 11, 25, 12, 0, tzinfo=dt.UTC)  # A Wednesday.
LAST_WEEK = Week(dt.date(2026, 11, 16))

NEWSROOM = """
masthead:
  name: {en: Little Paper, be: Малая газета, ru: Малая газета}
  tagline: {en: Small, be: Малая, ru: Малая}
  digest_title: {en: The week, be: Тыдзень, ru: Неделя}
topics:
  - code: elite
    name: {en: Elite, be: Эліта, ru: Элита}
  - code: west
    name: {en: West, be: Захад, ru: Запад}
authors:
  - code: ana
    name: {en: Ana, be: Ана, ru: Ана}
cover_credit: Drawn here
"""
WEEK_1 = """
articles:
  - topic: west
    verdict: worsened
    authors: [ana]
    en:
      title: "A border & a queue"
      lead: One gate closed.
      body: |
        The first paragraph
        goes on.

        ## What next?

        > Nobody said <this>.

        - one
        - two
    be: {title: Мяжа і чарга, lead: Адна брама зачынена., body: Тэкст.}
    ru: {title: Граница и очередь, lead: Одни ворота закрыты., body: Текст.}
  - topic: elite
    authors: [ana]
    be: {title: Толькі па-беларуску, lead: Пакуль так., body: Тэкст.}
"""
WEEK_2 = """
articles:
  - topic: elite
    verdict: unchanged
    authors: [ana]
    en: {title: An older one, lead: Nothing new., body: Text.}
"""

PAGES = """
about:
  title: {en: About, be: Пра нас}
  body: {en: We., be: Мы.}
privacy:
  title: {en: Privacy}
  body: {en: Nothing.}
"""


@pytest.fixture(autouse=True)
def quickly() -> Iterator[ExitStack]:
    """Covers are drawn only for the test that closes this."""
    with ExitStack() as stack:
        stack.enter_context(same_cover_for_all())
        yield stack


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "demo"
    (folder / "weeks").mkdir(parents=True)
    write(folder, "newsroom.yaml", NEWSROOM)
    write(folder, "weeks/1.yaml", WEEK_1)
    write(folder, "weeks/2.yaml", WEEK_2)
    write(folder, "introductions.yaml", "1: {en: This week., be: Гэты тыдзень.}\n")
    return folder


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text, encoding="utf-8")


# --- Loading -----------------------------------------------------------------------------


def test_the_newest_week_is_the_last_full_one(folder: Path) -> None:
    report = load_demo(make_user(), NOW, folder)
    assert str(report) == "Loaded 3 articles and 2 digests."
    weeks = Article.objects.order_by("week").values_list("imported_as", flat=True)
    assert set(weeks) == {
        "demo-2026-11-16-west",
        "demo-2026-11-16-elite",
        "demo-2026-11-09-elite",
    }
    assert [digest.week for digest in Digest.objects.all()] == [LAST_WEEK, LAST_WEEK.previous()]


def test_an_article_has_all_that_was_written(folder: Path) -> None:
    owner = make_user()
    load_demo(owner, NOW, folder)
    article = Article.objects.get(imported_as="demo-2026-11-16-west")
    assert article.owner == owner
    assert article.topic is not None
    assert article.topic.name_be == "Захад"
    assert article.verdict == "worsened"
    assert [author.code for author in article.authors.all()] == ["ana"]
    assert article.cover is not None
    assert article.cover.credit == "Drawn here"
    assert article.text_in("en").title == "A border & a queue"
    assert article.text_in("ru").lead == "Одни ворота закрыты."
    assert article.text_in("en").body == (
        "<p>The first paragraph goes on.</p>\n<h2>What next?</h2>\n"
        "<blockquote><p>Nobody said &lt;this&gt;.</p></blockquote>\n"
        "<ul><li>one</li><li>two</li></ul>"
    )
    assert article.public_languages == ["en", "be", "ru"]


def test_a_corrected_verdict_keeps_what_it_was(folder: Path) -> None:
    write(folder, "weeks/1.yaml", WEEK_1.replace("worsened", "worsened\n    was: improved"))
    load_demo(make_user(), NOW, folder)
    article = Article.objects.get(imported_as="demo-2026-11-16-west")
    assert article.verdict == "worsened"
    [change] = article.verdict_changes.all()
    assert (change.was, change.changed_at.date()) == ("improved", dt.date(2026, 11, 25))


def test_about_and_privacy_are_loaded_where_there_are_none(folder: Path) -> None:
    write(folder, "pages.yaml", PAGES)
    make_page(code="privacy", title="Our own")
    load_demo(make_user(), NOW, folder)
    about, privacy = Page.objects.all()
    assert about.written_in == ["en", "be"]
    assert about.body_in("be") == "<p>Мы.</p>"
    assert about.changed_in("be") == NOW
    assert privacy.title_in("be") == "Our own be"


def test_a_language_that_was_not_written_is_missing(folder: Path) -> None:
    load_demo(make_user(), NOW, folder)
    article = Article.objects.get(imported_as="demo-2026-11-16-elite")
    assert article.verdict == ""
    assert article.public_languages == ["be"]


def test_a_digest_has_its_introduction_and_its_articles_in_topic_order(folder: Path) -> None:
    load_demo(make_user(), NOW, folder)
    digest = Digest.objects.get(week=LAST_WEEK)
    assert not digest.is_approved
    assert digest.introduction_in("be") == "Гэты тыдзень."
    assert digest.introduction_in("ru") == ""
    codes = [article.topic.code for article in digest.ordered_articles() if article.topic]
    assert codes == ["elite", "west"]


def test_it_was_published_on_the_monday_after_the_week(folder: Path) -> None:
    load_demo(make_user(), NOW, folder)
    moments = [article.first_published_at() for article in Article.objects.of_week(LAST_WEEK)]
    monday = dt.datetime(2026, 11, 23, 8, 0, tzinfo=dt.UTC)
    assert sorted(moment for moment in moments if moment) == [
        monday,
        monday + dt.timedelta(minutes=11),
    ]


def test_nothing_is_published_in_the_future(folder: Path) -> None:
    early_monday = dt.datetime(2026, 11, 23, 0, 30, tzinfo=dt.UTC)
    load_demo(make_user(), early_monday, folder)
    moments = [article.first_published_at() for article in Article.objects.all()]
    assert max(moment for moment in moments if moment) == early_monday


def test_a_second_run_changes_nothing_even_weeks_later(folder: Path) -> None:
    owner = make_user()
    load_demo(owner, NOW, folder)
    before = set(Article.objects.values_list("pk", "imported_as"))
    for later in (NOW, NOW + dt.timedelta(weeks=3)):
        report = load_demo(owner, later, folder)
        assert str(report) == "Nothing was loaded: the demo is here already."
    assert set(Article.objects.values_list("pk", "imported_as")) == before
    assert Digest.objects.count() == 2


def test_the_newsrooms_own_names_stay(folder: Path) -> None:
    SiteSettings.objects.create(pk=1, name_en="Our own")
    Topic.objects.create(code="elite", name_en="Our elite")
    Author.objects.create(code="ana", name_en="Our Ana")
    load_demo(make_user(), NOW, folder)
    assert SiteSettings.current().name_en == "Our own"
    assert Topic.objects.get(code="elite").name_en == "Our elite"
    assert Author.objects.get(code="ana").name_en == "Our Ana"


def test_it_does_not_mix_with_the_newsrooms_own_articles(folder: Path) -> None:
    make_article(week=LAST_WEEK)
    report = load_demo(make_user(), NOW, folder)
    assert "articles of its own" in report.nothing_because
    assert Article.objects.count() == 1


def test_it_loads_alike_whatever_language_is_active(folder: Path) -> None:
    with translation.override("ru"):
        load_demo(make_user(), NOW, folder)
    assert SiteSettings.current().name_en == "Little Paper"
    assert Digest.objects.get(week=LAST_WEEK).introduction_in("en") == "This week."
    assert Digest.objects.get(week=LAST_WEEK).introduction_in("ru") == ""


def test_the_command_needs_an_owner(folder: Path) -> None:
    with pytest.raises(CommandError, match="createsuperuser"):
        call_command("load_demo")
    with pytest.raises(CommandError, match="no user nobody"):
        call_command("load_demo", owner="nobody")


# --- Broken files ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("weeks/1.yaml", "topic: west", "topic: wset", r"weeks/1\.yaml, article 1: 'wset' is no"),
        ("weeks/1.yaml", "topic: elite", "topic: west", r"article 2 \(west\): the week has"),
        ("weeks/1.yaml", "worsened", "worse", r"article 1 \(west\): 'worse' is no verdict"),
        ("weeks/1.yaml", "[ana]", "[anna]", r"\(west\): 'anna' is no author. Known: ana"),
        ("weeks/1.yaml", "lead: One", "lede: One", r"\(west\), en: lede is not known here"),
        ("weeks/1.yaml", "lead: Пакуль так.,", "", r"\(elite\), be: lead is missing"),
        ("weeks/1.yaml", "A border", "B" * 200, r"\(west\), en: title has 210 characters"),
        ("weeks/1.yaml", "articles:", "articles: [", r"weeks/1\.yaml: this is not YAML.*line"),
        ("weeks/2.yaml", WEEK_2, "", r"weeks/2\.yaml: here must stand names"),
        ("newsroom.yaml", "be: Малая газета, ", "be: , ", r"masthead, name: be is missing"),
        ("weeks/1.yaml", "worsened", "worsened\n    was: worse", r"'worse' is no verdict"),
        ("pages.yaml", "about:", "imprint:", r"pages\.yaml: imprint is not known here"),
        ("pages.yaml", ", be: Мы.", "", r"about: title and body have to be there in the same"),
        ("introductions.yaml", "1:", "9:", r"introductions\.yaml: there is no week 9"),
    ],
)
def test_a_broken_file_is_named_with_the_place(
    folder: Path, file: str, old: str, new: str, said: str
) -> None:
    write(folder, "pages.yaml", PAGES)
    text = (folder / file).read_text(encoding="utf-8")
    assert old in text
    write(folder, file, text.replace(old, new, 1))
    with pytest.raises(InvalidDemoContent, match=f"(?s){said}"):
        load_demo(make_user(), NOW, folder)
    assert not Article.objects.exists()
    assert not Topic.objects.exists()


def test_a_file_that_is_no_week_is_named(folder: Path) -> None:
    write(folder, "weeks/first.yaml", WEEK_2)
    with pytest.raises(InvalidDemoContent, match=r"weeks/first\.yaml"):
        read_content(folder)


def test_a_folder_without_weeks_is_said(folder: Path) -> None:
    for path in (folder / "weeks").iterdir():
        path.unlink()
    with pytest.raises(InvalidDemoContent, match=r"no file such as 1\.yaml"):
        read_content(folder)


@pytest.mark.parametrize(
    ("written", "html"),
    [
        ("One\ntwo\n\n\nThree", "<p>One two</p>\n<p>Three</p>"),
        ("## Heading\nand text", "<h2>Heading</h2>\n<p>and text</p>"),
        ("> said\n> so", "<blockquote><p>said so</p></blockquote>"),
        ("- one\n  goes on\n- two", "<ul><li>one goes on</li><li>two</li></ul>"),
        ('<b> & "quotes"', '<p>&lt;b&gt; &amp; "quotes"</p>'),
    ],
)
def test_the_notation_becomes_html(written: str, html: str) -> None:
    assert to_html(written) == html


# --- Covers ------------------------------------------------------------------------------


def test_a_cover_is_a_light_jpeg_and_always_the_same() -> None:
    for topic in (*COVER_STYLES, "a-topic-of-tomorrow"):
        drawn = draw_cover(topic, 3)
        assert len(drawn) < 120_000, topic
        with Image.open(io.BytesIO(drawn)) as picture:
            assert (picture.format, picture.size) == ("JPEG", (1200, 675)), topic
    assert drawn == draw_cover(topic, 3)
    assert drawn != draw_cover(topic, 4)


def test_a_loaded_article_has_its_cover(folder: Path, quickly: ExitStack) -> None:
    quickly.close()
    load_demo(make_user(), NOW, folder)
    article = Article.objects.get(imported_as="demo-2026-11-09-elite")
    assert article.cover is not None
    assert (article.cover.width, article.cover.height) == (1200, 675)
    assert Client().get(article.cover.path).headers["Content-Type"] == "image/jpeg"


# --- The real files ----------------------------------------------------------------------


def test_the_real_newsroom_has_every_name_in_every_language(folder: Path) -> None:
    write(folder, "newsroom.yaml", (FOLDER / "newsroom.yaml").read_text(encoding="utf-8"))
    for path in (folder / "weeks").iterdir():
        write(path.parent, path.name, path.read_text(encoding="utf-8").replace("ana", "hanna-lis"))
    content = read_content(folder)
    assert [topic.code for topic in content.topics] == [
        "elite",
        "society",
        "security",
        "west",
        "russia",
    ]
    assert set(COVER_STYLES) == {topic.code for topic in content.topics}
    named = [one.name for one in (*content.topics, *content.authors)]
    for translated in (*named, *content.masthead.values()):
        assert set(translated) == {"en", "be", "ru"}


def test_the_real_demo_loads_eight_weeks_in_three_languages() -> None:
    report = load_demo(make_user(), NOW)
    assert report.digests == 8
    assert report.articles == Article.objects.public().count()
    assert report.articles >= 32
    for language in ("en", "be", "ru"):
        assert Article.objects.in_language(language).count() >= 32
    assert Digest.objects.get(week=LAST_WEEK).introduction_in("be")
    assert VerdictChange.objects.of_public_articles().count() == 1
    for code in ("about", "privacy"):
        assert Page.objects.get(code=code).written_in == ["en", "be", "ru"]
