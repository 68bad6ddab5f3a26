"""The public forms, as a subscriber's browser and a mail scanner meet them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client
from kombu.exceptions import OperationalError
from pytest_django.fixtures import Settings

from keys import tokens
from keys.tokens import TokenKind
from newsletter.models import Edition, SignUp, Subscriber, SubscriberStatus
from newsletter.subscribers import sign_up as subscribing
from newsletter.tasks import process_sign_ups
from tests.factories import MONDAY_MORNING, make_edition, make_subscriber
from tests.newsletter import transactional_mails

pytestmark = pytest.mark.django_db
NOW = MONDAY_MORNING


@pytest.fixture
def edition() -> Edition:
    return make_edition(code="be-ru")


@pytest.fixture
def subscriber(edition: Edition) -> Subscriber:
    return make_subscriber(edition=edition, address="reader@example.org")


def letter_path(subscriber: Subscriber) -> str:
    return f"/be/letter/{tokens.make_token(TokenKind.LETTER, subscriber.pk, 1)}/"


def sign_up(client: Client, address: str, edition: str = "be-ru") -> HttpResponse:
    response: HttpResponse = client.post(
        "/be/subscribe/", {"email": address, "edition": edition}, follow=True
    )
    return response


def status(subscriber: Subscriber) -> str:
    subscriber.refresh_from_db()
    return str(subscriber.status)


def test_the_answer_is_the_same_for_every_address(
    client: Client, subscriber: Subscriber, without_worker_key: None
) -> None:
    make_edition(code="en")
    gone = make_subscriber_gone(subscriber)
    answers = [
        sign_up(client, address)
        for address in ("new@example.org", "reader@example.org", gone, "new@example.org")
    ]
    assert len({answer.content for answer in answers}) == 1
    assert len({str(answer.headers) for answer in answers}) == 1
    assert {answer.status_code for answer in answers} == {200}
    assert SignUp.objects.count() == 4


def make_subscriber_gone(subscriber: Subscriber) -> str:
    """Somebody who left; kept out of the web process, which has no key in this test."""
    subscriber.end(SubscriberStatus.UNSUBSCRIBED, subscriber.signed_up_at)
    return "reader@example.org"


@pytest.mark.parametrize("address", ["", "reader", "чытач@example.org", "a@b"])
def test_a_bad_address_gets_a_clear_error_and_keeps_what_was_typed(
    client: Client, edition: Edition, address: str
) -> None:
    answer = sign_up(client, address)
    assert answer.status_code == 400
    page = answer.content.decode()
    assert "errorlist" in page
    assert f'value="{address}"' in page or not address
    assert not SignUp.objects.exists()


def test_an_edition_has_to_be_chosen(client: Client, edition: Edition) -> None:
    answer = client.post("/be/subscribe/", {"email": "a@example.org", "edition": "fr"})
    assert answer.status_code == 400
    assert not SignUp.objects.exists()


def test_a_broker_that_is_down_loses_no_sign_up(
    client: Client,
    edition: Edition,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: object,
) -> None:
    def refuse(*_ids: int) -> None:
        raise OperationalError("nobody there")

    monkeypatch.setattr(process_sign_ups, "delay", refuse)
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        assert sign_up(client, "new@example.org").status_code == 200
    assert SignUp.objects.count() == 1


def test_without_a_key_to_seal_with_nobody_signs_up_and_nothing_is_lost(
    client: Client, edition: Edition, settings: Settings, tmp_path: Path
) -> None:
    settings.INTAKE_KEY_FILE = tmp_path / "not there"
    answer = client.post("/be/subscribe/", {"email": "new@example.org", "edition": "be-ru"})
    assert answer.status_code == 503
    assert 'value="new@example.org"' in answer.content.decode()
    assert "errorlist" in answer.content.decode()
    assert not SignUp.objects.exists()


def test_nothing_that_is_sent_with_the_form_waits_in_a_file(
    client: Client, edition: Edition, settings: Settings, tmp_path: Path
) -> None:
    """A process that is killed would leave it there."""
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path / "is not there")
    file = SimpleUploadedFile("list.csv", b"reader@example.org\n" * 10)
    form = {"email": "reader@example.org", "edition": "be-ru", "list": file}
    assert client.post("/be/subscribe/", form).status_code == 302
    assert SignUp.objects.count() == 1


def test_confirming_takes_a_post(client: Client, edition: Edition) -> None:
    row = subscribing.sign_up("new@example.org", edition, "be", NOW)
    subscriber_id = subscribing.process_sign_up(row.pk, NOW)
    assert subscriber_id is not None
    transactional_mails.send_confirmation(subscriber_id, NOW)
    found = re.search(r"https?://[^/]+(/be/confirm/\S+)", mail.outbox[0].body)
    assert found
    path = found.group(1)
    subscriber = Subscriber.objects.get(pk=subscriber_id)
    for _ in range(2):
        assert client.get(path).status_code == 200
        assert client.head(path).status_code == 200
        assert status(subscriber) == SubscriberStatus.PENDING
    answer = client.post(path)
    assert answer.status_code == 200
    assert status(subscriber) == SubscriberStatus.ACTIVE


def test_unsubscribing_takes_a_post_and_one_click_is_enough(
    client: Client, subscriber: Subscriber
) -> None:
    path = letter_path(subscriber)
    for _ in range(2):
        assert client.get(path).status_code == 200
        assert client.head(path).status_code == 200
        assert status(subscriber) == SubscriberStatus.ACTIVE
    # RFC 8058, 3.1: the mail provider posts this, without a cookie or a referrer.
    answer = client.post(path, {"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200
    assert status(subscriber) == SubscriberStatus.UNSUBSCRIBED
    # And again, from another letter or in doubt: kind, and still left.
    assert client.post(path, {"List-Unsubscribe": "One-Click"}).status_code == 200
    assert client.get(path).status_code == 200


@pytest.mark.parametrize("kind", ["confirm", "letter", "preferences"])
@pytest.mark.parametrize("token", ["short", "a" * 44, "a" * 46, "a" * 45, "ж" * 45, "a" * 90])
def test_a_truncated_or_forged_link_says_so(
    client: Client, edition: Edition, kind: str, token: str
) -> None:
    path = f"/ru/{kind}/{token}/"
    assert client.get(path).status_code == 404
    assert client.post(path).status_code == 404


def test_a_doubled_token_is_refused(client: Client, subscriber: Subscriber) -> None:
    token = tokens.make_token(TokenKind.LETTER, subscriber.pk, 1)
    assert client.post(f"/ru/letter/{token}{token}/").status_code == 404
    assert status(subscriber) == SubscriberStatus.ACTIVE


def test_the_link_of_any_old_letter_unsubscribes(client: Client, subscriber: Subscriber) -> None:
    # Whatever mailing it was, of last year or gone since: the subscriber's row is what counts.
    token = tokens.make_token(TokenKind.LETTER, subscriber.pk, 4_000_000_000)
    assert client.post(f"/ru/letter/{token.upper()}/").status_code == 200
    assert status(subscriber) == SubscriberStatus.UNSUBSCRIBED


def test_a_link_to_a_subscriber_who_is_gone_for_good_is_kind(
    client: Client, subscriber: Subscriber
) -> None:
    path = letter_path(subscriber)
    subscriber.delete()
    assert client.get(path).status_code == 200
    assert client.post(path).status_code == 200


def test_an_old_confirmation_says_what_to_do(client: Client, subscriber: Subscriber) -> None:
    token = tokens.make_token(TokenKind.CONFIRM, subscriber.pk, 1)
    assert client.get(f"/en/confirm/{token}/").status_code == 410


def test_no_form_sets_a_cookie_or_may_be_kept(client: Client, subscriber: Subscriber) -> None:
    for path in ("/be/subscribe/", "/be/subscribe/done/", letter_path(subscriber)):
        answer = client.get(path)
        assert not answer.cookies
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert "Cookie" not in answer.headers.get("Vary", "")
    assert "no-store" in client.get(letter_path(subscriber)).headers["Cache-Control"]
