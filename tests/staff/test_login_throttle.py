"""How often one may try, and what is kept of those who try: never an address."""

from __future__ import annotations

import datetime as dt
import re

import pytest
import time_machine
from django.core.cache import cache
from django.test import Client
from pytest_django.fixtures import Settings

from staff.login_throttle import GUESSING_THRESHOLD
from staff.models import AuditAction, AuditEntry
from staff.rate_limit_keys import WIDE_NETWORK_BITS, client_hash
from tests.articles.browser import visible_text
from tests.factories import make_user
from tests.needles import SeizedItem, of_address, search
from tests.services import ServiceNotInstalled, free_port, running_redis, skip_or_fail
from tests.staff.browser import (
    ADMIN_INDEX,
    CODE,
    LOGIN,
    code,
    dump_database,
    is_logged_in,
    log_in,
    submit_password,
)

pytestmark = pytest.mark.django_db
TOO_MANY = "Too many attempts"
DAY = dt.date(2026, 11, 23)


def attempt(client: Client, username: str = "editor", password: str = "wrong", **more: str) -> str:
    """What the page says."""
    return str(submit_password(client, username, password, **more).content.decode())


def test_each_wrong_password_beyond_five_doubles_the_wait(
    client: Client, clock: time_machine.Traveller
) -> None:
    make_user()
    for _ in range(5):
        assert TOO_MANY not in attempt(client)
    for minutes in (1, 2, 4, 8):
        wait = f"Try again in {minutes} minute"
        assert wait in attempt(client, password="pass")
        clock.shift(minutes * 60 - 1)
        assert TOO_MANY in attempt(client, password="pass")
        clock.shift(1)
        assert TOO_MANY not in attempt(client)
    clock.shift(16 * 60)
    assert submit_password(client).headers["Location"] == CODE


def test_nobody_waits_longer_than_an_hour(client: Client, clock: time_machine.Traveller) -> None:
    make_user()
    for _ in range(15):
        attempt(client)
        clock.shift(3600)
    assert submit_password(client).headers["Location"] == CODE


def test_a_refused_attempt_does_not_extend_the_wait(
    client: Client, clock: time_machine.Traveller
) -> None:
    make_user()
    for _ in range(25):
        attempt(client)
    clock.shift(60)
    assert submit_password(client).headers["Location"] == CODE


# --- Strangers ------------------------------------------------------------------------------

HOME, ELSEWHERE = "198.51.100.7", "192.0.2.80"


def crowd(username: str = "editor", clients: int = 12, guesses: int = 57) -> None:
    """So many wrong passwords from so many networks far from each other."""
    for number in range(guesses):
        attempt(Client(), username, REMOTE_ADDR=f"203.0.{number % clients}.9")


def known_browser(username: str = "editor") -> Client:
    """One that has logged in, and out again."""
    client = log_in(username)
    client.post("/admin/account/logout/")
    return client


def test_fifty_seven_wrong_passwords_from_twelve_clients_keep_the_owner_out_nowhere() -> None:
    make_user()
    known = known_browser()
    crowd()
    for client, address in ((known, HOME), (known, "203.0.1.9"), (Client(), ELSEWHERE)):
        assert submit_password(client, REMOTE_ADDR=address).headers["Location"] == CODE, address


def test_a_known_browser_can_log_in_from_an_attacking_network() -> None:
    make_user()
    known = known_browser()
    for number in range(40):
        attempt(Client(), f"name{number % 3}" if number % 2 else "editor", REMOTE_ADDR=HOME)
    assert TOO_MANY in attempt(Client(), password="pass", REMOTE_ADDR=HOME)
    assert submit_password(known, REMOTE_ADDR=HOME).headers["Location"] == CODE


def test_an_account_that_is_guessed_at_gives_each_wider_network_one_guess_a_day(
    clock: time_machine.Traveller,
) -> None:
    make_user()
    crowd(clients=12, guesses=GUESSING_THRESHOLD)
    said = [attempt(Client(), REMOTE_ADDR=f"192.0.2.{number}") for number in range(1, 9)]
    assert [TOO_MANY in page for page in said] == [False] + [True] * 7
    said = [attempt(Client(), REMOTE_ADDR=f"2001:db8:1:{number:x}::1") for number in range(8)]
    assert [TOO_MANY in page for page in said] == [False] + [True] * 7
    # Others are asked for their password as ever.
    make_user(username="second")
    assert TOO_MANY not in attempt(Client(), "second", REMOTE_ADDR="192.0.2.99")


def test_a_stranger_does_not_begin_anew_by_logging_in_to_an_account_of_their_own() -> None:
    make_user()
    make_user(username="own", is_superuser=False)
    for _ in range(10):
        attempt(Client())
        submit_password(Client(), "own")
    assert TOO_MANY in attempt(Client(), password="pass")


# --- Known browsers -------------------------------------------------------------------------


def device(client: Client) -> str:
    return str(client.cookies["device"].value)


def shut(address: str = HOME) -> None:
    """From there no unknown browser is asked for a password for a while."""
    for _ in range(6):
        attempt(Client(), REMOTE_ADDR=address)


def is_known(value: str, username: str = "editor") -> bool:
    client = Client()
    client.cookies["device"] = value
    return TOO_MANY not in attempt(client, username, "pass", REMOTE_ADDR=HOME)


def test_the_cookie_is_the_admins_alone_and_no_script_reads_it(settings: Settings) -> None:
    make_user()
    settings.SESSION_COOKIE_SECURE = True
    cookie = log_in().cookies["device"]
    assert cookie["path"] == "/admin/"
    assert cookie["httponly"]
    assert cookie["secure"]
    assert cookie["samesite"] == "Strict"
    assert int(cookie["max-age"]) == 180 * 24 * 3600


def test_the_cookie_names_nobody_and_the_site_keeps_nothing_of_it() -> None:
    user = make_user(username="zubr")
    first, second = device(log_in("zubr")), device(log_in("zubr"))
    assert first != second
    assert re.fullmatch(r"[0-9a-f]{32}\.2026-11-23\.[0-9a-f]{64}", first)
    number, _day, mac = first.split(".")
    stored = dump_database()
    assert number.encode() not in stored
    assert mac.encode() not in stored
    assert "zubr" not in first
    assert user.password not in first


def test_after_the_password_alone_no_browser_is_known(client: Client) -> None:
    make_user()
    submit_password(client)
    assert "device" not in client.cookies


def test_a_cookie_is_of_one_account_and_of_one_password() -> None:
    user = make_user()
    make_user(username="colleague")
    own, of_colleague = device(known_browser()), device(known_browser("colleague"))
    shut()
    assert is_known(own)
    assert is_known(own, "EDITOR")
    assert not is_known(of_colleague)
    user.set_password("zhurauli-lyatsyats-9")
    user.save()
    assert not is_known(own)


def test_a_made_up_or_changed_cookie_is_no_known_browsers(settings: Settings) -> None:
    make_user()
    own = device(known_browser())
    number, day, mac = own.split(".")
    shut()
    for value in (
        *("", ".", "..", "a.b.c", own + "x", own[:-1], "é.é.é", f"{number}.{day}", "." * 50),
        *(f"{number}.2026-11-22.{mac}", f"{number}.2026-13-99.{mac}", f"{'0' * 32}.{day}.{mac}"),
    ):
        assert not is_known(value), value
    assert is_known(own)
    settings.SECRET_KEY = "another one"
    shut()
    assert not is_known(own)


def test_a_browser_is_forgotten_half_a_year_after_its_last_log_in(
    clock: time_machine.Traveller,
) -> None:
    make_user()
    own = device(known_browser())
    clock.shift(dt.timedelta(days=180))
    shut()
    assert is_known(own)
    clock.shift(dt.timedelta(days=1))
    shut()
    assert not is_known(own)


def test_a_stolen_cookie_guesses_no_faster_than_anybody() -> None:
    make_user()
    thief = Client()
    thief.cookies["device"] = device(known_browser())
    said = [attempt(thief, REMOTE_ADDR=f"203.0.{number}.9") for number in range(6)]
    assert TOO_MANY not in said[4]
    assert TOO_MANY in said[5]


# --- Told -----------------------------------------------------------------------------------


def test_the_owner_is_warned_once_at_the_next_log_in(
    client: Client, clock: time_machine.Traveller
) -> None:
    make_user()
    crowd(clients=3, guesses=7)
    told = []
    for _ in range(2):
        assert submit_password(client, REMOTE_ADDR=HOME).headers["Location"] == CODE
        client.post(CODE, {"code": code()})
        told.append(
            "7 wrong passwords were typed for your account" in visible_text(client.get(ADMIN_INDEX))
        )
        client.post("/admin/account/logout/")
        clock.shift(60)
    assert told == [True, False]


def test_mistyped_passwords_in_a_known_browser_are_not_reported() -> None:
    make_user()
    known = known_browser()
    attempt(known)
    assert "wrong password" not in visible_text(log_in().get(ADMIN_INDEX))


def test_persistent_guessing_is_audited_once() -> None:
    user = make_user()
    crowd(guesses=GUESSING_THRESHOLD - 1)
    assert not AuditEntry.objects.exists()
    crowd(clients=10, guesses=10)
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.subject_id, entry.actor) == (AuditAction.GUESSED, user.pk, "")
    crowd("nobody", clients=60, guesses=60)
    assert AuditEntry.objects.count() == 1


# --- Names and networks ---------------------------------------------------------------------


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


def test_attempts_under_other_names_do_not_evict_an_accounts_count(
    client: Client,
) -> None:
    """Django's database cache keeps 300 entries unless it is told otherwise."""
    make_user()
    for _ in range(5):
        attempt(client)
    for number in range(310):
        cache.set(f"another-name-{number}", [1.0], 3600)
    assert TOO_MANY in attempt(client, password="pass")


def test_five_wrong_codes_are_rate_limited(client: Client) -> None:
    make_user()
    submit_password(client)
    for _ in range(5):
        assert TOO_MANY not in client.post(CODE, {"code": "000000"}).content.decode()
    assert TOO_MANY in client.post(CODE, {"code": code()}).content.decode()
    assert not is_logged_in(client)


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


def test_a_wider_network_is_what_one_organisation_has() -> None:
    def wide(address: str) -> str:
        return client_hash(address, DAY, WIDE_NETWORK_BITS)

    assert wide("203.0.113.9") == wide("203.0.113.200") != wide("203.0.114.9")
    assert wide("2001:db8:1:2::1") == wide("2001:db8:1:ffff::1") != wide("2001:db8:2::1")


def test_behind_a_unix_socket_all_are_one_client(client: Client) -> None:
    make_user()
    assert submit_password(client, REMOTE_ADDR="").headers["Location"] == CODE


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


def test_too_few_forwarded_addresses_count_as_one_client_with_a_warning(
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
    submit_password(client)
    client.post(CODE, {"code": "000000"})
    client.post(CODE, {"code": code()})
    assert is_logged_in(client)
    clock.shift(6 * 60)
    client.post("/admin/account/factor/codes/new/", {"planted": "typed"})
    client.post("/admin/account/again/", {"password": "wrong"})
    client.post(LOGIN)


def test_no_address_and_no_browser_is_stored(clock: time_machine.Traveller) -> None:
    walk(clock)
    stored = dump_database()
    assert b"login:network:" in stored
    day = dt.date(2026, 11, 23)
    assert client_hash(ADDRESSES[0], day).encode() in stored
    for planted in (*ADDRESSES, "Planted"):
        assert planted.encode() not in stored


def test_an_address_typed_as_user_name_is_not_stored(client: Client) -> None:
    """Not even hashed, but with a key: a list of addresses is soon tried."""
    address = "Planted.Reader@example.org"
    for _ in range(6):
        attempt(client, address)
    stored = dump_database()
    assert b"login:guesses:" in stored
    assert search([SeizedItem("the database", stored)], of_address(address)) == []


def test_a_request_that_needs_reauthentication_is_not_stored(clock: time_machine.Traveller) -> None:
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
    except ServiceNotInstalled as missing:
        skip_or_fail(missing)
    assert b"login:network:" in kept
    for planted in (*ADDRESSES, "Planted"):
        assert planted.encode() not in kept


def test_without_redis_nobody_logs_in_and_public_pages_work(
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
    answer = submit_password(client)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert not is_logged_in(client)
    assert client.get("/be/").status_code == 200


def test_all_processes_count_together(settings: Settings) -> None:
    """A cache of each process's own would give an attacker as many attempts as processes."""
    assert "locmem" not in settings.CACHES["default"]["BACKEND"]
    cache.set("mark", 1)
    assert b"mark" in dump_database()
