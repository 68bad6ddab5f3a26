"""A worker's signature under a frozen letter.

A digest is approved where its letters are looked at, in the web process, and that process may
write the row that a frozen letter lies in. So before the first letter leaves, a worker makes the
letter once more, out of the articles and its own templates. Only where it comes to the same bytes
it signs them, with a key that the web process does not hold; and it sends nothing unsigned.
"""

from __future__ import annotations

import logging

from django.utils.translation import gettext as _

from keys.sealing import WorkerKeys
from newsletter.campaigns import messages
from newsletter.mime import FrozenLetter, LetterBroken
from newsletter.models import Mailing, MailingStatus, Variant, VariantKind

logger = logging.getLogger(__name__)


class LetterNotApproved(Exception):
    """The frozen letter is not what the worker makes of the digest; says what to do."""


def verified_letters(mailing: Mailing, keys: WorkerKeys) -> dict[int, FrozenLetter]:
    """The mailing's newest letters by their variant, signed now if they are not yet.

    Raises LetterNotApproved.
    """
    newest = mailing.variants.filter(revision=mailing.revision)
    return {variant.pk: _verified(variant, keys) for variant in newest}


def verified_letter(mailing: Mailing, variant_id: int, keys: WorkerKeys) -> FrozenLetter:
    """One of them, of any revision. Raises LetterNotApproved, also for another mailing's."""
    variant = mailing.variants.filter(pk=variant_id).first()
    if variant is None:
        raise LetterNotApproved(_("A letter of another mailing was to be sent in this one."))
    return _verified(variant, keys)


def _verified(variant: Variant, keys: WorkerKeys) -> FrozenLetter:
    """The letter, if a worker has signed it or signs it now. Raises LetterNotApproved."""
    if not keys.has_signed(variant.signed_bytes(), bytes(variant.signature)):
        _sign(variant, keys)
    return variant.letter


def hold_what_differs(keys: WorkerKeys) -> None:
    """Signs the letters that wait for their send time; holds a mailing that cannot be signed."""
    waiting = Variant.objects.unsigned().filter(mailing__status=MailingStatus.SCHEDULED)
    for variant in waiting.select_related("mailing__digest", "mailing__edition"):
        try:
            _verified(variant, keys)
        except LetterNotApproved as error:
            variant.mailing.hold(str(error))


def _sign(variant: Variant, keys: WorkerKeys) -> None:
    mailing = variant.mailing
    digest, edition = mailing.digest, mailing.edition
    contents = messages.contents_of(digest, edition)
    try:
        made = messages.digest_letter(digest, edition, contents, VariantKind(variant.kind))
    except LetterBroken as error:
        raise LetterNotApproved(str(error)) from None
    if not variant.content:
        # Emptied by the upgrade to letters that are signed.
        variant.freeze(made)
    if variant.revision != mailing.revision or made.signed_bytes() != variant.letter.signed_bytes():
        logger.error("The frozen letter %s is not what was approved.", variant.pk)
        raise LetterNotApproved(
            _(
                "The frozen letter differs from what the digest says now. Look at it, and freeze "
                "it anew, or open the digest again."
            )
        )
    variant.signature = keys.sign(variant.signed_bytes())
    variant.save(update_fields=["subject", "content", "slots", "signature"])
