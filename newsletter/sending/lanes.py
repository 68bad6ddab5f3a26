"""A lane: claim, re-check, send, record, until its turn is over or nothing is left."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from django.conf import settings
from django.db import transaction

from newsletter import journal, rendering
from newsletter import mailing as mailings
from newsletter.journal import JournalBroken
from newsletter.models import Delivery, DeliveryKind, Lane, Mailing, MailingStuck, Variant
from newsletter.models.mailings import HAS_BEGUN
from newsletter.sending import ledger
from newsletter.sending.outcomes import Outcome, Reply
from newsletter.sending.smtp import Connection, ConnectionLost, RelayRefuses
from newsroom import links, sealing
from newsroom.links import Kind
from newsroom.relays import Relay
from newsroom.sealing import KeyMissing, SealBroken, WorkerKeys

logger = logging.getLogger(__name__)

Clock = Callable[[], dt.datetime]
CLAIM_AT_ONCE = 50
TURN = dt.timedelta(seconds=20)
"""After so long a lane goes to the back of the queue, so that a confirmation need not wait."""


def run_lane(mailing_id: int, slot: int, clock: Clock) -> bool:
    """Works one turn on a mailing; True if there may be more to do at once.

    Safe to call any number of times: without a free slot or a mailing that is being sent it
    does nothing. Raises KeyMissing where the list cannot be opened.
    """
    keys = sealing.worker_keys()
    mailing = Mailing.objects.select_related("edition").filter(pk=mailing_id).first()
    if mailing is None or mailing.status not in HAS_BEGUN or not _heard_who_left(mailing):
        return False
    lane = ledger.take_slot(mailing, slot, clock())
    if lane is None:
        return False
    try:
        return _Turn(mailing, lane, keys, clock).run()
    finally:
        ledger.close_lane(lane, clock())
        mailings.finish_if_done(mailing, clock())


def _heard_who_left(mailing: Mailing) -> bool:
    """Whether this database knows of every departure. A restored backup has to hear of some."""
    try:
        journal.catch_up()
    except (JournalBroken, OSError) as error:
        logger.error("No letter leaves: %s", error)
        _pause(mailing, str(error)[:300])
        return False
    return True


def _pause(mailing: Mailing, reason: str) -> None:
    try:
        mailing.pause(reason)
    except MailingStuck:
        logger.warning("Mailing %s had stopped before it could pause.", mailing.pk)


@dataclass
class _Turn:
    """What one turn of a lane carries along."""

    mailing: Mailing
    lane: Lane
    keys: WorkerKeys
    clock: Clock
    relay: Relay = field(default_factory=lambda: settings.RELAY)
    unrecorded: ledger.Settled | None = None
    prepared: dict[int, bytes] = field(default_factory=dict)

    def run(self) -> bool:
        """True if the turn ended only because its time was over."""
        over_at = self.clock() + TURN
        claimed = ledger.claim(self.lane, self.clock(), CLAIM_AT_ONCE)
        if not claimed:
            return False
        try:
            with Connection(self.relay, settings.RELAY_TIMEOUT) as connection:
                while claimed:
                    if not self._send_all(claimed, connection):
                        return False
                    if self.clock() >= over_at:
                        return True
                    claimed = ledger.claim(self.lane, self.clock(), CLAIM_AT_ONCE)
        except RelayRefuses as refusal:
            self._pause(refusal.reply)
        except KeyMissing as error:
            # Sealed anew under a key that this host has not been given yet: nobody's fault.
            logger.error("Mailing %s pauses: %s", self.mailing.pk, error)
            _pause(self.mailing, str(error)[:300])
        except ConnectionLost as lost:
            logger.warning(
                "The relay %s broke off or cannot be reached (%s). Its letters wait.",
                self.relay,
                lost,
            )
        return False

    def _send_all(self, claimed: list[Delivery], connection: Connection) -> bool:
        """False if the lane has to stop: paused, swept, refused."""
        try:
            for delivery in claimed:
                letter = self._letter(delivery, connection)
                if letter is None:
                    continue
                if not self._hand_over(delivery):
                    if self._must_stop():
                        return False
                    continue
                refused = self._send(delivery, letter, connection)
                if refused is not None:
                    self._record_last()
                    self._pause(refused)
                    return False
        finally:
            self._record_last()
        return True

    def _letter(self, delivery: Delivery, connection: Connection) -> tuple[str, bytes] | None:
        """The reader's address and the reader's bytes; None if the address cannot be opened."""
        subscriber = delivery.subscriber
        if subscriber is None or not subscriber.sealed_address:
            return None  # Left since the claim; closing the lane excludes the letter.
        try:
            address = subscriber.address(self.keys)
        except SealBroken:
            logger.error("Subscriber %s cannot be opened with our keys.", subscriber.pk)
            ledger.fail_unsendable(delivery, self.lane, self.clock())
            return None
        ids = (subscriber.pk, self.mailing.pk)
        personal = rendering.Personal(
            recipient=address,
            token=links.make_token(Kind.LETTER, *ids),
            message_token=links.make_token(Kind.MESSAGE, *ids),
            sent_at=self.clock(),
        )
        return address, rendering.personalise(self._content(delivery, connection), personal)

    def _content(self, delivery: Delivery, connection: Connection) -> bytes:
        """The variant's bytes, made ready once for all readers."""
        if delivery.variant_id not in self.prepared:
            frozen = bytes(Variant.objects.get(pk=delivery.variant_id).content)
            self.prepared[delivery.variant_id] = rendering.for_wire(
                frozen, eight_bit=connection.eight_bit
            )
        return self.prepared[delivery.variant_id]

    def _hand_over(self, delivery: Delivery) -> bool:
        """One commit: the last letter's outcome, and this one on its way."""
        now = self.clock()
        with transaction.atomic():
            if self.unrecorded is not None:
                ledger.record(self.unrecorded, self.lane, now)
            marked = ledger.mark_handed_over(delivery, self.lane, str(self.relay), now)
        # Only a commit makes it forgettable.
        self.unrecorded = None
        return marked

    def _send(
        self, delivery: Delivery, letter: tuple[str, bytes], connection: Connection
    ) -> Reply | None:
        """Leaves the outcome to be recorded; returns the answer that refuses us, if one does."""
        address, content = letter
        token = links.make_token(Kind.RETURN_PATH, delivery.pk, 0)
        return_path = f"b-{token}@{settings.BOUNCE_DOMAIN}"
        try:
            outcome, reply = connection.send(return_path, address, content)
        except ConnectionLost as lost:
            self.unrecorded = ledger.lost(delivery, dot_sent=lost.dot_sent, now=self.clock())
            raise
        self.unrecorded = ledger.settle(
            delivery, outcome, reply, self._begun_at(delivery), self.clock()
        )
        return reply if outcome is Outcome.REFUSED else None

    def _begun_at(self, delivery: Delivery) -> dt.datetime:
        """Since when this letter has been tried."""
        if delivery.kind == DeliveryKind.LATEST and delivery.subscriber is not None:
            return delivery.subscriber.confirmed_at or self.clock()
        return self.mailing.launched_at or self.clock()

    def _record_last(self) -> None:
        if self.unrecorded is not None:
            ledger.record(self.unrecorded, self.lane, self.clock())
            self.unrecorded = None

    def _must_stop(self) -> bool:
        """Whether it is the mailing or the lane, not just this reader, that is over."""
        self.mailing.refresh_from_db(fields=["status"])
        alive = ledger.renew(self.lane, self.clock())
        return self.mailing.status not in HAS_BEGUN or not alive

    def _pause(self, reply: Reply) -> None:
        reason = f"{self.relay}: {reply.code} {reply.enhanced}".strip()
        logger.error("The relay refuses us, so mailing %s pauses (%s).", self.mailing.pk, reason)
        _pause(self.mailing, reason)
