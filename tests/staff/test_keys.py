"""A security key in a real browser: Chromium with a virtual authenticator."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from allauth.mfa.models import Authenticator
from playwright.sync_api import Page, sync_playwright
from pytest_django.live_server_helper import LiveServer

from tests.factories import make_user
from tests.services import Missing, program, skip_or_fail

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.real_clock]
KEY = {
    "protocol": "ctap2",
    "transport": "usb",
    "hasResidentKey": False,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


class Key:
    """A key in the browser, which answers when it is asked."""

    def __init__(self, page: Page) -> None:
        self._devtools = page.context.new_cdp_session(page)
        self._devtools.send("WebAuthn.enable")
        made = self._devtools.send("WebAuthn.addVirtualAuthenticator", {"options": KEY})
        self._id = made["authenticatorId"]

    def forget(self) -> None:
        """As if it were another one of the same make."""
        self._devtools.send("WebAuthn.clearCredentials", {"authenticatorId": self._id})


@pytest.fixture
def key(page: Page) -> Key:
    return Key(page)


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    try:
        chromium = program("chromium")
    except Missing as missing:
        skip_or_fail(missing)
    # Playwright runs a loop in this thread, in which Django would refuse the database.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser.new_page(locale="en")
        browser.close()


def give_password(page: Page, server: LiveServer) -> None:
    page.goto(f"{server.url}/admin/")
    page.fill("[name=login]", "editor")
    page.fill("[name=password]", "pass")
    page.press("[name=password]", "Enter")


def test_a_security_key_is_enrolled_and_opens_the_desk(
    live_server: LiveServer, page: Page, key: Key
) -> None:
    user = make_user(enrolled=False)
    give_password(page, live_server)
    page.wait_for_url("**/enrol/")
    page.click("a[href$='/key/add/']")
    page.fill("[name=name]", "Blue")
    # Enter in the name presses the button: it does not send a form without an answer.
    page.press("[name=name]", "Enter")
    page.wait_for_url("**/codes/")
    assert page.locator(".door-codes li").count() == 10
    kinds = Authenticator.objects.filter(user=user).values_list("type", flat=True)
    assert set(kinds) == {"webauthn", "recovery_codes"}

    page.context.clear_cookies()
    give_password(page, live_server)
    page.wait_for_url("**/login/code/")
    page.click("#key-button")
    page.wait_for_url(f"{live_server.url}/admin/")
    page.goto(f"{live_server.url}/admin/account/factor/")
    assert page.locator("text=Blue").count() == 1


def test_a_key_that_does_not_know_us_opens_nothing_and_it_is_said(
    live_server: LiveServer, page: Page, key: Key
) -> None:
    make_user(enrolled=False)
    give_password(page, live_server)
    page.wait_for_url("**/enrol/")
    page.goto(f"{live_server.url}/admin/account/factor/key/add/")
    page.click("#key-button")
    page.wait_for_url("**/codes/")
    key.forget()
    page.context.clear_cookies()
    give_password(page, live_server)
    page.wait_for_url("**/login/code/")
    page.click("#key-button")
    page.locator("#key-failed").wait_for(state="visible")
    page.goto(f"{live_server.url}/admin/")
    page.wait_for_url("**/login/code/")
