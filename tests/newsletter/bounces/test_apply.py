"""What a report does to its subscriber."""

from __future__ import annotations

import datetime as dt
import io
from unittest import mock

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from articles.models import Digest
from keys import sealing, tokens
from keys.tokens import TokenKind
from newsletter.bounces import apply
from newsletter.bounces.apply import apply_mail, open_quarantined
from newsletter.campaigns.lifecycle import launch
from newsletter.management.commands import process_bounces
from newsletter.models import (
    BounceKind,
    Delivery,
    Departure,
    Mailing,
    QuarantinedMail,
    QuarantineReason,
    Subscriber,
    SubscriberStatus,
    Suppression,
)
from newsletter.privacy import retention
from newsletter.stats import subscribers
from newsletter.subscribers import sign_up
from staff.models import AuditAction, AuditEntry
from tests.factories import MONDAY_MORNING, make_mailing, make_user
from tests.newsletter.bounces.mails import FORMS, nested, written

pytestmark = pytest.mark.django_db
NOW = MONDAY_MORNING
DAY = dt.timedelta(days=1)


@pytest.fixture(scope="module")
def sent(shared_rows: None) -> int:
    mailing = make_mailing(readers=3)
    launch(mailing, NOW)
    Delivery.objects.update(status="sent", handed_over_at=NOW, settled_at=NOW)
    return mailing.pk


@pytest.fixture
def mailing(sent: int, db: None) -> Mailing:
    """Sent to three subscribers."""
    return Mailing.objects.get(pk=sent)


@pytest.fixture
def delivery(mailing: Mailing) -> Delivery:
    return Delivery.objects.order_by("pk")[0]


def return_path(delivery: Delivery) -> str:
    return f"b-{tokens.make_token(TokenKind.RETURN_PATH, delivery.pk, 0)}@bounces.newsroom.example"


def came_back(form: str, delivery: Delivery, now: dt.datetime = NOW) -> str:
    ids = (delivery.subscriber_id or 0, delivery.mailing_id)
    raw = written(
        form,
        to=return_path(delivery),
        message=tokens.make_token(TokenKind.MESSAGE, *ids),
        letter=tokens.make_token(TokenKind.LETTER, *ids),
    )
    return apply_mail(raw, now)


def status(delivery: Delivery) -> str:
    return Subscriber.objects.get(pk=delivery.subscriber_id).status


@pytest.mark.parametrize("form", [form for form, (kind, _) in FORMS.items() if kind == "hard"])
def test_a_hard_bounce_ends_its_subscriber_and_nobody_else(form: str, delivery: Delivery) -> None:
    assert came_back(form, delivery) == "hard"
    assert status(delivery) == SubscriberStatus.BOUNCED
    assert not Subscriber.objects.get(pk=delivery.subscriber_id).sealed_address
    assert Suppression.objects.get().reason == SubscriberStatus.BOUNCED
    assert Subscriber.objects.active().count() == 2
    assert Departure.objects.count() == 1
    # Mail is delivered twice at times.
    assert came_back(form, delivery) == "hard"
    assert Suppression.objects.count() == 1


@pytest.mark.parametrize(
    "form", [form for form, (kind, _) in FORMS.items() if kind in {"policy", "notice"}]
)
def test_a_policy_bounce_or_a_delay_ends_no_subscriber(form: str, delivery: Delivery) -> None:
    for week in range(5):
        came_back(form, delivery, NOW + week * 7 * DAY)
    assert status(delivery) == SubscriberStatus.ACTIVE


@pytest.mark.parametrize("form", [form for form, (kind, _) in FORMS.items() if kind == "complaint"])
def test_a_complaint_unsubscribes_and_suppresses(form: str, delivery: Delivery) -> None:
    assert came_back(form, delivery) == "complaint"
    assert status(delivery) == SubscriberStatus.COMPLAINED
    assert Suppression.objects.get().reason == SubscriberStatus.COMPLAINED


def another_week(delivery: Delivery, weeks: int) -> Delivery:
    """The same subscriber's letter of a later digest."""
    digest = Digest.objects.create(week=delivery.digest.week.previous(-weeks))
    mailing = Mailing.objects.create(
        digest=digest,
        edition=delivery.mailing.edition,
        status="sent",
        due_at=NOW,
        approved_at=NOW,
        launched_at=NOW,
    )
    at = NOW + weeks * 7 * DAY
    return Delivery.objects.create(
        mailing=mailing,
        digest=digest,
        variant=delivery.variant,
        subscriber_id=delivery.subscriber_id,
        provider="other",
        status="sent",
        due_at=at,
        handed_over_at=at,
        settled_at=at,
    )


@pytest.mark.both_databases
def test_soft_bounces_of_three_mailings_in_a_row_end_a_subscriber(delivery: Delivery) -> None:
    letters = [delivery, another_week(delivery, 1), another_week(delivery, 2)]
    for letter in letters[:2]:
        assert came_back("gmail: full", letter) == "soft"
        # Once more about the same letter is no second letter.
        came_back("gmail: full", letter)
        assert status(delivery) == SubscriberStatus.ACTIVE
    came_back("gmail: full", letters[2])
    assert status(delivery) == SubscriberStatus.BOUNCED


def test_a_delivered_letter_resets_the_count_of_soft_bounces(delivery: Delivery) -> None:
    letters = [delivery, *(another_week(delivery, weeks) for weeks in (1, 2, 3))]
    for place in (0, 1, 3):
        came_back("gmail: full", letters[place])
    assert status(delivery) == SubscriberStatus.ACTIVE


@pytest.mark.both_databases
def test_a_late_report_still_counts(delivery: Delivery) -> None:
    letters = [delivery, *(another_week(delivery, weeks) for weeks in (1, 2, 3))]
    for letter in letters[:2]:
        came_back("gmail: full", letter)
    assert status(delivery) == SubscriberStatus.ACTIVE
    came_back("gmail: full", letters[2])
    assert status(delivery) == SubscriberStatus.BOUNCED


def test_a_policy_in_between_does_not_count_and_does_not_bridge(delivery: Delivery) -> None:
    letters = [delivery, *(another_week(delivery, weeks) for weeks in (1, 2, 3))]
    for letter, form in zip(
        letters, ("gmail: full", "gmail: full", "dmarc", "gmail: full"), strict=True
    ):
        came_back(form, letter)
    assert status(delivery) == SubscriberStatus.ACTIVE


@pytest.mark.both_databases
def test_a_bounce_from_before_a_resubscription_is_ignored(delivery: Delivery) -> None:
    subscriber = Subscriber.objects.get(pk=delivery.subscriber_id)
    address = subscriber.address(sealing.worker_keys())
    subscriber.end(SubscriberStatus.UNSUBSCRIBED, NOW)
    row = sign_up.sign_up(address, subscriber.edition, "en", NOW + DAY)
    sign_up.process_sign_up(row.pk, NOW + DAY)
    assert status(delivery) == SubscriberStatus.PENDING
    assert came_back("postfix: user unknown", delivery, NOW + DAY) == "hard"
    subscriber.refresh_from_db()
    assert subscriber.status == SubscriberStatus.PENDING
    assert subscriber.sealed_address
    assert came_back("arf: abuse", delivery, NOW + DAY) == "complaint"
    assert status(delivery) == SubscriberStatus.COMPLAINED


def test_an_auto_reply_is_no_bounce(delivery: Delivery) -> None:
    for form, (kind, _text) in FORMS.items():
        if kind == "auto reply":
            assert came_back(form, delivery) == "auto reply"
    assert status(delivery) == SubscriberStatus.ACTIVE
    assert not QuarantinedMail.objects.exists()


def test_a_bounce_with_another_subscribers_token_marks_nobody(
    mailing: Mailing, delivery: Delivery
) -> None:
    other = Delivery.objects.order_by("pk")[1]
    raw = f"Delivered-To: {return_path(other)}\r\n".encode() + written(
        "postfix: user unknown", to=return_path(delivery)
    )
    assert apply_mail(raw, NOW) == "set aside"
    assert Subscriber.objects.active().count() == 3
    assert QuarantinedMail.objects.get().reason == QuarantineReason.CONTRADICTORY
    complaint = written("arf: abuse", to="", message="", letter="").replace(
        b"Return-Path: <>", f"Return-Path: <{return_path(delivery)}>".encode()
    )
    token = tokens.make_token(TokenKind.LETTER, other.subscriber_id or 0, mailing.pk)
    complaint = complaint.replace(b"/letter//", f"/letter/{token}/".encode())
    assert apply_mail(complaint, NOW) == "set aside"
    assert Subscriber.objects.active().count() == 3


def test_a_letter_that_was_not_handed_over_cannot_bounce(
    mailing: Mailing, delivery: Delivery
) -> None:
    Delivery.objects.update(handed_over_at=None, status="pending")
    assert came_back("postfix: user unknown", delivery) == "set aside"
    assert QuarantinedMail.objects.get().reason == QuarantineReason.NO_LETTER
    assert status(delivery) == SubscriberStatus.ACTIVE


@pytest.mark.parametrize(
    "kind", [TokenKind.LETTER, TokenKind.MESSAGE, TokenKind.CONFIRM, TokenKind.PREFERENCES]
)
def test_a_token_of_another_kind_is_no_return_path(kind: TokenKind, delivery: Delivery) -> None:
    token = tokens.make_token(kind, delivery.pk, 0)
    raw = written("postfix: user unknown", to=f"b-{token}@bounces.newsroom.example")
    assert apply_mail(raw, NOW) == "set aside"
    assert status(delivery) == SubscriberStatus.ACTIVE


def test_a_bounce_of_an_unsubscribed_subscriber_changes_nothing(delivery: Delivery) -> None:
    Subscriber.objects.get(pk=delivery.subscriber_id).end(SubscriberStatus.UNSUBSCRIBED, NOW)
    assert came_back("postfix: user unknown", delivery) == "hard"
    assert status(delivery) == SubscriberStatus.UNSUBSCRIBED
    retention.apply_retention(NOW + 31 * DAY)
    assert came_back("postfix: user unknown", Delivery.objects.get(pk=delivery.pk)) == "hard"


@pytest.mark.both_databases
@pytest.mark.parametrize("raw", [b"", b"\x00\xff" * 5000, nested(400), b"x" * 3_000_000])
def test_rubbish_is_quarantined_and_never_stops_the_processing(
    raw: bytes, delivery: Delivery
) -> None:
    assert apply_mail(raw, NOW) == "set aside"
    assert came_back("postfix: user unknown", delivery) == "hard"


def test_quarantined_mail_is_sealed_and_only_a_worker_opens_it(
    delivery: Delivery, without_worker_key: None
) -> None:
    raw = written("a person", to=return_path(delivery)) + b"planted@example.org"
    apply_mail(raw, NOW)
    kept = QuarantinedMail.objects.get()
    assert b"planted" not in bytes(kept.sealed)
    assert kept.size == len(raw)
    with pytest.raises(Exception, match="not given the worker's key"):
        open_quarantined(kept)


def test_showing_a_quarantined_mail_needs_the_key_and_is_audited(
    delivery: Delivery, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    raw = written("a person", to=return_path(delivery))
    apply_mail(raw, NOW)
    call_command("show_quarantined_mail", QuarantinedMail.objects.get().pk)
    assert AuditEntry.objects.filter(action=AuditAction.OPENED).exists()
    with pytest.raises(CommandError, match="no quarantined mail 0"):
        call_command("show_quarantined_mail", 0)


def test_a_shown_mail_cannot_control_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    apply_mail("\x1b]0;owned\x07\x1b[2J\rЛіст\u202e\x9b31m\tend".encode(), NOW)
    call_command("show_quarantined_mail", QuarantinedMail.objects.get().pk)
    shown = capsys.readouterr().out
    assert "Ліст" in shown
    assert "\tend" in shown
    assert not set(shown) & set("\x1b\x07\r\u202e\x9b")


def test_a_flood_of_rubbish_does_not_fill_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apply, "MAX_QUARANTINED_MAILS", 2)
    assert [apply_mail(b"rubbish", NOW) for _ in range(4)] == ["set aside"] * 2 + ["dropped"] * 2
    assert QuarantinedMail.objects.count() == 2


def test_a_manager_sees_size_date_and_reason_but_no_content(
    client: Client, delivery: Delivery
) -> None:
    apply_mail(written("a person", to="planted@example.org"), NOW)
    client.force_login(make_user())
    listed = client.get("/admin/newsletter/quarantinedmail/").content.decode()
    assert "no report that is known" in listed
    assert "planted" not in listed
    opened = client.get(
        f"/admin/newsletter/quarantinedmail/{QuarantinedMail.objects.get().pk}/change/"
    ).content.decode()
    assert "planted" not in opened


@pytest.mark.both_databases
def test_returned_mail_is_counted_by_kind(delivery: Delivery) -> None:
    for form in ("postfix: user unknown", "gmail: full", "dmarc", "auto reply: header", "a person"):
        came_back(form, delivery)
    counts = {str(one.label): one.count for one in subscribers.count_returned_mail(NOW)}
    assert counts["The mailbox does not exist"] == 1
    assert counts["Set aside for a person"] == 1
    assert sum(counts.values()) == 5
    assert sum(one.count for one in subscribers.count_returned_mail(NOW + 8 * DAY)) == 0


@pytest.mark.both_databases
def test_quarantined_mail_expires_after_thirty_days() -> None:
    apply_mail(b"rubbish", NOW)
    retention.apply_retention(NOW + 30 * DAY)
    assert not QuarantinedMail.objects.exists()


def test_a_delivery_records_its_bounce(delivery: Delivery) -> None:
    came_back("dmarc", delivery)
    delivery.refresh_from_db()
    assert delivery.bounce == BounceKind.POLICY


def test_nothing_of_a_mail_reaches_the_log(
    delivery: Delivery, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    came_back("exim", delivery)
    apply_mail(nested(400), NOW)
    assert "reader@example.org" not in caplog.text
    assert "Situation" not in caplog.text


def _pipe(raw: bytes, *arguments: str) -> str:
    with mock.patch("sys.stdin", io.TextIOWrapper(io.BytesIO(raw))):
        out = io.StringIO()
        call_command("process_bounces", *arguments, stdout=out)
    return out.getvalue().strip()


def test_a_mail_server_may_name_the_recipient_in_the_environment(
    delivery: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORIGINAL_RECIPIENT", return_path(delivery))
    _pipe(written("qmail", to="somebody@newsroom.example"))
    assert status(delivery) == SubscriberStatus.BOUNCED


def test_on_any_error_the_mail_server_keeps_the_mail(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stumble(*_args: object) -> None:
        raise RuntimeError("reader@example.org")

    monkeypatch.setattr(process_bounces, "apply_mail", stumble)
    with pytest.raises(SystemExit) as ended:
        _pipe(b"a mail")
    assert ended.value.code == process_bounces.EX_TEMPFAIL
    assert "reader@example.org" not in capsys.readouterr().err


def test_a_pipe_brings_one_mail(delivery: Delivery) -> None:
    raw = written("qmail", to="somebody@newsroom.example")
    assert _pipe(raw, "--recipient", return_path(delivery)) == "", "it would stand in a log"
    assert status(delivery) == SubscriberStatus.BOUNCED
    with pytest.raises(CommandError, match="no mail"):
        _pipe(b"")
