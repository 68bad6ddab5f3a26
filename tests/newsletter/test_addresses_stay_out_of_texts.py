"""Whatever people or imports write, and whoever rewrites a frozen letter: no address goes out."""

from __future__ import annotations

import datetime as dt
import email
import email.policy
from collections.abc import Callable, Iterator
from dataclasses import astuple
from email.message import EmailMessage
from typing import Any

import pytest
from django.core import mail
from django.db import models, transaction

from articles.editorial.digest_builder import build_digest
from articles.models import Article, Author, Digest, SiteSettings, Topic
from demo.mail_catcher.catcher import Catcher
from keys.sealing import worker_keys
from keys.tokens import TOKEN_LENGTH
from newsletter import schedule
from newsletter.campaigns import approval
from newsletter.campaigns.lifecycle import launch, ledger, resume
from newsletter.delivery.lanes import run_lane
from newsletter.mime import EncodedLetter, InvalidLetter, Personalisation, Placeholders
from newsletter.models import (
    Edition,
    Mailing,
    MailingStatus,
    MailKind,
    Subscriber,
    Variant,
    VariantKind,
)
from newsletter.subscribers import sign_up
from tests.factories import (
    MONDAY_MORNING,
    WEEK,
    make_article,
    make_edition,
    make_mailing,
    make_subscriber,
    make_user,
)
from tests.newsletter import transactional_mails

pytestmark = pytest.mark.django_db
NOW = MONDAY_MORNING
ADDRESS = "anna.subscriber@example.org"
TOKEN, MESSAGE_TOKEN = "t" * TOKEN_LENGTH, "m" * TOKEN_LENGTH
FORMER_ADDRESS = "01recipient".ljust(TOKEN_LENGTH, "0")
FORMER_TOKEN = "01token".ljust(TOKEN_LENGTH, "0")
SHOWN_IN_LETTERS = (Article, Digest, SiteSettings, Topic, Author, Edition)
PIXEL = b'<img src="https://elsewhere.example/?who=">'


def text_fields() -> Iterator[tuple[type[models.Model], Any]]:
    """Every column that a text can be written to, of every model that a letter shows."""
    for model in SHOWN_IN_LETTERS:
        for field in model._meta.concrete_fields:
            is_text = isinstance(field, models.CharField | models.TextField)
            if is_text and not field.choices and (field.max_length or 1_000) >= 100:
                yield model, field


def ready_to_approve() -> Digest:
    """A subscriber of each kind of letter, and a digest with an author and an introduction."""
    edition = make_edition(code="en", discreet=True)
    make_subscriber(edition=edition, address=ADDRESS)
    make_subscriber(edition=edition, address=f"x{ADDRESS}", variant=VariantKind.DISCREET)
    article = make_article(published_in=("en",))
    article.authors.add(Author.objects.create(name_en="Author"))
    SiteSettings.objects.get_or_create(pk=1)
    return build_digest(WEEK)


def approved(digest: Digest) -> Mailing:
    [mailing] = approval.approve(Digest.objects.get(pk=digest.pk), make_user(), NOW)
    return mailing


def send(mailing: Mailing) -> None:
    run_lane(mailing.pk, 0, lambda: NOW)
    mailing.refresh_from_db()


def wires(mailing: Mailing) -> Iterator[bytes]:
    """Each letter of it, for a relay that takes 8BITMIME and for one that does not."""
    anna = Personalisation(ADDRESS, TOKEN, MESSAGE_TOKEN, NOW)
    for variant in mailing.variants.all():
        for eight_bit in (True, False):
            yield EncodedLetter(variant.letter, eight_bit=eight_bit).to(anna)


def assert_no_text_carries(wire: bytes) -> None:
    """No address below the letter's head, one token in each part, and no part but its own."""
    head, _crlf, body = wire.partition(b"\r\n\r\n")
    message = email.message_from_bytes(wire, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    texts = [part for part in message.walk() if not part.is_multipart()]
    kinds = [part.get_content_type() for part in texts]
    assert kinds in (["text/plain"], ["text/plain", "text/html"])
    for said in (body.decode("utf-8", "replace"), *(str(part.get_content()) for part in texts)):
        assert "anna" not in said.lower()
        assert MESSAGE_TOKEN not in said
    assert [str(part.get_content()).count(TOKEN) for part in texts] == [1] * len(texts)
    assert head.count(ADDRESS.encode()) == 1
    assert set(message.keys()) <= HEADERS
    assert wire.count(b"\r\n.") == wire.count(b"\r\n..")


HEADERS = {
    *("Date", "Message-ID", "From", "To", "Subject", "List-Id", "List-Unsubscribe"),
    *("List-Unsubscribe-Post", "Auto-Submitted", "MIME-Version", "Content-Type"),
    "Content-Transfer-Encoding",
}
REFUSED = {
    "a former mark of the address",
    "a former mark of the token",
    "a part of its own",
    "a header of its own",
    "an end of the letter",
}
PLANTS = {
    "a former mark of the address": f"https://e.example/?who={FORMER_ADDRESS}",
    "a former mark of the token": f"https://e.example/{FORMER_TOKEN}/",
    "a token of somebody's letter": f"https://e.example/{TOKEN[:-1]}/",
    "a former boundary": "--=_01newsroom10_=--",
    "a part of its own": "8bit\n\n--=_x\nContent-Type: text/html\n\n<p>",
    "a header of its own": "x\r\nDisposition-Notification-To: x@example.invalid",
    "an end of the letter": "x\r\n.\r\nRCPT TO:<x@example.invalid>",
}


QUICK = {"a former mark of the address", "a token of somebody's letter", "a part of its own"}
"""One that is a mark, one that is a token, and one that is markup: a letter is frozen for each
field, twenty times for each of them."""


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in QUICK else pytest.mark.long) for name in PLANTS],
)
def test_what_is_written_into_any_field_is_refused_or_stays_text(name: str) -> None:
    plant = PLANTS[name]
    digest, refused = ready_to_approve(), 0
    for model, field in text_fields():
        with transaction.atomic():
            said = plant[: field.max_length or 1_000]
            model._default_manager.update(**{field.column: said})
            try:
                for wire in wires(approved(digest)):
                    assert_no_text_carries(wire)
            except InvalidLetter:
                refused += 1
            transaction.set_rollback(True)
    assert bool(refused) == (name in REFUSED)


def test_marks_are_drawn_anew_and_are_nowhere_to_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Placeholders] = []
    draw = Placeholders.draw
    monkeypatch.setattr(Placeholders, "draw", lambda: drawn.append(draw()) or drawn[-1])
    mailing = approved(ready_to_approve())
    marks = [mark for each in drawn for mark in astuple(each)]
    assert len(marks) == len(set(marks)) == 8
    stored = b"".join(
        bytes(row.content) + str(row.slots).encode() for row in mailing.variants.all()
    )
    assert not any(mark.encode() in stored for mark in marks)


def test_a_text_that_had_guessed_the_mark_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    marks = Placeholders.draw()
    monkeypatch.setattr(Placeholders, "draw", lambda: marks)
    for mark in astuple(marks):
        digest = ready_to_approve() if not Digest.objects.exists() else Digest.objects.get()
        Article.objects.update(body_en=f"<p>https://e.example/?who={mark}</p>")
        with pytest.raises(InvalidLetter, match="one link to leave by"):
            approved(digest)
    assert not Mailing.objects.exists()


def test_a_single_mail_holds_the_address_in_its_head_alone() -> None:
    ready_to_approve()
    SiteSettings.objects.update(name_en=f"Newsroom {FORMER_ADDRESS} {FORMER_TOKEN}")
    for variant in (VariantKind.FULL, VariantKind.DISCREET):
        row = sign_up.sign_up(f"b{ADDRESS}", Edition.objects.get(), "en", NOW, variant=variant)
        pk = sign_up.process_sign_up(row.pk, NOW)
        assert pk is not None
        transactional_mails.put(pk, NOW, MailKind.WELCOME, MailKind.PREFERENCES)
        assert transactional_mails.send_confirmation(pk, NOW)
        for sent in mail.outbox:
            assert "anna" not in sent.message().as_string().partition("\n\n")[2].lower()
        Subscriber.objects.filter(pk=pk).delete()
    assert len(mail.outbox) == 2


# --- What the web process may write --------------------------------------------------


def with_pixel(variant: Variant) -> None:
    """The address as a picture's: what a taken web process would write."""
    content = bytes(variant.content).replace(b"</body>", PIXEL + b"</body>")
    place = content.index(PIXEL) + len(PIXEL) - 2
    slots = sorted([*variant.slots, [place, "recipient"]])
    Variant.objects.filter(pk=variant.pk).update(content=content, slots=slots)


def with_receipt(variant: Variant) -> None:
    """A header that asks for a receipt."""
    header = b"Return-Receipt-To: <x@elsewhere.example>\r\n"
    slots = [[place + len(header), slot] for place, slot in variant.slots]
    Variant.objects.filter(pk=variant.pk).update(
        content=header + bytes(variant.content), slots=slots
    )


def with_more_slots(variant: Variant) -> None:
    """The address in the text, which stays as it is."""
    last = variant.slots[-1][0]
    Variant.objects.filter(pk=variant.pk).update(slots=[*variant.slots, [last + 5, "recipient"]])


def with_a_signature_of_another(variant: Variant) -> None:
    """What a worker signed, for another revision."""
    with_receipt(variant)
    forged = Variant.objects.get(pk=variant.pk)
    signature = worker_keys().sign(b"0 full 1\n" + forged.letter.signed_bytes())
    Variant.objects.filter(pk=variant.pk).update(signature=signature)


@pytest.mark.parametrize("signed_before", [True, False])
@pytest.mark.parametrize(
    "rewrite", [with_pixel, with_receipt, with_more_slots, with_a_signature_of_another]
)
def test_a_worker_sends_no_letter_that_was_rewritten(
    rewrite: Callable[[Variant], None], signed_before: bool, relay: Catcher
) -> None:
    mailing = make_mailing()
    if signed_before:
        schedule.sign_letters()
        assert not Variant.objects.unsigned().exists()
    rewrite(mailing.variants.get())
    launch(mailing, NOW)
    send(mailing)
    assert relay.letters == []
    assert mailing.status == MailingStatus.PAUSED
    assert "differs from what the digest says" in mailing.pause_reason
    assert ledger(mailing).still_to_send == 3


def test_freezing_anew_lets_the_true_letter_leave(relay: Catcher) -> None:
    mailing = make_mailing()
    with_pixel(mailing.variants.get())
    launch(mailing, NOW)
    send(mailing)
    approval.freeze_new_revision(mailing, make_user(), NOW)
    resume(mailing, NOW)
    send(mailing)
    assert len(relay.letters) == 3
    assert not any(b"elsewhere" in letter.raw for letter in relay.letters)


def test_a_rewritten_letter_is_held_before_its_send_time_comes() -> None:
    mailing = make_mailing()
    with_receipt(mailing.variants.get())
    schedule.run_due(NOW - dt.timedelta(hours=1))
    mailing.refresh_from_db()
    assert mailing.status == MailingStatus.HELD
    assert "differs" in mailing.pause_reason


def test_a_letter_of_another_mailing_is_not_sent_in_this_one(relay: Catcher) -> None:
    mailing = make_mailing()
    other = make_edition(code="ru")
    elsewhere = Mailing.objects.create(
        digest=mailing.digest, edition=other, due_at=NOW, approved_at=NOW
    )
    foreign = Variant.objects.create(mailing=elsewhere, kind="full", content=b"", subject="x")
    launch(mailing, NOW)
    mailing.deliveries.update(variant=foreign)
    send(mailing)
    assert relay.letters == []
    assert mailing.status == MailingStatus.PAUSED


def test_a_body_that_was_written_past_the_sanitiser_loads_nothing(relay: Catcher) -> None:
    digest = ready_to_approve()
    Article.objects.update(
        body_en=f"<p>Text</p>{PIXEL.decode()}<style>p{{background:url(//e.example)}}</style>"
        '<p style="background:url(//e.example/)">more</p>'
    )
    for wire in wires(approved(digest)):
        assert b"<img" not in wire
        assert b"e.example" not in wire


def test_a_letter_that_was_frozen_with_marks_in_it_is_made_anew(relay: Catcher) -> None:
    mailing = make_mailing()
    before = bytes(mailing.variants.get().content)
    mailing.variants.update(content=b"", slots=[])
    launch(mailing, NOW)
    send(mailing)
    assert len(relay.letters) == 3
    assert bytes(mailing.variants.get().content) == before
