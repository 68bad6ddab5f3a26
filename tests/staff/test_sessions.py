"""Sessions: what is stored of them, and what ends them."""

from __future__ import annotations

import pytest
import time_machine
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from pytest_django import DjangoCaptureOnCommitCallbacks
from pytest_django.fixtures import Settings

from staff.models import Session
from staff.sessions import SessionStore, stored_session_key
from tests.factories import make_user
from tests.staff.browser import (
    ADMIN_INDEX,
    APP,
    NEW_PASSWORD,
    code,
    dump_database,
    is_logged_in,
    log_in,
    submit_password,
)

pytestmark = pytest.mark.django_db
NEW = "zhurauli-lyatsyats-9"


def cookie_of(client: Client) -> str:
    return str(client.cookies["sessionid"].value)


def with_cookie(value: str) -> Client:
    client = Client()
    client.cookies["sessionid"] = value
    return client


# --- Stored ---------------------------------------------------------------------------


def test_the_database_does_not_know_what_the_cookie_says() -> None:
    make_user()
    client = log_in()
    stored = dump_database()
    assert stored_session_key(cookie_of(client)).encode() in stored
    for known in (cookie_of(client), "_auth_user_id", "account_authentication_methods"):
        assert known.encode() not in stored


def test_a_stolen_database_contains_no_session_cookie() -> None:
    make_user()
    log_in()
    for row in Session.objects.all():
        for value in (row.session_key, row.session_key[:32], row.session_data):
            assert not is_logged_in(with_cookie(value))


def test_a_row_that_was_tampered_with_or_moved_opens_nothing() -> None:
    make_user()
    mine, theirs = log_in(), log_in()
    row = Session.objects.get(session_key=stored_session_key(cookie_of(mine)))
    other = Session.objects.get(session_key=stored_session_key(cookie_of(theirs)))
    for data in (other.session_data, row.session_data[:-8] + "AAAAAAA=", "", "ё"):
        Session.objects.filter(pk=row.pk).update(session_data=data)
        assert not is_logged_in(with_cookie(cookie_of(mine)))


def test_another_secret_key_ends_every_session(settings: Settings) -> None:
    make_user()
    client = log_in()
    settings.SECRET_KEY = "another one"
    assert not is_logged_in(client)


def test_djangos_asynchronous_way_stores_the_same() -> None:
    store = SessionStore()
    store["mark"] = "planted"
    async_to_sync(store.asave)()
    key = str(store.session_key)
    assert [row.session_key for row in Session.objects.all()] == [stored_session_key(key)]
    assert async_to_sync(SessionStore(key).aget)("mark") == "planted"
    assert async_to_sync(store.aexists)(key)
    assert not async_to_sync(store.aexists)(stored_session_key(key))
    async_to_sync(store.adelete)()
    assert not Session.objects.exists()


def test_a_made_up_cookie_is_not_taken_up() -> None:
    """Else whoever plants one in a browser would know it after the log-in."""
    make_user()
    client = with_cookie("a" * 32)
    submit_password(client)
    assert cookie_of(client) != "a" * 32


def test_the_cookie_is_a_new_one_after_the_log_in(client: Client) -> None:
    make_user()
    submit_password(client)
    before = cookie_of(client)
    client.post("/admin/account/login/code/", {"code": code()})
    assert cookie_of(client) != before
    assert not is_logged_in(with_cookie(before))


def test_expired_sessions_are_deleted_at_a_log_in(clock: time_machine.Traveller) -> None:
    make_user()
    log_in()
    clock.shift(15 * 24 * 3600)
    log_in()
    assert Session.objects.count() == 1


def test_the_cookie_is_the_admins_alone_and_of_the_browsers_session() -> None:
    make_user()
    cookie = log_in().cookies["sessionid"]
    assert cookie["path"] == "/admin/"
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert not cookie["max-age"]


# --- Ended ----------------------------------------------------------------------------


def test_a_new_password_ends_all_sessions_but_the_one_it_was_typed_in() -> None:
    make_user()
    here, there, half = log_in(), log_in(), Client()
    submit_password(half)
    answer = here.post(NEW_PASSWORD, {"oldpassword": "pass", "password1": NEW, "password2": NEW})
    assert answer.status_code == 302
    assert is_logged_in(here)
    assert not is_logged_in(there)
    # Nor does the old password still wait for its code.
    half.post("/admin/account/login/code/", {"code": code(steps=1)})
    assert not is_logged_in(half)
    assert Session.objects.count() == 1


def test_a_bad_new_password_changes_nothing() -> None:
    make_user()
    client = log_in()
    whole = {"oldpassword": "pass", "password1": NEW, "password2": NEW}
    for said, typed in {
        "not your present password": {"oldpassword": "wrong"},
        "not the same": {"password2": "another-9-word"},
        "too common": {"password1": "12345678", "password2": "12345678"},
        "required": {"password1": "", "password2": ""},
    }.items():
        assert said in client.post(NEW_PASSWORD, whole | typed).content.decode()
        assert User.objects.get().check_password("pass")
        assert is_logged_in(client)


def test_a_new_password_from_the_command_line_ends_them_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_user()
    client = log_in()
    monkeypatch.setattr("getpass.getpass", lambda *_args, **_kwargs: NEW)
    call_command("changepassword", "editor")
    assert not Session.objects.exists()
    assert not is_logged_in(client)


def test_a_new_password_from_a_manager_ends_them_all() -> None:
    make_user()
    colleague = make_user(username="colleague")
    manager, client = log_in(), log_in("colleague")
    answer = manager.post(
        f"/admin/auth/user/{colleague.pk}/password/",
        {"password1": NEW, "password2": NEW, "usable_password": "true"},
    )
    assert answer.status_code == 302
    assert not is_logged_in(client)
    assert is_logged_in(manager)


@pytest.mark.parametrize("fields", [{"is_active": False}, {"is_staff": False}])
@pytest.mark.parametrize("how", ["save", "update"])
def test_a_disabled_account_is_out_at_once_and_stays_out(fields: dict[str, bool], how: str) -> None:
    user = make_user()
    client = log_in()
    if how == "save":
        for name, value in fields.items():
            setattr(user, name, value)
        user.save()
        assert not Session.objects.exists()
    else:
        User.objects.update(**fields)
    for path in (
        ADMIN_INDEX,
        "/admin/articles/article/",
        "/admin/account/factor/",
        "/admin/jsi18n/",
    ):
        answer = client.get(path)
        assert answer.status_code == 302
        assert "/login/" in answer.headers["Location"]
    User.objects.update(is_active=True, is_staff=True)
    assert not is_logged_in(client)


def test_a_deleted_account_is_out_at_once() -> None:
    user = make_user()
    client = log_in()
    user.delete()
    assert not Session.objects.exists()
    assert not is_logged_in(client)


def test_disabling_ones_own_account_logs_out() -> None:
    """And is not told of a bad request because the session has ended under it."""
    user = make_user()
    make_user(username="colleague")
    client, there = log_in(), log_in()
    form = client.get(f"/admin/auth/user/{user.pk}/change/").context["adminform"].form
    typed = {field.html_name: field.value() for field in form if field.value()}
    typed |= {"date_joined_0": "2026-11-01", "date_joined_1": "10:00:00"}
    del typed["is_active"]
    answer = client.post(f"/admin/auth/user/{user.pk}/change/", typed, follow=True)
    assert not User.objects.get(pk=user.pk).is_active
    assert answer.redirect_chain[-1][0].startswith("/admin/account/login/")
    assert answer.status_code == 200
    assert not is_logged_in(there)


def test_deleting_ones_own_account_logs_out() -> None:
    user = make_user()
    make_user(username="colleague")
    client, other = log_in(), log_in("colleague")
    answer = client.post(f"/admin/auth/user/{user.pk}/delete/", {"post": "yes"}, follow=True)
    assert not User.objects.filter(pk=user.pk).exists()
    assert answer.redirect_chain[-1][0].startswith("/admin/account/login/")
    assert is_logged_in(other)


def test_disabling_another_account_does_not_log_out() -> None:
    make_user()
    colleague = make_user(username="colleague")
    client = log_in()
    client.post(f"/admin/auth/user/{colleague.pk}/delete/", {"post": "yes"})
    assert not User.objects.filter(pk=colleague.pk).exists()
    assert is_logged_in(client)


def test_adding_a_second_factor_ends_other_sessions(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    make_user(username="analyst", is_superuser=False)
    here, there = log_in("analyst"), log_in("analyst")
    here.get(APP)
    with django_capture_on_commit_callbacks(execute=True):
        here.post(APP, {"code": code(here.session["mfa.totp.secret"])})
    assert is_logged_in(here)
    assert not is_logged_in(there)
