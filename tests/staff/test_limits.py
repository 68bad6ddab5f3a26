"""How often one may try, and what is kept of those who try: never an address."""

from __future__ import annotations

import datetime as dt

import pytest
import time_machine
from django.core.cache import cache
from django.test import Client
from pytest_django.fixtures import Settings

from staff.clients import client_hash
from tests.factories import make_user
from tests.needles import Straw, of_address, search
from tests.services import Missing, free_port, running_redis, skip_or_fail
from tests.staff.browser import (
    CODE,
    LOGIN,
    code,
    everything_stored,
    give_password,
    is_in,
    log_in,
)

pytestmark = pytest.mark.django_db
TOO_MANY = "Too many attempts"
DAY = dt.date(2026, 11, 23)


def attempt(client: Client, username: str = "editor", password: str = "wrong", **more: str) -> str:
    """What the page says."""
    return str(give_password(client, username, password, **more).content.decode())


def test_five_wrong_passwords_close_the_door_for_five_minutes(
    client: Client, clock: time_machine.Traveller
) -> None:
    make_user()
    for _ in range(5):
        assert TOO_MANY not in attempt(client)
    assert TOO_MANY in attempt(client, password="pass")
    clock.shift(5 * 60 + 1)
    assert give_password(client).headers["Location"] == CODE


def test_a_stranger_does_not_lock_out_the_accounts_owner(client: Client) -> None:
    make_user()
    for _ in range(8):
        attempt(client, REMOTE_ADDR="203.0.113.9")
    assert give_password(client, REMOTE_ADDR="198.51.100.7").headers["Location"] == CODE


def test_changing_the_host_or_the_names_case_gives_no_new_attempts(client: Client) -> None:
    make_user()
    said = [
        attempt(client, "EDITOR" if number % 2 else "editor", HTTP_HOST=f"testserver:{number + 1}")
        for number in range(7)
    ]
    assert TOO_MANY in said[-1]


def test_one_client_does_not_try_many_names(client: Client) -> None:
    said = [attempt(client, f"name{number}") for number in range(11)]
    assert TOO_MANY not in said[9]
    assert TOO_MANY in said[10]


def test_many_clients_do_not_try_one_name_for_ever(client: Client) -> None:
    make_user()
    for number in range(60):
        assert TOO_MANY not in attempt(client, REMOTE_ADDR=f"203.0.113.{number}")
    assert TOO_MANY in attempt(client, password="pass", REMOTE_ADDR="198.51.100.7")


def test_attempts_under_other_names_do_not_push_out_what_closed_an_account(
    client: Client,
) -> None:
    """Django's database cache keeps 300 entries unless it is told otherwise."""
    make_user()
    for _ in range(5):
        attempt(client)
    for number in range(310):
        cache.set(f"another-name-{number}", [1.0], 3600)
    assert TOO_MANY in attempt(client, password="pass")


def test_asking_for_the_page_too_often_is_answered_in_the_admins_look(client: Client) -> None:
    answers = [give_password(client, f"name{number}", "wrong") for number in range(31)]
    assert answers[-1].status_code == 429
    assert "Somebody with your network address" in answers[-1].content.decode()


def test_five_wrong_codes_close_the_door(client: Client) -> None:
    make_user()
    give_password(client)
    for _ in range(5):
        assert TOO_MANY not in client.post(CODE, {"code": "000000"}).content.decode()
    assert TOO_MANY in client.post(CODE, {"code": code()}).content.decode()
    assert not is_in(client)


def test_a_stolen_session_does_not_guess_the_password() -> None:
    make_user()
    client = log_in()
    said = [
        client.post("/admin/account/again/", {"password": "wrong"}).content.decode()
        for _ in range(6)
    ]
    assert TOO_MANY in said[-1]
    answers = [client.post("/admin/account/password/", {"oldpassword": "wrong"}) for _ in range(6)]
    assert answers[-1].status_code == 429


# --- Who a client is ------------------------------------------------------------------


def test_a_clients_hash_is_of_its_day_and_of_our_key(settings: Settings) -> None:
    known = client_hash("203.0.113.9", DAY)
    assert known == client_hash("203.0.113.9", DAY)
    assert known != client_hash("203.0.113.10", DAY)
    assert known != client_hash("203.0.113.9", DAY + dt.timedelta(days=1))
    settings.SECRET_KEY = "another one"
    assert known != client_hash("203.0.113.9", DAY)


def test_a_customers_ipv6_network_is_one_client() -> None:
    assert client_hash("2001:db8:1:2::1", DAY) == client_hash("2001:db8:1:2:ffff::9", DAY)
    assert client_hash("2001:db8:1:2::1", DAY) != client_hash("2001:db8:1:3::1", DAY)
    assert client_hash("::ffff:203.0.113.9", DAY) == client_hash("203.0.113.9", DAY)


def test_behind_a_unix_socket_all_are_one_client(client: Client) -> None:
    make_user()
    assert give_password(client, REMOTE_ADDR="").headers["Location"] == CODE


def test_x_forwarded_for_is_not_believed_unless_a_proxy_of_ours_wrote_it(
    client: Client, settings: Settings
) -> None:
    def forged(number: int) -> str:
        return attempt(client, f"name{number}", HTTP_X_FORWARDED_FOR=f"192.0.2.{number}")

    assert TOO_MANY in [forged(number) for number in range(11)][-1]
    cache.clear()
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    assert all(TOO_MANY not in forged(number) for number in range(11))
    # What the client put before it does not count.
    cache.clear()
    said = [
        attempt(client, f"name{number}", HTTP_X_FORWARDED_FOR=f"192.0.2.{number}, 203.0.113.9")
        for number in range(11)
    ]
    assert TOO_MANY in said[-1]


def test_a_header_with_fewer_proxies_than_ours_makes_all_one_client_and_it_is_said(
    client: Client, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 2
    said = [
        attempt(client, f"name{number}", HTTP_X_FORWARDED_FOR=f"192.0.2.{number}")
        for number in range(11)
    ]
    assert TOO_MANY in said[-1]
    assert "Set TRUSTED_PROXIES" in caplog.text
    assert "192.0.2." not in caplog.text


# --- What is kept ---------------------------------------------------------------------

ADDRESSES = ("198.51.100.77", "203.0.113.88")


def walk(clock: time_machine.Traveller) -> None:
    """A wrong password, a log-in, a wrong code, what needs the password again, a log-out."""
    make_user()
    client = Client(
        REMOTE_ADDR=ADDRESSES[0],
        HTTP_X_FORWARDED_FOR=ADDRESSES[1],
        HTTP_USER_AGENT="Planted/7.0",
    )
    attempt(client)
    give_password(client)
    client.post(CODE, {"code": "000000"})
    client.post(CODE, {"code": code()})
    assert is_in(client)
    clock.shift(6 * 60)
    client.post("/admin/account/factor/codes/new/", {"planted": "typed"})
    client.post("/admin/account/again/", {"password": "wrong"})
    client.post(LOGIN)


def test_no_address_and_no_browser_is_stored(clock: time_machine.Traveller) -> None:
    walk(clock)
    stored = everything_stored()
    assert b"allauth:rl:" in stored
    day = dt.date(2026, 11, 23)
    assert client_hash(ADDRESSES[0], day).encode() in stored
    for planted in (*ADDRESSES, "Planted"):
        assert planted.encode() not in stored


def test_a_reader_who_takes_the_door_for_theirs_leaves_no_address(client: Client) -> None:
    """Not even hashed, but with a key: a list of addresses is soon tried."""
    address = "Planted.Reader@example.org"
    for _ in range(6):
        attempt(client, address)
    stored = everything_stored()
    assert b"login_of_account" in stored
    assert search([Straw("the database", stored)], of_address(address)) == []


def test_what_is_asked_again_is_not_kept_meanwhile(clock: time_machine.Traveller) -> None:
    """allauth would put cookie, address and all that was typed into the session."""
    make_user()
    client = log_in()
    clock.shift(6 * 60)
    client.post("/admin/account/factor/codes/new/", {"planted": "typed"})
    assert "planted" not in str(dict(client.session.items()))
    assert "REMOTE_ADDR" not in str(dict(client.session.items()))


def test_no_address_is_in_redis_either(settings: Settings, clock: time_machine.Traveller) -> None:
    try:
        with running_redis() as redis:
            settings.CACHES = {
                "default": {
                    "BACKEND": "django.core.cache.backends.redis.RedisCache",
                    "LOCATION": redis.url,
                }
            }
            walk(clock)
            kept = b"".join(
                path.read_bytes() for path in redis.folder.rglob("*.aof") if path.is_file()
            )
    except Missing as missing:
        skip_or_fail(missing)
    assert b"allauth:rl:" in kept
    for planted in (*ADDRESSES, "Planted"):
        assert planted.encode() not in kept


def test_while_redis_is_away_nobody_logs_in_uncounted_and_readers_notice_nothing(
    settings: Settings,
) -> None:
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": f"redis://127.0.0.1:{free_port()}/0",
        }
    }
    make_user()
    client = Client(raise_request_exception=False)
    answer = give_password(client)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert not is_in(client)
    assert client.get("/be/").status_code == 200


def test_all_processes_count_together(settings: Settings) -> None:
    """A cache of each process's own would give an attacker as many attempts as processes."""
    assert "locmem" not in settings.CACHES["default"]["BACKEND"]
    cache.set("mark", 1)
    assert b"mark" in everything_stored()
