"""Letters through Django's own mail backends: the same letter, the same ledger."""

from __future__ import annotations

import email
import json
import smtplib
from email import policy
from pathlib import Path
from typing import Any, ClassVar

import pytest
from anymail.exceptions import AnymailRecipientsRefused, AnymailRequestsAPIError
from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.core.mail.backends.base import BaseEmailBackend
from pytest_django.fixtures import Settings

from newsletter.campaigns import lifecycle
from newsletter.delivery.lanes import run_lane
from newsletter.delivery.relays.config import Relay
from newsletter.models import Delivery, DeliveryStatus, Mailing, MailingStatus, Subscriber
from newsroom import env
from tests.factories import MONDAY_MORNING as NOW
from tests.factories import make_mailing

pytestmark = pytest.mark.django_db
HERE = f"backend:{__name__}.Failing"


class Failing(BaseEmailBackend):
    """Raises what the test wants for every letter after the first."""

    failure: ClassVar[Exception | None] = None
    answer: ClassVar[int | None] = 1
    sent: ClassVar[list[Any]] = []

    def send_messages(self, email_messages: Any) -> Any:
        if self.sent and type(self).failure is not None:
            raise type(self).failure
        self.sent.extend(email_messages)
        return type(self).answer


@pytest.fixture(autouse=True)
def nothing_fails() -> None:
    Failing.failure, Failing.answer = None, 1
    Failing.sent.clear()


def sent_through(settings: Settings, url: str, readers: int = 3) -> Mailing:
    settings.RELAYS = (Relay.parse(url),)
    mailing = make_mailing(readers=readers)
    lifecycle.launch(mailing, NOW)
    run_lane(mailing.pk, 0, lambda: NOW)
    mailing.refresh_from_db()
    assert lifecycle.ledger(mailing).balances
    return mailing


def test_every_reader_gets_the_letter_with_their_own_way_to_leave(settings: Settings) -> None:
    mailing = sent_through(settings, "backend:django.core.mail.backends.locmem.EmailBackend")
    assert mailing.status == MailingStatus.SENT
    assert len({tuple(one.to) for one in mail.outbox}) == 3
    assert set(Delivery.objects.values_list("relay", flat=True)) == {"locmem"}
    first, second, _third = (one.message() for one in mail.outbox)
    assert first["List-Unsubscribe"] != second["List-Unsubscribe"]
    assert first["Message-ID"] != second["Message-ID"]
    assert "<b-" not in str(first["From"]), "readers see the newsroom"
    assert mail.outbox[0].from_email.startswith("b-"), "bounces know their letter"
    parts = [part.get_content_type() for part in first.walk() if not part.is_multipart()]
    assert parts == ["text/plain", "text/html"]


def test_the_file_backend_keeps_the_texts_as_they_were_frozen(
    settings: Settings, tmp_path: Path
) -> None:
    settings.EMAIL_FILE_PATH = str(tmp_path / "mails")
    mailing = sent_through(settings, "backend:django.core.mail.backends.filebased.EmailBackend", 1)
    frozen = email.message_from_bytes(
        bytes(mailing.variants.get().content), policy=policy.default
    ).get_body(("plain",))
    [path] = (tmp_path / "mails").iterdir()
    kept = email.message_from_bytes(
        path.read_bytes().split(b"\n" + b"-" * 79)[0], policy=policy.default
    ).get_body(("plain",))
    assert frozen is not None
    assert kept is not None
    there = kept.get_content().replace("\r\n", "\n").splitlines()
    expected = frozen.get_content().replace("\r\n", "\n").splitlines()
    assert there[:5] == expected[:5]
    assert len(there) == len(expected)


@pytest.mark.parametrize(
    ("failure", "status", "counts"),
    [
        (
            smtplib.SMTPRecipientsRefused({"reader@example.org": (550, b"5.1.1 nobody")}),
            MailingStatus.SENT,
            (1, 2, 0),
        ),
        (AnymailRecipientsRefused(), MailingStatus.SENT, (1, 2, 0)),
        (smtplib.SMTPDataError(554, b"5.7.1 spam"), MailingStatus.PAUSED, (1, 0, 0)),
        (AnymailRequestsAPIError("no", status_code=401), MailingStatus.PAUSED, (1, 0, 0)),
        (AnymailRequestsAPIError("busy", status_code=429), MailingStatus.SENDING, (1, 0, 0)),
        (AnymailRequestsAPIError("oh", status_code=502), MailingStatus.PAUSED, (1, 0, 1)),
        (TimeoutError(), MailingStatus.PAUSED, (1, 0, 1)),
        (ValueError("a bug of the backend's"), MailingStatus.PAUSED, (1, 0, 1)),
    ],
)
def test_what_a_backend_raises_is_a_refusal_or_leaves_one_uncertain_and_pauses(
    settings: Settings, failure: Exception, status: MailingStatus, counts: tuple[int, int, int]
) -> None:
    Failing.failure = failure
    mailing = sent_through(settings, HERE)
    assert mailing.status == status
    ledger = lifecycle.ledger(mailing)
    assert (ledger.sent, ledger.failed, ledger.uncertain) == counts
    if status == MailingStatus.PAUSED:
        assert "test_backends.Failing" in mailing.pause_reason or "Failing" in mailing.pause_reason


def test_only_a_code_that_says_so_ends_a_reader(settings: Settings) -> None:
    Failing.failure = AnymailRecipientsRefused()
    sent_through(settings, HERE)
    assert Subscriber.objects.active().count() == 3


def test_a_backend_that_counts_no_letter_has_refused_it(settings: Settings) -> None:
    Failing.answer = 0
    mailing = sent_through(settings, HERE)
    assert mailing.status == MailingStatus.PAUSED
    assert not Delivery.objects.filter(status=DeliveryStatus.UNCERTAIN).exists()


def test_a_backend_that_says_nothing_leaves_one_uncertain(settings: Settings) -> None:
    Failing.answer = None
    mailing = sent_through(settings, HERE)
    assert mailing.status == MailingStatus.PAUSED
    assert lifecycle.ledger(mailing).uncertain == 1


@pytest.mark.parametrize("url", ["backend:", "backend:one", "backend:a b.C", "backend:os;rm.X"])
def test_what_is_no_path_of_a_backend_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="names no mail backend"):
        Relay.parse(url)


def test_settings_of_mail_come_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAIL_SETTINGS", json.dumps({"ANYMAIL": {"MAILGUN_API_KEY": "key"}}))
    assert env.mail_settings("MAIL_SETTINGS") == {"ANYMAIL": {"MAILGUN_API_KEY": "key"}}


@pytest.mark.parametrize("value", ["{", "[1]", '{"SECRET_KEY": "hidden"}'])
def test_other_settings_are_refused_and_no_value_is_repeated(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("MAIL_SETTINGS", value)
    with pytest.raises(ImproperlyConfigured) as refused:
        env.mail_settings("MAIL_SETTINGS")
    assert "hidden" not in str(refused.value)
