"""A worker's signature under a frozen letter.

Digests are approved in the web process, which can write the rows of frozen letters. So before the
first letter leaves, a worker renders it again from the articles and its own templates, and signs
it only if the bytes are the same, with a key that the web process does not have. Nothing unsigned
is sent.
"""

from __future__ import annotations

import logging

from django.utils.translation import gettext as _

from keys.sealing import WorkerKeys
from newsletter.campaigns import messages
from newsletter.mime import FrozenLetter, InvalidLetter
from newsletter.models import Mailing, MailingStatus, Variant, VariantKind

logger = logging.getLogger(__name__)


class LetterNotApproved(Exception):
    """The frozen letter differs from what the worker renders; the message says what to do."""


def verified_letters(mailing: Mailing, keys: WorkerKeys) -> dict[int, FrozenLetter]:
    """The newest revision's letters by primary key of their variant, signed if they are not yet.

    Raises LetterNotApproved.
    """
    newest = mailing.variants.filter(revision=mailing.revision)
    return {variant.pk: _verified(variant, keys) for variant in newest}


def verified_letter(mailing: Mailing, variant_id: int, keys: WorkerKeys) -> FrozenLetter:
    """A letter of any revision. Raises LetterNotApproved, also for another mailing's variant."""
    variant = mailing.variants.filter(pk=variant_id).first()
    if variant is None:
        raise LetterNotApproved(_("A letter of another mailing was to be sent in this one."))
    return _verified(variant, keys)


def _verified(variant: Variant, keys: WorkerKeys) -> FrozenLetter:
    """The letter, signed now if it is not yet. Raises LetterNotApproved."""
    if not keys.is_valid_signature(variant.signed_bytes(), bytes(variant.signature)):
        _sign(variant, keys)
    return variant.letter


def sign_scheduled_letters(keys: WorkerKeys) -> None:
    """Signs the letters of scheduled mailings; holds a mailing that cannot be signed."""
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
        rendered = messages.digest_letter(digest, edition, contents, VariantKind(variant.kind))
    except InvalidLetter as error:
        raise LetterNotApproved(str(error)) from None
    if not variant.content:
        # Emptied by migration 0008, which introduced signatures.
        variant.freeze(rendered)
    if variant.revision != mailing.revision or not _is_same(variant.letter, rendered):
        logger.error("The frozen letter %s is not what was approved.", variant.pk)
        raise LetterNotApproved(
            _(
                "The frozen letter differs from what the digest says now. Look at it, and freeze "
                "it anew, or open the digest again."
            )
        )
    variant.signature = keys.sign(variant.signed_bytes())
    variant.save(update_fields=["subject", "content", "slots", "signature"])


def _is_same(frozen: FrozenLetter, rendered: FrozenLetter) -> bool:
    return frozen.signed_bytes() == rendered.signed_bytes()
