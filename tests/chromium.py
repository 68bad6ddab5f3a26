"""A headless Chromium for the tests that need a real browser, and what its pages were refused."""

from __future__ import annotations

import contextlib
import contextvars
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.core.signals import request_finished, request_started
from django.test import Client
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Route,
    sync_playwright,
)

from tests.services import program

CHROMIUM = (
    *("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)
REPORTING = """
document.addEventListener("securitypolicyviolation", (event) => window.refused(
  `${event.effectiveDirective} refused ${event.blockedURI} ${event.sample} ` +
  `(${event.sourceFile}:${event.lineNumber})`));
"""
READY = """() => Object.values(window.CKEDITOR?.instances || {}).length &&
  Object.values(CKEDITOR.instances).every((editor) => editor.status === "ready")"""
SETTLED = "() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))"


_answered = threading.Condition()
_asked: set[int] = set()


def _begun(**_kwargs: Any) -> None:
    with _answered:
        _asked.add(threading.get_ident())


def _finished(**_kwargs: Any) -> None:
    with _answered:
        _asked.discard(threading.get_ident())
        _answered.notify_all()


request_started.connect(_begun, weak=False, dispatch_uid="browsing")
request_finished.connect(_finished, weak=False, dispatch_uid="browsing")


def wait_until_answered(seconds: float = 20) -> None:
    """Until the live server's threads have closed their answers."""
    with _answered:
        own = {threading.get_ident()}
        assert _answered.wait_for(lambda: _asked <= own, seconds), "a request is still at work"


@contextlib.contextmanager
def running_chromium() -> Iterator[Browser]:
    """Raises Missing."""
    path = program("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM)
        try:
            yield browser
        finally:
            browser.close()


SITE = "http://localhost"
"""Which Chromium trusts as it does a site with a certificate."""


@contextlib.contextmanager
def reading(browser: Browser, client: Client | None = None, **options: Any) -> Iterator[Page]:
    """A window whose pages are asked for within this test's transaction, so that they need no
    server and see rows that nobody has committed. Whoever is logged in is `client`."""
    client = client or Client(raise_request_exception=False)
    # Django looks for its connection here, and Playwright calls from somewhere else.
    here = contextvars.copy_context()

    def answer(route: Route) -> None:
        asked = here.run(_asked_by, client, route.request)
        body = b"".join(asked) if asked.streaming else asked.content
        route.fulfill(status=asked.status_code, headers=dict(asked.headers), body=body)

    context = browser.new_context(base_url=SITE, **options)
    context.route("**/*", answer)
    yield context.new_page()
    context.close()


def _asked_by(client: Client, request: Request) -> Any:
    path = request.url.removeprefix(SITE)
    if request.method == "GET":
        # Where an answer leads, nobody would ask for here.
        return client.get(path, follow=True)
    kind = request.headers.get("content-type", "")
    return client.generic(request.method, path, request.post_data_buffer or b"", kind)


@dataclass
class Visitor:
    """One browser window, and everything that went wrong in it."""

    context: BrowserContext
    url: str
    page: Page = field(init=False)
    refused: list[str] = field(default_factory=list)
    """What the content security policy forbade."""
    errors: list[str] = field(default_factory=list)
    """What else the console complained of, uncaught exceptions included."""

    def __post_init__(self) -> None:
        self.context.expose_function("refused", lambda what: self.refused.append(what))
        self.context.add_init_script(REPORTING)
        self.context.on("console", self._hear)
        self.context.on("weberror", lambda error: self.errors.append(str(error.error)))
        self.page = self.context.pages[0] if self.context.pages else self.context.new_page()

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type != "error":
            return
        about_policy = "Content Security Policy" in message.text or "Trusted Type" in message.text
        (self.refused if about_policy else self.errors).append(message.text)

    def go(self, path: str) -> Page:
        """Opens the page and waits until it has settled."""
        self.page.goto(self.url + path, wait_until="load")
        self.page.evaluate(SETTLED)
        return self.page

    def close(self) -> None:
        """Nothing more is asked by it, such as the last word of a page that keeps drafts, and
        all that was asked is answered: the next test finds no request at work on its tables."""
        self.context.set_offline(True)
        self.context.close()
        wait_until_answered()

    def log_in(self, user: Any) -> None:
        """As this member of staff, past the log-in page."""
        client = Client()
        client.force_login(user)
        name = settings.SESSION_COOKIE_NAME
        self.context.add_cookies(
            [{"name": name, "value": client.cookies[name].value, "url": f"{self.url}/admin/"}]
        )
