"""The admin answers on ADMIN_HOSTS only, and public pages load no session."""

from __future__ import annotations

import itertools
import re

import pytest
from django.conf import settings as configured
from django.core import mail
from django.test import Client
from pytest_django.fixtures import Settings

from newsletter.models import SignUp
from newsletter.subscribers import sign_up
from tests.factories import MONDAY_MORNING, make_edition, make_user
from tests.newsletter import transactional_mails
from tests.staff.browser import ADMIN_INDEX, LOGIN, is_logged_in, log_in

pytestmark = pytest.mark.django_db
STAFF_PATHS = ("/admin", "/admin/", "/admin/login/", LOGIN, "/admin/articles/article/1/change/")


@pytest.fixture(autouse=True)
def one_host(settings: Settings) -> None:
    settings.ADMIN_HOSTS = ["desk.example.org"]


def test_under_any_other_name_the_admin_is_like_a_page_that_never_was(client: Client) -> None:
    hosts = ("mirror.example", "desk.example.org.evil.example", "127.0.0.1")
    for host, ask in itertools.product(hosts, (client.get, client.head, client.post)):
        headers = {"host": host, "accept-language": "ru", "origin": f"http://{host}"}
        unknown = ask("/nothing/", headers=headers)
        for path in STAFF_PATHS:
            answer = ask(path, headers=headers)
            assert answer.status_code == unknown.status_code == 404
            assert answer.content == unknown.content
            assert dict(answer.headers) == dict(unknown.headers)
            assert not answer.cookies


def test_it_answers_under_its_own_name_whatever_the_port(client: Client) -> None:
    for host in ("desk.example.org", "DESK.example.org", "desk.example.org:8443"):
        assert client.get(LOGIN, headers={"host": host}).status_code == 200


def test_no_mount_point_hides_the_admins_path(client: Client) -> None:
    """Some servers take SCRIPT_NAME from a header that a proxy may pass on from anybody."""
    asked = {"headers": {"host": "mirror.example"}, "SCRIPT_NAME": "/x"}
    unknown = client.get("/nothing/", **asked)
    for path in STAFF_PATHS:
        answer = client.get(path, **asked)
        assert answer.status_code == 404
        assert answer.content == unknown.content


def test_a_log_in_does_not_help_elsewhere(client: Client) -> None:
    make_user()
    inside = log_in(HTTP_HOST="desk.example.org")
    assert is_logged_in(inside)
    assert inside.get(ADMIN_INDEX, headers={"host": "mirror.example"}).status_code == 404


def test_a_senseless_host_is_refused(client: Client) -> None:
    assert client.get(ADMIN_INDEX, headers={"host": "a b"}).status_code == 400


def test_a_path_that_begins_like_the_admins_is_public(client: Client) -> None:
    assert client.get("/administration/", headers={"host": "desk.example.org"}).status_code == 404


def test_public_pages_do_not_load_the_session() -> None:
    make_user()
    inside = log_in(HTTP_HOST="desk.example.org")
    for path in ("/", "/be/", "/be/weeks/", "/nothing/", "/be/subscribe/"):
        answer = inside.get(path)
        assert "Cookie" not in answer.headers.get("Vary", "")
        assert not answer.cookies


def test_links_in_letters_come_from_the_setting_whatever_host_was_asked(client: Client) -> None:
    make_edition(code="be-ru")
    client.post(
        "/be/subscribe/",
        {"email": "reader@example.org", "edition": "be-ru"},
        headers={"host": "evil.example", "x-forwarded-host": "evil.example"},
    )
    subscriber = sign_up.process_sign_up(SignUp.objects.get().pk, MONDAY_MORNING)
    assert subscriber is not None
    transactional_mails.send_confirmation(subscriber, MONDAY_MORNING)
    [letter] = mail.outbox
    whole = letter.message().as_string() + letter.body + str(letter.alternatives)
    assert "evil" not in whole
    links = re.findall(r"https?://[^/\s\"']+", letter.body)
    assert links
    assert set(links) == {configured.SITE_URL}
