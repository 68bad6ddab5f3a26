"""Approving a digest: a preview of each edition's letters, then freezing them."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from articles.editorial.coverage import gaps_on_hold
from articles.models import Article, Digest
from core.states import InvalidTransition
from newsletter.campaigns import messages
from newsletter.campaigns.messages import ArticleInEdition
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
from newsletter.models.mailings import MAX_START_DELAY
from staff.audit import record
from staff.models import AuditAction


class ApprovalError(Exception):
    """The digest cannot be approved as it is; the message says what to do."""


@dataclass(frozen=True)
class PlannedMailing:
    """The mailing of one edition, as it would be frozen now."""

    edition: Edition
    contents: list[ArticleInEdition]
    left_out: list[Article]
    letters: dict[VariantKind, FrozenLetter]
    due_at: dt.datetime
    has_mailing: bool
    """The edition has a mailing of this digest already, which stays as it is."""

    def is_late(self, now: dt.datetime) -> bool:
        """So long past its send time that it would be held."""
        return self.due_at <= now - MAX_START_DELAY

    @property
    def stale(self) -> list[ArticleInEdition]:
        """Translations whose source has changed since."""
        return [one for one in self.contents if one.text.language in one.article.stale_languages]


def plan_mailings(digest: Digest) -> list[PlannedMailing]:
    """One for each edition. Raises ApprovalError if the digest cannot be approved."""
    if digest.is_approved:
        raise ApprovalError(_("The digest is approved already."))
    editions = list(Edition.objects.all())
    if not editions:
        raise ApprovalError(_("There is no edition. Add one first."))
    held = gaps_on_hold(digest)
    if held:
        named = ", ".join(f"{cell.topic} ({cell.language_name})" for cell in held)
        raise ApprovalError(
            _("The digest is held until these are published: %(gaps)s.") % {"gaps": named}
        )
    taken = set(digest.mailings.not_cancelled().values_list("edition", flat=True))
    planned = [
        _plan(digest, edition, contents, edition.pk in taken)
        for edition, contents in messages.contents_of_each(digest, editions)
    ]
    if not any(one.contents for one in planned):
        raise ApprovalError(
            _("The digest is empty: none of its articles is published in a language of an edition.")
        )
    return planned


def _plan(
    digest: Digest, edition: Edition, contents: list[ArticleInEdition], has_mailing: bool
) -> PlannedMailing:
    shown = {content.article for content in contents}
    freezes = bool(contents) and not has_mailing
    return PlannedMailing(
        edition=edition,
        contents=contents,
        left_out=[one for one in digest.ordered_articles() if one not in shown],
        letters=_letters(digest, edition, contents) if freezes else {},
        due_at=edition.due_at(digest.week),
        has_mailing=has_mailing,
    )


def _letters(
    digest: Digest, edition: Edition, contents: list[ArticleInEdition]
) -> dict[VariantKind, FrozenLetter]:
    return {
        kind: messages.digest_letter(digest, edition, contents, kind) for kind in _kinds(edition)
    }


def _kinds(edition: Edition) -> list[VariantKind]:
    if edition.offers_discreet:
        return [VariantKind.FULL, VariantKind.DISCREET]
    hidden = Subscriber.objects.active().of_edition(edition).filter(variant=VariantKind.DISCREET)
    if hidden.exists():
        # They asked for mail that does not name the newsroom; the full letter does.
        raise ApprovalError(
            _(
                "Readers of %(edition)s chose the discreet letter, and the edition has no "
                "neutral sender any more. Fill in its discreet fields first."
            )
            % {"edition": edition.name}
        )
    return [VariantKind.FULL]


def hash_letters(planned: list[PlannedMailing]) -> str:
    """Of every byte that would be frozen, so that what was shown is what is approved."""
    digest = hashlib.sha256()
    for one in planned:
        for kind, letter in one.letters.items():
            signed = letter.signed_bytes()
            digest.update(f"{one.edition.pk} {kind} {len(signed)}\n".encode())
            digest.update(signed)
    return digest.hexdigest()


@transaction.atomic
def approve(digest: Digest, by: Any, now: dt.datetime, *, shown: str = "") -> list[Mailing]:
    """Freezes and schedules one mailing for each edition that has anything to show.

    `shown` is `hash_letters` of what the approver saw; if it differs by now, nothing is approved.
    An edition that has a mailing of this digest keeps it. With SECOND_APPROVER the first approval
    is only recorded, and no mailing is returned. Raises ApprovalError and changes nothing.
    """
    digest = Digest.objects.select_for_update().get(pk=digest.pk)
    planned = plan_mailings(digest)
    found = hash_letters(planned)
    if shown and shown != found:
        raise ApprovalError(_("Something in it has changed since you looked. Look once more."))
    if settings.SECOND_APPROVER and not _is_second(digest, by, found):
        digest.mark_first_approved(by, now, found)
        return []
    mailings = [_freeze(digest, one, by, now) for one in planned if one.letters]
    digest.mark_approved(by, now)
    record(AuditAction.APPROVED, digest, by=by, now=now)
    return mailings


def _is_second(digest: Digest, by: Any, found: str) -> bool:
    if by is None:
        raise ApprovalError(_("Approving needs two people, each of them in the admin."))
    is_same = digest.first_approved_of == found
    return is_same and digest.first_approved_by_id not in (None, by.pk)


def _freeze(digest: Digest, planned: PlannedMailing, by: Any, now: dt.datetime) -> Mailing:
    mailing = Mailing.objects.create(
        digest=digest,
        edition=planned.edition,
        due_at=planned.due_at,
        approved_at=now,
        approved_by=by,
    )
    _record_contents(mailing, planned.contents)
    _create_variants(mailing, planned.letters)
    mailing.schedule(now)
    return mailing


def _record_contents(mailing: Mailing, contents: list[ArticleInEdition]) -> None:
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


def _create_variants(
    mailing: Mailing, letters: dict[VariantKind, FrozenLetter]
) -> dict[VariantKind, Variant]:
    variants = {}
    for kind, letter in letters.items():
        variants[kind] = Variant(mailing=mailing, kind=kind, revision=mailing.revision)
        variants[kind].freeze(letter)
        variants[kind].save()
    return variants


@transaction.atomic
def freeze_new_revision(mailing: Mailing, by: Any, now: dt.datetime) -> int:
    """Freezes a new revision of a paused mailing, for everybody whose letter has not left yet.

    Letters that were handed over keep the old revision; claimed ones are sent in the new one.
    Returns how many subscribers get it. Raises InvalidTransition and ApprovalError.
    """
    mailing = (
        Mailing.objects.select_for_update().select_related("digest", "edition").get(pk=mailing.pk)
    )
    if mailing.status != MailingStatus.PAUSED:
        raise InvalidTransition(_("Only a paused mailing is frozen anew. Pause it first."))
    contents = messages.contents_of(mailing.digest, mailing.edition)
    if not contents:
        raise ApprovalError(_("Nothing is left that this edition could show. Cancel the mailing."))
    # A letter given back by an open batch would keep the old revision.
    mailing.wait_for_batches()
    letters = _letters(mailing.digest, mailing.edition, contents)
    mailing.revision += 1
    mailing.pause_reason = _("Frozen anew: resume it to send the rest.")
    mailing.save(update_fields=["revision", "pause_reason"])
    mailing.contents.all().delete()
    _record_contents(mailing, contents)
    rest = Delivery.objects.of_mailing(mailing).filter(
        status__in=TO_SEND | {DeliveryStatus.CLAIMED}
    )
    updated = 0
    for kind, variant in _create_variants(mailing, letters).items():
        updated += rest.filter(variant__kind=kind).update(variant=variant)
    record(AuditAction.REFROZE, mailing, by=by, now=now, detail=str(mailing.revision))
    return updated
