"""The editor in Chromium: marks while typing, cleaned pastes, tables, pictures, limits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from pathlib import Path

import pytest
from django.test import Client
from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect

from articles.models import Article
from articles.text import sanitizer
from tests.articles.browser import ADD, change_url, form_data_of, visible_text
from tests.chromium import EDITORS_READY, SITE, BrowserWindow, open_page
from tests.factories import make_article, make_picture, make_user

pytestmark = pytest.mark.django_db
EMPTY = """() => Promise.all(Object.values(CKEDITOR.instances).map((editor) => {
  document.querySelectorAll("[name^=title_], [name^=lead_]").forEach((it) => { it.value = ""; });
  return new Promise((done) => editor.setData("", done));
}))"""


@pytest.fixture(scope="module")
def window(chromium: Browser, shared_rows: None) -> Iterator[BrowserWindow]:
    """A superuser's, at a new article's form, which takes longer to open than to fill."""
    desk = Client(raise_request_exception=False)
    desk.force_login(make_user())
    size: ViewportSize = {"width": 1280, "height": 900}
    with open_page(chromium, desk, viewport=size, locale="en") as page:
        visitor = BrowserWindow(page.context, SITE)
        visitor.go(ADD).wait_for_function(EDITORS_READY)
        yield visitor


@pytest.fixture
def editor(window: BrowserWindow, db: None) -> Iterator[BrowserWindow]:
    """The window, with nothing in the form."""
    window.page.evaluate(EMPTY)
    yield window
    # A text that is far too long is not stored as a draft either.
    assert [line for line in window.errors if "413" not in line] == []
    # A pasted picture from elsewhere is asked for by the browser, and refused by the policy.
    assert all("image" in line or "img-src" in line for line in window.refused)


def opened(editor: BrowserWindow, language: str, code: str) -> tuple[Page, Locator]:
    """The form, and the area of that language to type in."""
    page = editor.page
    page.get_by_role("tab", name=language).click()
    area = page.locator(f".cke_wysiwyg_div[lang={code}]")
    area.click()
    return page, area


def body_of(page: Page, code: str) -> str:
    """What the editor would send, after the sanitiser."""
    return sanitizer.clean(page.evaluate(f"CKEDITOR.instances.id_body_{code}.getData()"))


# --- Marks ---------------------------------------------------------------------------

TYPED = [
    ("English", "en", """He said "it's 'so'" - no -- yes""", "He said “it’s ‘so’” – no – yes"),
    ("English", "en", """He said "it's "so" then".""", "He said “it’s ‘so’ then”."),
    (
        "Беларуская",
        "be",
        """Ён сказаў: "кніга "Так" мая" - і не сям'я""",
        "Ён сказаў: «кніга „Так“ мая»\u00a0— і не сям’я",
    ),
    ("Русский", "ru", """Газета "Правда" -- не то""", "Газета «Правда» — не то"),
]


def test_marks_are_set_while_one_types_in_title_and_body(editor: BrowserWindow) -> None:
    for language, code, typed, right in TYPED:
        editor.page.evaluate(EMPTY)
        page, area = opened(editor, language, code)
        page.keyboard.type(typed)
        title = page.locator(f"[name=title_{code}]")
        title.click()
        page.keyboard.type(typed)
        expect(title).to_have_value(right)
        assert area.inner_text().strip().replace("\u00a0", " ") == right.replace("\u00a0", " ")


def test_one_key_gives_back_what_was_typed(editor: BrowserWindow) -> None:
    for key in ("Backspace", "Control+z"):
        editor.page.evaluate(EMPTY)
        page, area = opened(editor, "Беларуская", "be")
        page.keyboard.type('5 "')
        page.keyboard.press(key)
        page.keyboard.type("x")
        title = page.locator("[name=title_be]")
        title.click()
        page.keyboard.type('5 "')
        page.keyboard.press(key)
        expect(title).to_have_value('5 "')
        assert area.inner_text().replace("\u00a0", " ").strip() == '5 "x'


def test_backspace_elsewhere_is_only_a_backspace(editor: BrowserWindow) -> None:
    page, _area = opened(editor, "English", "en")
    title = page.locator("[name=title_en]")
    title.click()
    page.keyboard.type('abcd "')
    for _step in range(3):
        page.keyboard.press("ArrowLeft")
    page.keyboard.press("Backspace")
    expect(title).to_have_value("abd “")


def test_a_button_sets_a_whole_text_right(editor: BrowserWindow) -> None:
    page, _area = opened(editor, "Беларуская", "be")
    page.evaluate(
        """CKEDITOR.instances.id_body_be.setData('<p>"Так" - <b>"не"</b> -- сям\\'я</p>')"""
    )
    page.locator("[name=title_be]").evaluate("(field) => { field.value = '\"Так\" - не' }")
    page.locator("[name=lead_be]").evaluate("(field) => { field.value = 'Так – не, 16–22' }")
    for _once_more in range(2):
        page.locator(".cke_button__typography:visible").click()
        expect(page.locator("[name=title_be]")).to_have_value("«Так»\u00a0— не")
        expect(page.locator("[name=lead_be]")).to_have_value("Так\u00a0— не, 16–22")
    assert body_of(page, "be").replace("&nbsp;", "\u00a0") == (
        "<p>«Так»\u00a0— <strong>«не»</strong>\u00a0— сям’я</p>"
    )


# --- Pastes --------------------------------------------------------------------------

PASTES = Path(__file__).parent / "pastes"
PASTING = """([html, name]) => {
  const pasted = new DataTransfer();
  pasted.setData("text/html", html);
  pasted.setData("text/plain", "plain");
  CKEDITOR.instances[name].editable().$.dispatchEvent(
    new ClipboardEvent("paste", { clipboardData: pasted, bubbles: true, cancelable: true }));
}"""


def paste(page: Page, code: str, what: str) -> None:
    page.evaluate(PASTING, [what, f"id_body_{code}"])


def test_a_paste_from_word_leaves_structure_only(editor: BrowserWindow) -> None:
    page, area = opened(editor, "Беларуская", "be")
    paste(page, "be", (PASTES / "word.html").read_text())
    expect(area).to_contain_text("другі")
    kept = body_of(page, "be")
    assert "<h2>Загаловак</h2>" in kept
    assert "<strong>Тоўсты</strong>" in kept
    assert "<em>курсіў</em>" in kept
    assert re.search(r"<ul>\s*<li>першы</li>\s*<li>другі</li>\s*</ul>", kept)
    assert re.search(r"<ol>\s*<li>раз</li>\s*<li>два</li>\s*</ol>", kept)
    assert "<p>У Мінску сёння</p>" in kept
    assert re.search(r"<tr>\s*<td>Год</td>\s*<td>Сума</td>\s*</tr>", kept)
    for rest in (
        *("Mso", "mso", "style", "class", "span", "o:p", "<h1", "Calibri", "width"),
        *("nbsp", "\u00a0", "st1", "<!--", "urn:"),
    ):
        assert rest not in kept


def test_a_paste_from_google_docs_leaves_structure_only(editor: BrowserWindow) -> None:
    page, area = opened(editor, "English", "en")
    paste(page, "en", (PASTES / "google_docs.html").read_text())
    expect(area).to_contain_text("one")
    kept = body_of(page, "en")
    assert "<h2>Heading</h2>" in kept
    assert "<strong>Bold</strong>" in kept
    assert "<em> and italic</em>" in kept or "<em>and italic</em>" in kept
    assert re.search(r"<li>\s*(<p>)?\s*one", kept)
    assert "and plain" in kept.replace("<strong>", "|").split("|")[-1]
    assert re.search(r"<li>\s*nested\s*</li>", kept)
    assert '<a href="https://example.org/"' in kept
    assert re.search(r"<tr>\s*<td>Year</td>\s*<td>Sum</td>\s*</tr>", kept)
    for rest in ("style", "docs-internal", "span", "dir=", "role", "nbsp", "<col", "<img", "<h1"):
        assert rest not in kept


def test_a_pasted_script_does_nothing_and_leaves_nothing(editor: BrowserWindow) -> None:
    page, area = opened(editor, "English", "en")
    attack = (
        "<p>Text<script>document.title='owned'</script>"
        "<img src='https://attacker.example/x.png' onerror=\"document.title='owned'\">"
        "<a href='javascript:document.title=1'>link</a></p>"
    )
    paste(page, "en", attack)
    expect(area).to_contain_text("Text")
    assert page.title() != "owned"
    kept = body_of(page, "en")
    for trace in ("script", "onerror", "attacker", "<img"):
        assert trace not in kept


def test_a_paste_that_is_far_too_long_is_said_before_it_is_sent(editor: BrowserWindow) -> None:
    page, _area = opened(editor, "English", "en")
    page.evaluate("CKEDITOR.instances.id_body_en.setData('<p>' + 'word '.repeat(50000) + '</p>')")
    expect(page.locator(".words.alarm")).to_contain_text("Too long: 25")


TOO_MUCH = [
    ("body_be", f"<p>{'слова ' * 200_000}</p>", r"The text is too long: \d+ characters of 200000."),
    ("body_be", "<ul><li>" * 8_000 + "x", "The text has more than 20000 tags, or more than 100"),
    ("body_be", "<ul><li>x" * 60, "The text has more than 20000 tags, or more than 100"),
    ("lead_be", "слова " * 350, r"The lead is too long: 2099 characters of 2000."),
]


def test_what_is_too_long_or_too_intricate_is_refused_at_the_field_and_stays_in_it(
    desk: Client, subtests: pytest.Subtests
) -> None:
    article = make_article(published_in=())
    for field, typed, told in TOO_MUCH:
        with subtests.test(told=told, size=len(typed)):
            page = desk.post(
                change_url(article), form_data_of(article, **{field: typed}, title_be="Typed")
            )
            assert re.search(told, visible_text(page))
            assert escape(typed) in page.content.decode()
            assert 'value="Typed"' in page.content.decode()
            assert Article.objects.get().title_be == "Бюджэт be"


def test_strangers_forms_are_small() -> None:
    answer = Client().post("/en/subscribe/", {"address": "x" * 100_000})
    assert answer.status_code == 413


# --- Tables and pictures -------------------------------------------------------------


def test_words_are_counted_while_one_types(editor: BrowserWindow) -> None:
    page, _area = opened(editor, "Беларуская", "be")
    page.keyboard.type("Тры простыя словы")
    expect(page.locator(".words:visible")).to_have_text("Words: 3 · reading time: 1 min")


def test_a_table_is_made_with_a_head_and_without_looks(editor: BrowserWindow) -> None:
    page, area = opened(editor, "English", "en")
    page.locator(".cke_button__table:visible").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Width")).to_have_count(0)
    dialog.get_by_role("button", name="OK").click()
    expect(area.locator("th")).to_have_count(2)
    area.locator("th").first.click()
    page.keyboard.type("Year")
    kept = body_of(page, "en")
    assert '<th scope="col">Year</th>' in kept
    assert "border" not in kept


def test_a_wide_table_scrolls_in_its_own_box_on_a_phone(chromium: Browser) -> None:
    cells = "".join(f"<td>Column{number}</td>" for number in range(12))
    article = make_article()
    Article.objects.update(body_be=f"<table><tbody><tr>{cells}</tr></tbody></table>")
    with open_page(chromium, viewport={"width": 320, "height": 640}) as page:
        page.goto(article.path_in("be"))
        table = page.locator(".body table")
        assert table.evaluate("(box) => box.scrollWidth > box.clientWidth")
        assert page.evaluate("document.documentElement.scrollWidth") == 320


def test_a_picture_is_chosen_from_the_library_into_the_text(editor: BrowserWindow) -> None:
    picture = make_picture(alt_be="Брама", caption_be="Подпіс")
    page, area = opened(editor, "Беларуская", "be")
    page.keyboard.type("Тэкст")
    with editor.context.expect_page() as opening:
        page.locator(".cke_button__picture:visible").click()
    # The click closes the window that it is in, which a click that waits takes for a fault.
    with opening.value.expect_event("close"):
        opening.value.locator("#result_list tbody a").first.evaluate(
            "(link) => setTimeout(() => link.click())"
        )
    expect(area.locator("figure img")).to_have_attribute("alt", "Брама")
    assert body_of(page, "be").endswith(
        f'<figure><img src="{picture.path}" alt="Брама" width="640" height="360">'
        "<figcaption>Подпіс</figcaption></figure>"
    ) or f'src="{picture.path}"' in body_of(page, "be")


def test_a_picture_that_is_dropped_or_pasted_is_refused_with_a_word(editor: BrowserWindow) -> None:
    page, area = opened(editor, "English", "en")
    page.evaluate(
        """() => {
          const pasted = new DataTransfer();
          pasted.items.add(new File(["x"], "x.png", { type: "image/png" }));
          const told = { clipboardData: pasted, bubbles: true, cancelable: true };
          CKEDITOR.instances.id_body_en.editable().$.dispatchEvent(
            new ClipboardEvent("paste", told));
        }"""
    )
    expect(
        page.get_by_text("A picture comes into the text through its button only")
    ).to_be_visible()
    expect(area.locator("img")).to_have_count(0)
