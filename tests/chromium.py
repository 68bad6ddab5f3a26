"""Headless Chromium for tests, with the violations of the content security policy."""

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
EDITORS_READY = """() => Object.values(window.CKEDITOR?.instances || {}).length &&
  Object.values(CKEDITOR.instances).every((editor) => editor.status === "ready")"""
SETTLED = "() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))"


_condition = threading.Condition()
_busy_threads: set[int] = set()


def _started(**_kwargs: Any) -> None:
    with _condition:
        _busy_threads.add(threading.get_ident())


def _finished(**_kwargs: Any) -> None:
    with _condition:
        _busy_threads.discard(threading.get_ident())
        _condition.notify_all()


request_started.connect(_started, weak=False, dispatch_uid="browsing")
request_finished.connect(_finished, weak=False, dispatch_uid="browsing")


def wait_until_answered(seconds: float = 20) -> None:
    """Waits until the live server has finished all requests."""
    with _condition:
        own = {threading.get_ident()}
        assert _condition.wait_for(lambda: _busy_threads <= own, seconds), (
            "a request is still in progress"
        )


@contextlib.contextmanager
def running_chromium() -> Iterator[Browser]:
    """Raises ServiceNotInstalled."""
    path = program("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM)
        try:
            yield browser
        finally:
            browser.close()


SITE = "http://localhost"
"""A secure context for Chromium."""


@contextlib.contextmanager
def open_page(browser: Browser, client: Client | None = None, **options: Any) -> Iterator[Page]:
    """A page whose requests go to Django's test client, within the test's transaction."""
    client = client or Client(raise_request_exception=False)
    # Playwright calls from another context; Django's connection is in this one.
    test_context = contextvars.copy_context()

    def answer(route: Route) -> None:
        response = test_context.run(_request, client, route.request)
        body = b"".join(response) if response.streaming else response.content
        route.fulfill(status=response.status_code, headers=dict(response.headers), body=body)

    context = browser.new_context(base_url=SITE, **options)
    context.route("**/*", answer)
    yield context.new_page()
    context.close()


def _request(client: Client, request: Request) -> Any:
    path = request.url.removeprefix(SITE)
    if request.method == "GET":
        # Redirects would not be routed here again.
        return client.get(path, follow=True)
    kind = request.headers.get("content-type", "")
    return client.generic(request.method, path, request.post_data_buffer or b"", kind)


@dataclass
class BrowserWindow:
    """A browser window with its errors."""

    context: BrowserContext
    url: str
    page: Page = field(init=False)
    refused: list[str] = field(default_factory=list)
    """Violations of the content security policy."""
    errors: list[str] = field(default_factory=list)
    """Other errors in the console, and uncaught exceptions."""

    def __post_init__(self) -> None:
        self.context.expose_function("refused", lambda what: self.refused.append(what))
        self.context.add_init_script(REPORTING)
        self.context.on("console", self._on_console)
        self.context.on("weberror", lambda error: self.errors.append(str(error.error)))
        self.page = self.context.pages[0] if self.context.pages else self.context.new_page()

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type != "error":
            return
        about_policy = "Content Security Policy" in message.text or "Trusted Type" in message.text
        (self.refused if about_policy else self.errors).append(message.text)

    def go(self, path: str) -> Page:
        """Opens a page and waits until its scripts have run."""
        self.page.goto(self.url + path, wait_until="load")
        self.page.evaluate(SETTLED)
        return self.page

    def close(self) -> None:
        """Waits for requests in progress, such as an autosave, for the next test's sake."""
        self.context.set_offline(True)
        self.context.close()
        wait_until_answered()

    def log_in(self, user: Any) -> None:
        """Sets the session cookie of a user."""
        client = Client()
        client.force_login(user)
        name = settings.SESSION_COOKIE_NAME
        self.context.add_cookies(
            [{"name": name, "value": client.cookies[name].value, "url": f"{self.url}/admin/"}]
        )
