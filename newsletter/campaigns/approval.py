"""Approving a digest: what each edition would carry, seen before it is frozen, and frozen."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from articles.editorial.coverage import held_gaps
from articles.models import Article, Digest
from core.states import InvalidTransition
from newsletter.campaigns import messages
from newsletter.campaigns.messages import Content
from newsletter.mime import FrozenLetter
from newsletter.models import (
    Delivery,
    DeliveryStatus,
    Edition,
    Mailing,
    MailingContent,
    MailingStatus,
    Subscriber,
    Variant,
    VariantKind,
)
from newsletter.models.deliveries import TO_SEND
from newsletter.models.mailings import GRACE
from staff.audit import record
from staff.models import AuditAction


class CannotApprove(Exception):
    """The digest cannot go as it is; says what to do."""


@dataclass(frozen=True)
class Planned:
    """One edition's part of a digest, as it would be frozen now."""

    edition: Edition
    contents: list[Content]
    left_out: list[Article]
    letters: dict[VariantKind, FrozenLetter]
    due_at: dt.datetime
    has_gone: bool
    """It has a mailing already, which stays as it is."""

    def is_late(self, now: dt.datetime) -> bool:
        """Its hour is so long past that a person has to send it."""
        return self.due_at <= now - GRACE

    @property
    def stale(self) -> list[Content]:
        """What it would show although its source says something else by now."""
        return [one for one in self.contents if one.text.language in one.article.stale_languages]


def plan(digest: Digest) -> list[Planned]:
    """For each edition what it would carry. Raises CannotApprove for what nobody may approve."""
    if digest.is_approved:
        raise CannotApprove(_("The digest is approved already."))
    editions = list(Edition.objects.all())
    if not editions:
        raise CannotApprove(_("There is no edition. Add one first."))
    held = held_gaps(digest)
    if held:
        named = ", ".join(f"{cell.topic} ({cell.language_name})" for cell in held)
        raise CannotApprove(
            _("The digest is held until these are published: %(gaps)s.") % {"gaps": named}
        )
    taken = set(digest.mailings.not_cancelled().values_list("edition", flat=True))
    planned = [
        _plan(digest, edition, contents, edition.pk in taken)
        for edition, contents in messages.contents_of_each(digest, editions)
    ]
    if not any(one.contents for one in planned):
        raise CannotApprove(
            _("The digest is empty: none of its articles is published in a language of an edition.")
        )
    return planned


def _plan(digest: Digest, edition: Edition, contents: list[Content], has_gone: bool) -> Planned:
    shown = {content.article for content in contents}
    freezes = bool(contents) and not has_gone
    return Planned(
        edition=edition,
        contents=contents,
        left_out=[one for one in digest.ordered_articles() if one not in shown],
        letters=_letters(digest, edition, contents) if freezes else {},
        due_at=edition.due_at(digest.week),
        has_gone=has_gone,
    )


def _letters(
    digest: Digest, edition: Edition, contents: list[Content]
) -> dict[VariantKind, FrozenLetter]:
    return {
        kind: messages.digest_letter(digest, edition, contents, kind) for kind in _kinds(edition)
    }


def _kinds(edition: Edition) -> list[VariantKind]:
    if edition.offers_discreet:
        return [VariantKind.FULL, VariantKind.DISCREET]
    hidden = Subscriber.objects.active().of_edition(edition).filter(variant=VariantKind.DISCREET)
    if hidden.exists():
        # They asked not to be recognised by what arrives; the full letter would do just that.
        raise CannotApprove(
            _(
                "Readers of %(edition)s chose the discreet letter, and the edition has no "
                "neutral sender any more. Fill in its discreet fields first."
            )
            % {"edition": edition.name}
        )
    return [VariantKind.FULL]


def hash_of(planned: list[Planned]) -> str:
    """Of every byte that would be frozen: what was shown is what is approved."""
    digest = hashlib.sha256()
    for one in planned:
        for kind, letter in one.letters.items():
            signed = letter.signed_bytes()
            digest.update(f"{one.edition.pk} {kind} {len(signed)}\n".encode())
            digest.update(signed)
    return digest.hexdigest()


@transaction.atomic
def approve(digest: Digest, by: Any, now: dt.datetime, *, shown: str = "") -> list[Mailing]:
    """Freezes one mailing for each edition that shows anything, and lets it wait for its hour.

    `shown` is the hash of what the approver saw; if something has changed since, nothing is
    approved. An edition that has a mailing already (one that went before the digest was opened
    again) keeps it. Where approving needs two people the first one's approval is only noted,
    and no mailing is returned. Raises CannotApprove; then nothing has changed.
    """
    digest = Digest.objects.select_for_update().get(pk=digest.pk)
    planned = plan(digest)
    found = hash_of(planned)
    if shown and shown != found:
        raise CannotApprove(_("Something in it has changed since you looked. Look once more."))
    if settings.SECOND_APPROVER and not _is_second(digest, by, found):
        digest.mark_first_approved(by, now, found)
        return []
    mailings = [_freeze(digest, one, by, now) for one in planned if one.letters]
    digest.mark_approved(by, now)
    record(AuditAction.APPROVED, digest, by=by, now=now)
    return mailings


def _is_second(digest: Digest, by: Any, found: str) -> bool:
    if by is None:
        raise CannotApprove(_("Approving needs two people, each of them in the admin."))
    is_same = digest.first_approved_of == found
    return is_same and digest.first_approved_by_id not in (None, by.pk)


def _freeze(digest: Digest, planned: Planned, by: Any, now: dt.datetime) -> Mailing:
    mailing = Mailing.objects.create(
        digest=digest,
        edition=planned.edition,
        due_at=planned.due_at,
        approved_at=now,
        approved_by=by,
    )
    _note_contents(mailing, planned.contents)
    _keep_variants(mailing, planned.letters)
    mailing.schedule(now)
    return mailing


def _note_contents(mailing: Mailing, contents: list[Content]) -> None:
    MailingContent.objects.bulk_create(
        MailingContent(
            mailing=mailing,
            article=content.article,
            language=content.text.language,
            position=position,
            fingerprint=content.text.fingerprint,
        )
        for position, content in enumerate(contents, start=1)
    )


def _keep_variants(
    mailing: Mailing, letters: dict[VariantKind, FrozenLetter]
) -> dict[VariantKind, Variant]:
    variants = {}
    for kind, letter in letters.items():
        variants[kind] = Variant(mailing=mailing, kind=kind, revision=mailing.revision)
        variants[kind].freeze(letter)
        variants[kind].save()
    return variants


@transaction.atomic
def freeze_again(mailing: Mailing, by: Any, now: dt.datetime) -> int:
    """A new revision of a paused mailing's letters, for whoever has not got the old one.

    A letter that was handed over keeps the revision that left; a lane that had claimed one of
    the others sends the new one. Returns how many readers get it. Raises InvalidTransition and
    CannotApprove.
    """
    mailing = (
        Mailing.objects.select_for_update().select_related("digest", "edition").get(pk=mailing.pk)
    )
    if mailing.status != MailingStatus.PAUSED:
        raise InvalidTransition(_("Only a paused mailing is frozen anew. Pause it first."))
    contents = messages.contents_of(mailing.digest, mailing.edition)
    if not contents:
        raise CannotApprove(_("Nothing is left that this edition could show. Cancel the mailing."))
    # A letter that comes back in one of them may find the old revision only.
    mailing.wait_for_rounds()
    letters = _letters(mailing.digest, mailing.edition, contents)
    mailing.revision += 1
    mailing.pause_reason = _("Frozen anew: resume it to send the rest.")
    mailing.save(update_fields=["revision", "pause_reason"])
    mailing.contents.all().delete()
    _note_contents(mailing, contents)
    rest = Delivery.objects.of_mailing(mailing).filter(
        status__in=TO_SEND | {DeliveryStatus.CLAIMED}
    )
    moved = 0
    for kind, variant in _keep_variants(mailing, letters).items():
        moved += rest.filter(variant__kind=kind).update(variant=variant)
    record(AuditAction.REFROZE, mailing, by=by, now=now, detail=str(mailing.revision))
    return moved
