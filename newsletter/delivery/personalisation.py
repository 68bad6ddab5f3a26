"""Personalises a frozen letter for one subscriber. Only a worker can open addresses."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import NamedTuple

from django.conf import settings

from keys import sealing, tokens
from keys.sealing import KeyNotFound, WorkerKeys
from keys.tokens import TokenKind
from newsletter.campaigns import signing
from newsletter.delivery.ledger import ClaimedDelivery
from newsletter.delivery.smtp.client import Envelope
from newsletter.mime import EncodedLetter, FrozenLetter, Personalisation
from newsletter.models import Mailing, Subscriber

NO_DETAIL = 0
"""The return path's token has one id only, the delivery's."""


class Letter(NamedTuple):
    """One subscriber's letter without its text: the revision is known only when it leaves."""

    claimed: ClaimedDelivery
    envelope: Envelope
    personalisation: Personalisation


@dataclass
class LetterFactory:
    """Makes the letters of one mailing, for one run of a lane."""

    mailing: Mailing
    keys: WorkerKeys = field(default_factory=sealing.worker_keys)
    _frozen: dict[int, FrozenLetter] = field(init=False)
    _encoded: dict[tuple[int, bool], EncodedLetter] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises LetterNotApproved, before any letter is handed over."""
        self._frozen = signing.verified_letters(self.mailing, self.keys)

    def prepare(self, claimed: ClaimedDelivery, now: dt.datetime) -> Letter | None:
        """None if the subscriber has left since the claim. Raises DecryptionError, KeyNotFound."""
        address = self._open(claimed)
        if address is None or claimed.subscriber is None:
            return None
        cipher = sealing.token_cipher()
        token = tokens.make_token(TokenKind.RETURN_PATH, claimed.pk, NO_DETAIL, cipher)
        ids = (claimed.subscriber, self.mailing.pk)
        return Letter(
            claimed,
            Envelope(f"b-{token}@{settings.BOUNCE_DOMAIN}", address),
            Personalisation(
                recipient=address,
                token=tokens.make_token(TokenKind.LETTER, *ids, cipher),
                message_token=tokens.make_token(TokenKind.MESSAGE, *ids, cipher),
                sent_at=now,
            ),
        )

    def text(self, letter: Letter, variant: int, *, eight_bit: bool) -> bytes:
        """The letter's bytes in this variant, as SMTP takes them. Raises LetterNotApproved."""
        key = (variant, eight_bit)
        if key not in self._encoded:
            if variant not in self._frozen:
                self._frozen[variant] = signing.verified_letter(self.mailing, variant, self.keys)
            self._encoded[key] = EncodedLetter(self._frozen[variant], eight_bit=eight_bit)
        return self._encoded[key].to(letter.personalisation)

    def _open(self, claimed: ClaimedDelivery) -> str | None:
        """The address; None if the subscriber has left."""
        if claimed.subscriber is None or not claimed.sealed_address:
            return None
        try:
            return self.keys.open_address(
                bytes(claimed.sealed_address), claimed.subscriber, claimed.key_generation
            )
        except KeyNotFound:
            # The keys were rotated since this run began, or the row since its claim.
            self.keys = sealing.worker_keys()
            fresh = Subscriber.objects.filter(pk=claimed.subscriber).first()
            return fresh.address(self.keys) if fresh and fresh.sealed_address else None
