"""A security key in a real browser: Chromium with a virtual authenticator."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from allauth.mfa.models import Authenticator
from playwright.sync_api import Browser, Page
from pytest_django.live_server_helper import LiveServer

from tests.chromium import BrowserWindow
from tests.factories import make_user

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
def visitor(chromium: Browser, live_server: LiveServer) -> Iterator[BrowserWindow]:
    """A window of its own."""
    context = chromium.new_context(locale="en")
    opened = BrowserWindow(context, live_server.url)
    yield opened
    opened.close()


@pytest.fixture
def key(visitor: BrowserWindow) -> Key:
    return Key(visitor.page)


def give_password(visitor: BrowserWindow) -> None:
    page = visitor.go("/admin/")
    page.fill("[name=login]", "editor")
    page.fill("[name=password]", "pass")
    page.press("[name=password]", "Enter")


def test_a_security_key_is_enrolled_and_logs_in(visitor: BrowserWindow, key: Key) -> None:
    user, page = make_user(enrolled=False), visitor.page
    give_password(visitor)
    page.wait_for_url("**/enrol/")
    page.click("a[href$='/key/add/']")
    page.fill("[name=name]", "Blue")
    # Enter in the name presses the button: it does not send a form without an answer.
    page.press("[name=name]", "Enter")
    page.wait_for_url("**/codes/")
    assert page.locator(".recovery-codes li").count() == 10
    kinds = Authenticator.objects.filter(user=user).values_list("type", flat=True)
    assert set(kinds) == {"webauthn", "recovery_codes"}

    page.context.clear_cookies()
    give_password(visitor)
    page.wait_for_url("**/login/code/")
    page.click("#key-button")
    page.wait_for_url(f"{visitor.url}/admin/")
    visitor.go("/admin/account/factor/")
    assert page.locator("text=Blue").count() == 1
    assert not visitor.refused
    assert not visitor.errors


@pytest.mark.long
def test_an_unknown_security_key_fails_with_a_message(visitor: BrowserWindow, key: Key) -> None:
    make_user(enrolled=False)
    page = visitor.page
    give_password(visitor)
    page.wait_for_url("**/enrol/")
    visitor.go("/admin/account/factor/key/add/")
    page.click("#key-button")
    page.wait_for_url("**/codes/")
    key.forget()
    page.context.clear_cookies()
    give_password(visitor)
    page.wait_for_url("**/login/code/")
    page.click("#key-button")
    page.locator("#key-failed").wait_for(state="visible")
    visitor.go("/admin/")
    page.wait_for_url("**/login/code/")
