"""The editor speaks the language of the admin, and spells in that of its field."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.test import Client
from playwright.sync_api import Browser, Page, ViewportSize, expect

from core import languages
from tests.articles.browser import ADD
from tests.chromium import EDITORS_READY, SITE, BrowserWindow, open_page
from tests.factories import make_user

pytestmark = pytest.mark.django_db
TRANSLATED = [code for code in languages.codes() if code != "en"]
# What is the same in every language: keys, marks and units.
ALLOWED = re.compile(
    r"\b(F\d+|Backspace|Enter|Shift|Ctrl|Cmd|Alt|ALT|End|Home|Delete|Command|Mac|CSS|HTML|DIV|IE|"
    r"URL|IFrame|Netscape|Word|px|in|cm|mm|em|ex|pt|pc|a|b|c|d|e|ii?|iii|iv|v|A|B|C|D|E|II?|III|IV|V|"
    r"\w*X|LTR|RTL|_\w+|esc|ESC)\b|<[^>]*>|\[\w+\]|\{\w+\}"
)
# The words of the core and of each plugin that is on, flattened: {"link.title": "Link"}.
WORDS = """(code) => new Promise((done) => CKEDITOR.lang.load(code, "en", (_, words) => {
  const editor = Object.values(CKEDITOR.instances)[0], flat = {};
  const plain = {...words, versionCheck: {}};
  const walk = (node, path) => {
    for (const [key, value] of Object.entries(node))
      if (typeof value === "object") walk(value, path + key + ".");
      else flat[path + key] = value;
  };
  for (const [key, value] of Object.entries(plain))
    if (typeof value === "object" && key !== "common" && !editor.plugins[key]) delete plain[key];
  delete plain.dir;
  walk(plain, "");
  done(flat);
}))"""
FILLED = """(keys) => { const {lang} = Object.values(CKEDITOR.instances)[0];
  return Object.fromEntries(keys.map((key) =>
    [key, key.split(".").reduce((node, part) => node[part], lang)])) }"""
PARTS_OF_A_DIALOG = ".cke_dialog_title, .cke_dialog_tab, label, option, .cke_dialog_ui_button"


@pytest.fixture(scope="module", params=TRANSLATED)
def window(
    chromium: Browser, shared_rows: None, request: pytest.FixtureRequest
) -> Iterator[BrowserWindow]:
    """A superuser's who reads no English, at a new article."""
    desk = Client(headers={"accept-language": request.param}, raise_request_exception=False)
    desk.force_login(make_user())
    size: ViewportSize = {"width": 1280, "height": 900}
    with open_page(chromium, desk, viewport=size, locale=request.param) as page:
        visitor = BrowserWindow(page.context, SITE)
        visitor.go(ADD).wait_for_function(EDITORS_READY)
        yield visitor


@pytest.fixture
def visitor(window: BrowserWindow, db: None) -> Iterator[BrowserWindow]:
    yield window
    assert window.refused == window.errors == []


def language_of(page: Page) -> str:
    return str(page.evaluate("document.documentElement.lang"))


def english_in(texts: list[str]) -> list[str]:
    return [text for text in texts if re.search(r"[A-Za-z]{2,}", ALLOWED.sub("", text))]


def test_every_word_of_it_is_translated(visitor: BrowserWindow) -> None:
    english = visitor.page.evaluate(WORDS, "en")
    words = visitor.page.evaluate(WORDS, language_of(visitor.page))
    # The editor throws where a key is missing.
    assert english.keys() - words.keys() == set()
    # What the file leaves in English, static/editor.js fills; the editor's own words have both.
    filled = visitor.page.evaluate(FILLED, list(words))
    assert english_in([said for key, said in filled.items() if said == english.get(key)]) == []
    assert {"link.title", "common.ok", "pastetext.button", "undo.undo"} <= words.keys()


def test_its_buttons_lists_and_dialogs_say_nothing_in_english(visitor: BrowserWindow) -> None:
    page = visitor.page
    editor = page.locator(".cke:visible")
    editor.locator(".cke_button__link").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    titles = "all => all.flatMap((one) => [one.title, one.getAttribute('aria-label') || ''])"
    said = editor.locator("[title], [aria-label]").evaluate_all(titles)
    said += dialog.locator(PARTS_OF_A_DIALOG).all_text_contents()
    assert len(said) > 30
    protocols = re.compile(r"^\w+://")
    assert english_in([text for text in said if not protocols.match(text.strip())]) == []
    dialog.locator(".cke_dialog_ui_button_cancel").click()
    expect(dialog).to_be_hidden()
    page.locator(".cke_combo__format:visible .cke_combo_button").click()
    styles = page.frame_locator("iframe.cke_panel_frame").get_by_role("option")
    expect(styles).to_have_count(3)
    assert english_in(styles.all_inner_texts()) == []


def test_its_help_is_there(visitor: BrowserWindow) -> None:
    page = visitor.page
    page.locator(".cke_wysiwyg_div:visible").click()
    page.keyboard.press("Alt+0")
    help_ = page.get_by_role("dialog")
    expect(help_).to_be_visible()
    headings = help_.locator("h1, h2, h3, dt").all_inner_texts()
    assert len(headings) > 10
    assert english_in(headings) == []


def test_each_editor_spells_in_its_fields_language(visitor: BrowserWindow) -> None:
    page = visitor.page
    here = language_of(page)
    for code in languages.codes():
        facts = page.evaluate(
            """(name) => { const editor = CKEDITOR.instances[name];
            return [editor.langCode, editor.editable().getAttribute("lang")] }""",
            f"id_body_{code}",
        )
        assert facts == [here, code]
