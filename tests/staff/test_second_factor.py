"""Who must have a second factor, how they get it, keep it and lose it."""

from __future__ import annotations

import io
import logging

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import Group, Permission, User
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django.fixtures import Settings

from articles.models import Topic
from staff.models import Session
from staff.second_factor import has_second_factor, needs_second_factor
from tests.factories import TOTP_SECRET, enrol, make_user
from tests.staff.browser import (
    ADMIN_INDEX,
    APP,
    CODE,
    CODES,
    ENROL,
    FACTOR,
    add_security_key,
    code,
    dump_database,
    is_logged_in,
    log_in,
    submit_password,
)

pytestmark = pytest.mark.django_db


def permission(name: str) -> Permission:
    app, _, codename = name.partition(".")
    return Permission.objects.get(content_type__app_label=app, codename=codename)


def allowed(*names: str) -> User:
    user: User = make_user(username="analyst", is_superuser=False)
    user.user_permissions.set([permission(name) for name in names])
    return again(user)


def again(user: User) -> User:
    """Without the permissions that it remembers."""
    return User.objects.get(pk=user.pk)


# --- Who ------------------------------------------------------------------------------


def test_a_permission_of_a_group_counts_as_well() -> None:
    user = allowed("articles.change_article")
    assert not needs_second_factor(again(user))
    editors = Group.objects.create(name="Editors")
    editors.permissions.add(permission("articles.publish_article"))
    user.groups.add(editors)
    assert needs_second_factor(again(user))


def test_a_superuser_needs_one() -> None:
    assert needs_second_factor(make_user(enrolled=False))


def test_password_only_permissions_need_no_second_factor(settings: Settings) -> None:
    names = settings.PASSWORD_ONLY_PERMISSIONS
    # Each is a real permission: a misspelt one would ask everybody for a second factor.
    assert not needs_second_factor(again(allowed(*sorted(names))))


def test_every_other_permission_needs_a_second_factor(settings: Settings) -> None:
    """So one that comes later is covered before anybody thinks of it."""
    user = allowed()
    for one in Permission.objects.select_related("content_type"):
        name = f"{one.content_type.app_label}.{one.codename}"
        user.user_permissions.set([one])
        assert needs_second_factor(again(user)) == (name not in settings.PASSWORD_ONLY_PERMISSIONS)


# --- How ------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_the_first_log_in_leads_through_the_enrolment_to_the_recovery_codes(
    client: Client,
) -> None:
    user = make_user(enrolled=False)
    answer = submit_password(client)
    assert client.get(answer.headers["Location"]).headers["Location"] == ENROL
    page = client.get(ENROL).content.decode()
    assert "authenticator app" in page
    assert "security key" in page
    shown = client.get(APP).content.decode()
    secret = client.session["mfa.totp.secret"]
    assert secret in shown
    assert "<svg" in shown
    answer = client.post(APP, {"code": code(secret)})
    assert answer.headers["Location"] == CODES
    # Not asked for the password again, which was typed a moment ago.
    page = client.get(CODES).content.decode()
    codes = (
        Authenticator.objects.get(user=user, type=Authenticator.Type.RECOVERY_CODES)
        .wrap()
        .get_unused_codes()
    )
    assert len(codes) == 10
    assert all(one in page for one in codes)
    assert is_logged_in(client)
    downloaded = client.get(f"{CODES}download/")
    assert downloaded.headers["Content-Disposition"].startswith("attachment")
    assert "no-store" in downloaded.headers["Cache-Control"]
    assert downloaded.content.decode().split()[-10:] == codes


def test_a_user_who_must_enrol_can_do_nothing_else(client: Client) -> None:
    make_user(enrolled=False)
    submit_password(client)
    topic = {"code": "west", "position": 1, "name_en": "West", "name_be": "З", "name_ru": "З"}
    for path in (
        ADMIN_INDEX,
        "/admin/articles/topic/add/",
        "/admin/articles/article/",
        "/admin/auth/user/",
        "/admin/account/password/",
        "/admin/account/factor/",
        "/admin/account/factor/codes/new/",
        "/admin/jsi18n/",
        "/admin/no/such/page/",
    ):
        for answer in (client.get(path), client.post(path, topic), client.put(path)):
            assert answer.status_code == 302, path
            assert answer.headers["Location"] == ENROL
    assert not Topic.objects.exists()


def test_no_script_name_bypasses_the_enrolment(client: Client) -> None:
    """Some servers take SCRIPT_NAME from a header that a proxy may pass on from anybody."""
    make_user(enrolled=False)
    submit_password(client)
    for path in (ADMIN_INDEX, "/admin/auth/user/", "/admin/articles/topic/add/"):
        for answer in (client.get(path, SCRIPT_NAME="/x"), client.post(path, SCRIPT_NAME="/x")):
            assert answer.status_code == 302
            assert answer.headers["Location"].endswith(ENROL)


def test_a_wrong_first_code_enrols_nothing(client: Client) -> None:
    user = make_user(enrolled=False)
    submit_password(client)
    client.get(APP)
    before = client.session["mfa.totp.secret"]
    page = client.post(APP, {"code": "000000"}).content.decode()
    assert "not right" in page
    # The picture is still the one that was scanned.
    assert before in page
    assert not has_second_factor(user)


def test_who_may_publish_from_now_on_enrols_at_the_next_click(client: Client) -> None:
    user = allowed("articles.change_article")
    submit_password(client, "analyst")
    assert is_logged_in(client)
    user.user_permissions.add(permission("articles.publish_article"))
    assert client.get(ADMIN_INDEX).headers["Location"] == ENROL


def test_who_is_enrolled_has_no_use_for_the_enrolments_page() -> None:
    make_user()
    assert log_in().get(ENROL).headers["Location"] == FACTOR


def test_nobody_enrols_without_a_log_in(client: Client) -> None:
    for path in (ENROL, APP, CODES, FACTOR):
        assert client.get(path).headers["Location"].startswith("/admin/account/login/")


# --- Keeping --------------------------------------------------------------------------


def test_the_last_app_stays_while_it_is_compulsory() -> None:
    user = make_user()
    client = log_in()
    page = client.get("/admin/account/factor/app/remove/").content.decode()
    assert "your only second factor" in page
    client.post("/admin/account/factor/app/remove/")
    assert has_second_factor(user)


def test_the_last_key_stays_while_it_is_compulsory() -> None:
    user = make_user()
    client = log_in()
    Authenticator.objects.filter(user=user).delete()
    key = add_security_key(user)
    path = f"/admin/account/factor/key/{key.pk}/remove/"
    assert "your only second factor" in client.get(path).content.decode()
    client.post(path)
    assert has_second_factor(user)


def test_one_of_two_may_go_either_of_them() -> None:
    user = make_user()
    client = log_in()
    key = add_security_key(user)
    assert client.post(f"/admin/account/factor/key/{key.pk}/remove/").status_code == 302
    assert client.post("/admin/account/factor/app/remove/").status_code == 200
    add_security_key(user)
    assert client.post("/admin/account/factor/app/remove/").status_code == 302
    kinds = Authenticator.objects.filter(user=user).values_list("type", flat=True)
    assert set(kinds) == {"webauthn", "recovery_codes"}


def test_nobody_removes_somebody_elses_key() -> None:
    make_user()
    theirs = add_security_key(make_user(username="other"))
    client = log_in()
    assert client.post(f"/admin/account/factor/key/{theirs.pk}/remove/").status_code == 404
    assert Authenticator.objects.filter(pk=theirs.pk).exists()


def test_who_needs_none_may_remove_the_last_one() -> None:
    user = allowed("articles.change_article")
    enrol(user)
    client = log_in("analyst")
    assert client.post("/admin/account/factor/app/remove/").status_code == 302
    assert not Authenticator.objects.filter(user=user).exists()


def test_changing_a_second_factor_needs_a_recent_password(clock: object) -> None:
    make_user()
    client = log_in()
    clock.shift(6 * 60)  # type: ignore[attr-defined]
    answer = client.post("/admin/account/factor/codes/new/")
    assert answer.headers["Location"].startswith("/admin/account/again/?next=")
    assert client.get(answer.headers["Location"]).status_code == 200
    answer = client.post(answer.headers["Location"], {"password": "pass"})
    assert answer.headers["Location"] == "/admin/account/factor/codes/new/"
    assert client.post("/admin/account/factor/codes/new/").status_code == 302


# --- Stored ---------------------------------------------------------------------------


@pytest.mark.both_databases
def test_a_stolen_database_holds_no_secret_and_no_recovery_code(client: Client) -> None:
    user = make_user()
    newcomer = make_user(username="newcomer", enrolled=False)
    submit_password(client, newcomer.username)
    client.get(APP)
    waiting = client.session["mfa.totp.secret"]
    stored = dump_database()
    codes = (
        Authenticator.objects.get(user=user, type=Authenticator.Type.RECOVERY_CODES)
        .wrap()
        .get_unused_codes()
    )
    assert user.username.encode() in stored
    for secret in (TOTP_SECRET, waiting, *codes):
        assert secret.encode() not in stored


def test_under_another_secret_key_codes_fail_with_a_reason(
    client: Client, settings: Settings
) -> None:
    make_user()
    settings.SECRET_KEY = "another one"
    submit_password(client)
    for typed in (code(), code(secret="")):
        page = client.post(CODE, {"code": typed}).content.decode()
        assert "secret key has changed" in page
    assert not is_logged_in(client)


# --- Losing ---------------------------------------------------------------------------


def test_an_administrator_resets_a_lost_second_factor(
    caplog: pytest.LogCaptureFixture,
) -> None:
    user = make_user()
    inside, half = log_in(), Client()
    submit_password(half)
    out = io.StringIO()
    with caplog.at_level(logging.WARNING, logger="staff"):
        call_command("reset_second_factor", "editor", stdout=out)
    assert "enrols anew" in out.getvalue()
    assert "second factor of editor was reset by reset_second_factor" in caplog.text
    assert not Authenticator.objects.filter(user=user).exists()
    assert not Session.objects.filter(user=user).exists()
    assert not is_logged_in(inside)
    # Whoever waits at the code is not sent round in a circle.
    assert half.get(CODE, follow=True).status_code == 200
    fresh = Client()
    submit_password(fresh)
    assert fresh.get(ADMIN_INDEX).headers["Location"] == ENROL


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(CommandError, match="no user 'nobody'"):
        call_command("reset_second_factor", "nobody")


def test_a_manager_resets_others_second_factors_in_the_admin() -> None:
    manager, colleague = make_user(), make_user(username="colleague")
    client = log_in()
    page = client.get("/admin/auth/user/").content.decode()
    assert "Take away the second factor" in page
    answer = client.post(
        "/admin/auth/user/",
        {"action": "reset_second_factor", "_selected_action": [manager.pk, colleague.pk]},
        follow=True,
    )
    assert "1 user enrols anew" in answer.content.decode()
    assert has_second_factor(manager)
    assert not has_second_factor(colleague)


def test_the_admin_has_no_page_with_secrets() -> None:
    make_user()
    client = log_in()
    assert client.get("/admin/mfa/authenticator/").status_code == 404
    assert client.get("/admin/account/emailaddress/").status_code == 404
