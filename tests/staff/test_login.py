"""Password, then second factor, then the desk; and no other way."""

from __future__ import annotations

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User
from django.core import mail
from django.core.cache import cache
from django.test import Client
from pytest_django.fixtures import Settings

from articles.models import Topic
from tests.factories import make_user
from tests.staff.browser import (
    ADMIN_INDEX,
    CODE,
    LOGIN,
    code,
    is_logged_in,
    log_in,
    submit_password,
)

pytestmark = pytest.mark.django_db


def a_writer() -> User:
    """Staff, and may do nothing that needs a second factor."""
    user: User = make_user(username="analyst", is_superuser=False)
    return user


def test_staff_log_in_with_a_password_and_a_code(client: Client) -> None:
    make_user()
    assert client.get(ADMIN_INDEX, follow=True).redirect_chain[-1][0] == f"{LOGIN}?next=%2Fadmin%2F"
    assert submit_password(client).headers["Location"] == CODE
    answer = client.post(CODE, {"code": code()})
    assert answer.headers["Location"] == ADMIN_INDEX
    assert is_logged_in(client)
    assert not mail.outbox


def test_the_page_that_was_asked_for_follows(client: Client) -> None:
    make_user()
    client.post(f"{LOGIN}?next=/admin/articles/topic/", {"login": "editor", "password": "pass"})
    answer = client.post(CODE, {"code": code()})
    assert answer.headers["Location"] == "/admin/articles/topic/"


def test_after_the_password_alone_nothing_is_accessible(client: Client) -> None:
    make_user()
    submit_password(client)
    assert not is_logged_in(client)
    client.post("/admin/articles/topic/add/", {"code": "west", "position": 1, "name_en": "West"})
    assert not Topic.objects.exists()


def test_a_wrong_code_does_not_log_in(client: Client) -> None:
    make_user()
    submit_password(client)
    for typed in ("000000", "", "١٢٣٤٥٦", "x" * 10_000):
        assert client.post(CODE, {"code": typed}).status_code == 200
        assert not is_logged_in(client)


def test_a_forged_credential_does_not_log_in(client: Client) -> None:
    make_user()
    submit_password(client)
    client.get(CODE)
    key = '{"id": "eA", "rawId": "eA", "type": "public-key", "response": %s}'
    plain = ("{}", "null", "[]", "7", '"text"', '{"id": "x"}', "no json", "")
    for typed in (*plain, key % "[]", key % '{"signature": 1}'):
        cache.clear()  # Each is the first that is tried.
        assert client.post(CODE, {"credential": typed}).status_code == 200
        assert not is_logged_in(client)


def test_a_code_works_once(client: Client) -> None:
    make_user()
    shown = code()
    submit_password(client)
    assert client.post(CODE, {"code": shown}).status_code == 302
    other = Client()
    submit_password(other)
    answer = other.post(CODE, {"code": shown})
    assert "Each code works once" in answer.content.decode()
    assert not is_logged_in(other)


def test_a_code_of_another_time_is_no_code(client: Client) -> None:
    make_user()
    submit_password(client)
    for steps in (-2, 2):
        assert client.post(CODE, {"code": code(steps=steps)}).status_code == 200


def test_a_recovery_code_works_once(client: Client) -> None:
    user = make_user()
    row = Authenticator.objects.get(user=user, type=Authenticator.Type.RECOVERY_CODES)
    first, *others = row.wrap().get_unused_codes()
    submit_password(client)
    assert client.post(CODE, {"code": first}).status_code == 302
    assert is_logged_in(client)
    again = Client()
    submit_password(again)
    assert again.post(CODE, {"code": first}).status_code == 200
    assert again.post(CODE, {"code": others[0]}).status_code == 302


def test_the_code_is_no_password(client: Client) -> None:
    """The second page does not open without the first."""
    make_user()
    assert client.post(CODE, {"code": code()}).headers["Location"] == LOGIN


def test_a_password_waits_a_quarter_of_an_hour_for_its_code(
    client: Client, clock: time_machine.Traveller
) -> None:
    make_user()
    submit_password(client)
    clock.shift(16 * 60)
    assert client.post(CODE, {"code": code()}).headers["Location"] == LOGIN


def test_authors_log_in_with_a_password(client: Client) -> None:
    a_writer()
    assert submit_password(client, "analyst").headers["Location"] == ADMIN_INDEX
    assert is_logged_in(client)


def test_an_optional_second_factor_is_required_once_enrolled() -> None:
    from_app = log_in(a_writer().username)
    from_app.get("/admin/account/factor/app/add/")
    secret = from_app.session["mfa.totp.secret"]
    from_app.post("/admin/account/factor/app/add/", {"code": code(secret)})
    assert submit_password(Client(), "analyst").headers["Location"] == CODE


@pytest.mark.parametrize(
    "fields", [{"is_staff": False}, {"is_active": False}, {"is_active": False, "is_staff": False}]
)
def test_the_page_does_not_tell_who_is_disabled(client: Client, fields: dict[str, bool]) -> None:
    make_user(username="former", **fields)
    said = {
        submit_password(Client(), name, password).content
        for name, password in (("former", "pass"), ("former", "wrong"))
    }
    pages = {page.decode().count("do not fit together") for page in said}
    assert pages == {1}
    nobody = submit_password(client, "nobody", "pass").content.decode()
    assert "do not fit together" in nobody
    assert "sessionid" not in client.cookies


def test_the_log_in_leads_to_our_own_paths_only(settings: Settings) -> None:
    settings.CSRF_TRUSTED_ORIGINS = ["https://evil.example"]
    settings.ALLOWED_HOSTS = ["*", "evil.example", "testserver"]
    a_writer()
    for elsewhere in (
        *("https://evil.example/", "//evil.example/", "https:///evil.example", r"/\evil.example"),
        *("javascript:alert(1)", "http://testserver/admin/"),
    ):
        sent = {"login": "analyst", "password": "pass", "next": elsewhere}
        assert Client().post(LOGIN, sent).headers["Location"] == ADMIN_INDEX


def test_nobody_signs_up_and_no_password_goes_by_mail() -> None:
    make_user()
    client = log_in()
    for name in (
        *("signup", "email", "confirm-email", "password/reset", "password/set", "login/passkey"),
        "inactive",
    ):
        for ask in (client.get, client.post):
            assert ask(f"/admin/account/{name}/").status_code == 404
    assert User.objects.count() == 1
    assert not mail.outbox


def test_djangos_own_login_views_are_disabled(client: Client) -> None:
    """They ask for no code."""
    make_user()
    answer = client.post(
        "/admin/login/", {"username": "editor", "password": "pass", "next": "/admin/"}
    )
    assert answer.headers["Location"].startswith(LOGIN)
    assert not is_logged_in(client)
    inside = log_in()
    assert inside.get("/admin/password_change/").headers["Location"].endswith("/password/")


def test_logging_out_takes_a_post_and_ends_it() -> None:
    make_user()
    client = log_in()
    client.get("/admin/account/logout/")
    assert is_logged_in(client)
    cookie = client.cookies["sessionid"].value
    client.post("/admin/account/logout/")
    thief = Client()
    thief.cookies["sessionid"] = cookie
    assert not is_logged_in(thief)


def test_who_gave_the_wrong_name_can_begin_anew_at_the_code(client: Client) -> None:
    make_user()
    a_writer()
    submit_password(client)
    client.post("/admin/account/logout/")
    assert submit_password(client, "analyst").headers["Location"] == ADMIN_INDEX


def test_the_demo_asks_for_a_password_only_and_says_so(client: Client, settings: Settings) -> None:
    settings.REQUIRE_SECOND_FACTOR = False
    make_user()
    assert submit_password(client).headers["Location"] == ADMIN_INDEX
    assert "No second factor" in client.get(ADMIN_INDEX).content.decode()


def test_no_label_is_shown_where_the_second_factor_is_required() -> None:
    make_user()
    assert "No second factor" not in log_in().get(ADMIN_INDEX).content.decode()


def test_account_pages_are_in_the_browsers_language(client: Client) -> None:
    words = {"en": "User name", "be": "Імя карыстальніка", "ru": "Имя пользователя"}
    for language, word in words.items():
        page = client.get(LOGIN, headers={"accept-language": language}).content.decode()
        assert f'<html lang="{language}"' in page
        assert word in page
