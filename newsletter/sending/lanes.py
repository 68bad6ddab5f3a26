"""A lane: claim, re-check, send, record, until its turn is over or nothing is left."""

from __future__ import annotations

import datetime as dt
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from django.conf import settings
from django.db import transaction

from newsletter import journal, rendering
from newsletter import mailing as mailings
from newsletter.journal import JournalBroken
from newsletter.models import (
    Delivery,
    DeliveryKind,
    Lane,
    Mailing,
    MailingStuck,
    Reason,
    Subscriber,
    Variant,
)
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


@dataclass(frozen=True)
class _Letter:
    """One reader's, made ready."""

    delivery: Delivery
    address: str
    content: bytes


@dataclass
class _Turn:
    """What one turn of a lane carries along.

    It goes in rounds. A round's letters, one a connection, are marked as handed over in one
    commit, which records the outcomes of the round before as well; then all of them are under way
    at once. So whatever dies leaves at most one reader uncertain for each connection.
    """

    mailing: Mailing
    lane: Lane
    keys: WorkerKeys
    clock: Clock
    relay: Relay = field(default_factory=lambda: settings.RELAY)
    connections: list[Connection] = field(default_factory=list)
    unrecorded: list[ledger.Settled] = field(default_factory=list)
    prepared: dict[tuple[int, bool], bytes] = field(default_factory=dict)

    def run(self) -> bool:
        """True if the turn ended only because its time was over."""
        over_at = self.clock() + TURN
        claimed = deque(ledger.claim(self.lane, self.clock(), CLAIM_AT_ONCE))
        try:
            while claimed:
                self._connect(len(claimed))
                if not self._send_all(claimed):
                    return False
                if self.clock() >= over_at:
                    return True
                claimed = deque(ledger.claim(self.lane, self.clock(), CLAIM_AT_ONCE))
        except RelayRefuses as refusal:
            self._pause(refusal.reply)
        except KeyMissing as error:
            # Sealed anew under a key that this host has not been given yet: nobody's fault.
            logger.error("Mailing %s pauses: %s", self.mailing.pk, error)
            _pause(self.mailing, str(error)[:300])
        except ConnectionLost as lost:
            self._note(lost)
        finally:
            for connection in self.connections:
                connection.close()
        return False

    def _connect(self, letters: int) -> None:
        """As many as there are letters for. Raises ConnectionLost, RelayRefuses for the first.

        A relay that takes some and no more is used with those.
        """
        while len(self.connections) < min(letters, settings.CONNECTIONS):
            try:
                self.connections.append(Connection(self.relay, settings.RELAY_TIMEOUT))
            except (ConnectionLost, RelayRefuses):
                if not self.connections:
                    raise
                return

    def _send_all(self, claimed: deque[Delivery]) -> bool:
        """False if the lane has to stop: paused, swept, refused, or without a connection."""
        try:
            while claimed and self.connections:
                pairs = self._next_letters(claimed)
                leaving = self._hand_over(pairs)
                if pairs and not leaving and self._must_stop():
                    return False
                refused = self._exchange(leaving)
                if refused is not None:
                    self._record()
                    self._pause(refused)
                    return False
        finally:
            self._record()
        return bool(self.connections)

    def _next_letters(self, claimed: deque[Delivery]) -> list[tuple[Connection, _Letter]]:
        """One for each connection, as long as there are any."""
        pairs = []
        for connection in self.connections:
            letter = None
            while claimed and letter is None:
                letter = self._letter(claimed.popleft(), connection)
            if letter is not None:
                pairs.append((connection, letter))
        return pairs

    def _letter(self, delivery: Delivery, connection: Connection) -> _Letter | None:
        """The reader's address and the reader's bytes; None if the address cannot be opened."""
        subscriber = delivery.subscriber
        if subscriber is None or not subscriber.sealed_address:
            return None  # Left since the claim; closing the lane excludes the letter.
        try:
            address = self._open(subscriber)
        except SealBroken:
            logger.error("Subscriber %s cannot be opened with our keys.", subscriber.pk)
            ledger.fail_unsendable(delivery, self.lane, self.clock())
            return None
        if address is None:
            return None  # Left since the claim, as above.
        ids = (subscriber.pk, self.mailing.pk)
        personal = rendering.Personal(
            recipient=address,
            token=links.make_token(Kind.LETTER, *ids),
            message_token=links.make_token(Kind.MESSAGE, *ids),
            sent_at=self.clock(),
        )
        content = self._content(delivery, eight_bit=connection.eight_bit)
        return _Letter(delivery, address, rendering.personalise(content, personal))

    def _open(self, subscriber: Subscriber) -> str | None:
        """The address; None if the reader has left. Raises SealBroken, KeyMissing."""
        try:
            return subscriber.address(self.keys)
        except KeyMissing:
            # The keys changed since this turn began, or the row since it was claimed: look again.
            self.keys = sealing.worker_keys()
            fresh = Subscriber.objects.filter(pk=subscriber.pk).first()
            return fresh.address(self.keys) if fresh and fresh.sealed_address else None

    def _content(self, delivery: Delivery, *, eight_bit: bool) -> bytes:
        """The variant's bytes, made ready once for all readers."""
        place = (delivery.variant_id, eight_bit)
        if place not in self.prepared:
            frozen = bytes(Variant.objects.get(pk=delivery.variant_id).content)
            self.prepared[place] = rendering.for_wire(frozen, eight_bit=eight_bit)
        return self.prepared[place]

    def _hand_over(
        self, pairs: list[tuple[Connection, _Letter]]
    ) -> list[tuple[Connection, _Letter]]:
        """One commit: the last round's outcomes, and these letters on their way."""
        now = self.clock()
        deliveries = [letter.delivery for _connection, letter in pairs]
        with transaction.atomic():
            ledger.record_all(self.unrecorded, self.lane, now)
            ids = ledger.mark_all_handed_over(deliveries, self.lane, str(self.relay), now)
        # Only a commit makes them forgettable.
        self.unrecorded = []
        return [(connection, letter) for connection, letter in pairs if letter.delivery.pk in ids]

    def _exchange(self, pairs: list[tuple[Connection, _Letter]]) -> Reply | None:
        """All letters of a round under way together. The answer that refuses us, if one does."""
        for say in (self._address, self._put, self._answer):
            pairs = [
                (connection, letter) for connection, letter in pairs if say(connection, letter)
            ]
        return next(
            (
                one.reply
                for one in self.unrecorded
                if one.reason is Reason.REFUSED and one.reply is not None
            ),
            None,
        )

    def _address(self, connection: Connection, letter: _Letter) -> bool:
        token = links.make_token(Kind.RETURN_PATH, letter.delivery.pk, 0)
        return_path = f"b-{token}@{settings.BOUNCE_DOMAIN}"
        return self._try(
            connection, letter, lambda: connection.address(return_path, letter.address)
        )

    def _put(self, connection: Connection, letter: _Letter) -> bool:
        return self._try(connection, letter, lambda: connection.put(letter.content))

    def _answer(self, connection: Connection, letter: _Letter) -> bool:
        return self._try(connection, letter, connection.answer)

    def _try(
        self,
        connection: Connection,
        letter: _Letter,
        step: Callable[[], tuple[Outcome, Reply] | None],
    ) -> bool:
        """Whether the letter goes on to its next step; else its outcome waits to be recorded."""
        try:
            answered = step()
        except ConnectionLost as lost:
            self.connections.remove(connection)
            self._note(lost)
            self.unrecorded.append(
                ledger.lost(letter.delivery, dot_sent=lost.dot_sent, now=self.clock())
            )
            return False
        if answered is None:
            return True
        begun_at = self._begun_at(letter.delivery)
        self.unrecorded.append(ledger.settle(letter.delivery, *answered, begun_at, self.clock()))
        return False

    def _begun_at(self, delivery: Delivery) -> dt.datetime:
        """Since when this letter has been tried."""
        if delivery.kind == DeliveryKind.LATEST and delivery.subscriber is not None:
            return delivery.subscriber.confirmed_at or self.clock()
        return self.mailing.launched_at or self.clock()

    def _record(self) -> None:
        if self.unrecorded:
            with transaction.atomic():
                ledger.record_all(self.unrecorded, self.lane, self.clock())
            self.unrecorded = []

    def _must_stop(self) -> bool:
        """Whether it is the mailing or the lane, not just these readers, that is over."""
        self.mailing.refresh_from_db(fields=["status"])
        alive = ledger.renew(self.lane, self.clock())
        return self.mailing.status not in HAS_BEGUN or not alive

    def _note(self, lost: ConnectionLost) -> None:
        logger.warning(
            "The relay %s broke off or cannot be reached (%s). Its letters wait.",
            self.relay,
            lost,
        )

    def _pause(self, reply: Reply) -> None:
        reason = f"{self.relay}: {reply.code} {reply.enhanced}".strip()
        logger.error("The relay refuses us, so mailing %s pauses (%s).", self.mailing.pk, reason)
        _pause(self.mailing, reason)
