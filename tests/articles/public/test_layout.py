"""The layout of the public pages in Chromium: hyphenation and overflow."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from articles.models import Article, Author, SiteSettings
from core import languages
from tests import factories
from tests.chromium import open_page
from tests.factories import WEEK, make_article, make_edition, make_page, make_topic

pytestmark = pytest.mark.django_db
PHONE, TABLET, SMALL_DESK, DESK = 320, 768, 1024, 1280
LONG = {
    "en": "Counterrevolutionaries",
    "be": "Контррэвалюцыянерствамі",
    "ru": "Контрреволюционерствующим",
}
CODES = [
    pytest.param(code, marks=[] if code == "be" else pytest.mark.long) for code in languages.codes()
]
PATHS = (
    *("", "weeks/", f"weeks/{WEEK}/", "topics/elite/", "authors/zubr/", "barometer/", "about/"),
    *("search/", "search/?q=xyzzy", "subscribe/", "subscribe/done/", "letter/none/", "none/"),
)
TEXTS = """() => [...document.querySelectorAll(".body p, .lead, .introduction p")].map(it => [
  it.closest("[lang]").lang, getComputedStyle(it).hyphens, it.textContent.trim()
])"""
CUT_OFF = """() => [...document.querySelectorAll("main *, header *, footer *")].filter(it => {
  const box = it.getBoundingClientRect();
  return box.right > innerWidth + 1 && !it.closest(".scroll, svg");
}).map(it => it.outerHTML.slice(0, 80))"""


@pytest.fixture(scope="module")
def newsroom(shared_rows: None) -> Iterator[None]:
    """Its words are as long as any, and one of its texts is Russian only."""
    words = {code: (word, word, f"<p>{f'{word} ' * 9}</p>") for code, word in LONG.items()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(factories, "WORDS", words)
        write()
        yield


def write() -> None:
    SiteSettings.objects.create(pk=1, **{f"name_{code}": word for code, word in LONG.items()})
    make_edition(code="en")
    make_edition(code="be-ru")
    author = Author.objects.create(
        code="zubr", **{f"name_{code}": word for code, word in LONG.items()}
    )
    make_page(code="about")
    for week in (WEEK, WEEK.previous()):
        make_article(week=week, verdict="unchanged").authors.add(author)
    make_article(topic=make_topic(code="west"), written_in=("ru",), verdict="improved")


@pytest.fixture
def page(chromium: Browser, newsroom: None, db: None) -> Iterator[Page]:
    with open_page(chromium) as page:
        yield page


@pytest.mark.long
@pytest.mark.parametrize("code", CODES)
def test_texts_may_be_parted_by_the_rules_of_their_own_language_and_no_other(
    page: Page, code: str
) -> None:
    """Whether they are is the browser's: Debian's Chromium has no dictionary of any language."""
    article = Article.objects.get(week=WEEK, topic__code="elite")
    for path in (f"/{code}/", f"/{code}/weeks/{WEEK}/", article.path_in(code), f"/{code}/about/"):
        page.goto(path)
        found = page.evaluate(TEXTS)
        assert found, path
        for lang, hyphens, text in found:
            assert hyphens == "auto", text
            assert text.startswith(LONG[lang]), (path, lang)
    page.goto(f"/{code}/")
    assert {lang for lang, *_ in page.evaluate(TEXTS)} == {code, "ru"}


@pytest.mark.parametrize("code", CODES)
def test_the_longest_words_fit_into_every_page_at_every_width(page: Page, code: str) -> None:
    article = Article.objects.get(week=WEEK, topic__code="elite")
    for path in (*(f"/{code}/{path}" for path in PATHS), article.path_in(code)):
        page.goto(path)
        for width in (PHONE, TABLET, SMALL_DESK, DESK):
            page.set_viewport_size({"width": width, "height": 900})
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, (path, width)
            assert page.evaluate(CUT_OFF) == [], (path, width)
