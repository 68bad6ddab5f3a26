"""A reader's letter: their address, and their bytes. Only a worker can make it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import NamedTuple

from django.conf import settings

from newsletter.models import Mailing, Subscriber, Variant
from newsletter.rendering import Personal, WireLetter
from newsletter.sending.ledger import Claimed
from newsletter.sending.smtp import Envelope
from newsroom import links, sealing
from newsroom.links import Kind
from newsroom.sealing import KeyMissing, WorkerKeys

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
    _wire: dict[tuple[int, bool], WireLetter] = field(default_factory=dict)

    def prepare(self, claimed: Claimed, now: dt.datetime) -> Letter | None:
        """None if the reader has left since the claim. Raises SealBroken, KeyMissing."""
        address = self._open(claimed)
        if address is None or claimed.subscriber is None:
            return None
        cipher = sealing.links_cipher()
        token = links.make_token(Kind.RETURN_PATH, claimed.pk, NO_DETAIL, cipher)
        ids = (claimed.subscriber, self.mailing.pk)
        return Letter(
            claimed,
            Envelope(f"b-{token}@{settings.BOUNCE_DOMAIN}", address),
            Personal(
                recipient=address,
                token=links.make_token(Kind.LETTER, *ids, cipher),
                message_token=links.make_token(Kind.MESSAGE, *ids, cipher),
                sent_at=now,
            ),
        )

    def text(self, letter: Letter, variant: int, *, eight_bit: bool) -> bytes:
        """The letter as it leaves in this variant."""
        place = (variant, eight_bit)
        if place not in self._wire:
            frozen = bytes(Variant.objects.get(pk=variant).content)
            self._wire[place] = WireLetter(frozen, eight_bit=eight_bit)
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
