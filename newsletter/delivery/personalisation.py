"""A reader's letter: their address, and their bytes. Only a worker can make it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import NamedTuple

from django.conf import settings

from keys import sealing, tokens
from keys.sealing import KeyMissing, WorkerKeys
from keys.tokens import Kind
from newsletter.campaigns import signing
from newsletter.delivery.ledger import Claimed
from newsletter.delivery.smtp.client import Envelope
from newsletter.mime import FrozenLetter, Personal, WireLetter
from newsletter.models import Mailing, Subscriber

NO_DETAIL = 0
"""In the place of a second number: the return path's token is of a delivery alone."""


class Letter(NamedTuple):
    """One reader's, all but its text: which revision they get is known when it leaves."""

    claimed: Claimed
    envelope: Envelope
    personal: Personal


@dataclass
class Letters:
    """Makes the letters of one mailing, as long as a lane's turn takes."""

    mailing: Mailing
    keys: WorkerKeys = field(default_factory=sealing.worker_keys)
    _frozen: dict[int, FrozenLetter] = field(init=False)
    _wire: dict[tuple[int, bool], WireLetter] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises LetterNotApproved, before any letter is handed over."""
        self._frozen = signing.verified_letters(self.mailing, self.keys)

    def prepare(self, claimed: Claimed, now: dt.datetime) -> Letter | None:
        """None if the reader has left since the claim. Raises SealBroken, KeyMissing."""
        address = self._open(claimed)
        if address is None or claimed.subscriber is None:
            return None
        cipher = sealing.links_cipher()
        token = tokens.make_token(Kind.RETURN_PATH, claimed.pk, NO_DETAIL, cipher)
        ids = (claimed.subscriber, self.mailing.pk)
        return Letter(
            claimed,
            Envelope(f"b-{token}@{settings.BOUNCE_DOMAIN}", address),
            Personal(
                recipient=address,
                token=tokens.make_token(Kind.LETTER, *ids, cipher),
                message_token=tokens.make_token(Kind.MESSAGE, *ids, cipher),
                sent_at=now,
            ),
        )

    def text(self, letter: Letter, variant: int, *, eight_bit: bool) -> bytes:
        """The letter as it leaves in this variant. Raises LetterNotApproved."""
        place = (variant, eight_bit)
        if place not in self._wire:
            if variant not in self._frozen:
                self._frozen[variant] = signing.verified_letter(self.mailing, variant, self.keys)
            self._wire[place] = WireLetter(self._frozen[variant], eight_bit=eight_bit)
        return self._wire[place].to(letter.personal)

    def _open(self, claimed: Claimed) -> str | None:
        """The address; None if the reader has left."""
        if claimed.subscriber is None or not claimed.sealed_address:
            return None
        try:
            return self.keys.open_address(
                bytes(claimed.sealed_address), claimed.subscriber, claimed.key_generation
            )
        except KeyMissing:
            # The keys changed since this turn began, or the row since it was claimed: look again.
            self.keys = sealing.worker_keys()
            fresh = Subscriber.objects.filter(pk=claimed.subscriber).first()
            return fresh.address(self.keys) if fresh and fresh.sealed_address else None
