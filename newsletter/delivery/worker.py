"""A lane's turn: claim, re-check, send, record, until its time is up or nothing is left."""

from __future__ import annotations

import datetime as dt
import logging
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum

from core.states import InvalidTransition
from keys.sealing import KeyMissing, SealBroken
from newsletter.campaigns.signing import LetterNotApproved
from newsletter.delivery import batch as rounds
from newsletter.delivery import ledger, shutdown
from newsletter.delivery.ledger import Claimed, Settled
from newsletter.delivery.personalisation import Letter, Letters
from newsletter.delivery.relays import error_messages, failover
from newsletter.delivery.relays.config import Relay
from newsletter.delivery.reply_classifier import Outcome, Reply
from newsletter.delivery.smtp.client import ConnectionLost, RelayRefuses
from newsletter.delivery.smtp.connecting import connect
from newsletter.delivery.smtp.connection_pool import (
    DATA,
    POLL_SECONDS,
    LaneConnection,
    LaneConnections,
)
from newsletter.models import Lane, Mailing
from newsletter.models.mailings import HAS_BEGUN

logger = logging.getLogger(__name__)

Clock = Callable[[], dt.datetime]
CLAIM_BATCH_SIZE = 200
GATHER_SECONDS = 0.004
"""So long a round waits for more connections, once one is ready."""
MAX_TURN_SECONDS = 20
"""After so long a lane goes to the back of the queue, so that another mailing need not wait."""


def pause(mailing: Mailing, reason: str) -> None:
    """Pauses it if it can still be paused."""
    try:
        mailing.pause(reason)
    except InvalidTransition:
        logger.warning("Mailing %s had stopped before it could pause.", mailing.pk)


class LaneState(IntEnum):
    """In the order in which a lane may pass through them."""

    SENDING = 1
    DRAINING = 2
    STOPPED = 3
    REFUSED = 4


SENDING, DRAINING, STOPPED, REFUSED = LaneState


class LaneWorker:
    """One turn of a lane.

    | state             | event                                                    | next     |
    |-------------------|----------------------------------------------------------|----------|
    | sending           | drain: its time is up, or the worker is told to stop     | draining |
    | sending, draining | stop: its mailing or lane is over, no letter can be made | stopped  |
    | any               | refuse: the relay refuses the newsroom or its letters    | refused  |

    Any other event changes nothing: a lane never goes back to an earlier state. Letters are begun
    only while it is sending; then those under way get their replies, and the turn ends.

    It works in rounds. Whichever connections are ready by then get their letters' texts: these
    are marked as handed over in one commit, which records what was answered as well, and only
    then do they leave, each together with the envelope of the letter after it. So whatever
    dies leaves at most one subscriber uncertain for each connection.
    """

    def __init__(
        self, mailing: Mailing, lane: Lane, relay: Relay, clock: Clock, letters: Letters
    ) -> None:
        self.mailing, self.lane, self.relay = mailing, lane, relay
        self.clock, self.letters = clock, letters
        self.state = SENDING
        self.connections = LaneConnections()
        self.max_connections = lane.connections
        self.claimed: deque[Claimed] = deque()
        self.settled: list[Settled] = []
        # By the monotonic clock; infinite once nothing is left to claim.
        self.next_claim_at: float = 0
        self.ends_at = time.monotonic() + MAX_TURN_SECONDS
        self.lost_cause = ""

    def run(self) -> bool:
        """True if there is more to do at once."""
        try:
            self._send_letters()
        except RelayRefuses as refusal:
            self.refuse(str(refusal), at_login=True)
        except ConnectionLost as lost:
            self._note(lost)
        except (LetterNotApproved, KeyMissing) as error:
            # A missing key is nobody's fault: sealed anew, and this host has not got it yet.
            logger.error("Mailing %s pauses: %s", self.mailing.pk, error)
            pause(self.mailing, str(error)[:300])
            self.stop()
        finally:
            self._close()
        if self.state is DRAINING:
            return True
        is_left = self.state is not STOPPED and self.next_claim_at < math.inf
        return is_left and failover.is_another_better(self.relay, self.clock())

    # --- Transitions -----------------------------------------------------------------

    def drain(self) -> None:
        """Another turn goes on where this one ends."""
        self.state = max(self.state, DRAINING)

    def stop(self) -> None:
        """No other turn may go on."""
        self.state = max(self.state, STOPPED)

    def refuse(self, cause: str, *, at_login: bool = False) -> None:
        """Pauses the mailing, once what was answered is recorded.

        Where a relay lets nobody in, that waits until no other does.
        """
        if self.state is REFUSED:
            return
        self.state = REFUSED
        self._record()
        now = self.clock()
        failover.state_of(self.relay).fail(cause, now, refuses=True)
        if at_login and not failover.all_refuse(now):
            logger.error("The relay %s refuses us (%s). Letters go by another.", self.relay, cause)
            return
        reason = f"{self.relay}: {cause}"
        logger.error("The relay refuses us, so mailing %s pauses (%s).", self.mailing.pk, reason)
        pause(self.mailing, reason)

    # --- Rounds ----------------------------------------------------------------------

    def _send_letters(self) -> None:
        """Raises RelayRefuses, ConnectionLost, LetterNotApproved, KeyMissing."""
        while True:
            if time.monotonic() >= self.ends_at or shutdown.is_told():
                self.drain()
            if self.state is SENDING:
                self._begin_letters()
            if self.connections.busy:
                self._await_replies()
                self._hand_over()
            elif not self._wait_for_room():
                return

    def _await_replies(self) -> None:
        """Until all connections are ready or idle, or some are ready and no more follow.

        What was answered meanwhile waits for the same commit: until its connection's next letter
        leaves, it is the one that would be uncertain.
        """
        until = None
        while self.connections.awaits_reply:
            wait = POLL_SECONDS if until is None else until - time.monotonic()
            has_received = self._receive(wait)
            if until is None and self.connections.ready:
                until = time.monotonic() + GATHER_SECONDS
            elif until is not None and not has_received:
                return

    def _hand_over(self) -> None:
        """One commit: what was answered, and which letters leave now. Then they leave."""
        # Looked for before anything is marked: what cannot be opened ends the turn.
        going = [
            (one, letter, self._next_letter())
            for one in self.connections.ready
            if (letter := one.letter) is not None
        ]
        variants = self._commit([letter.claimed.pk for _one, letter, _following in going])
        for connection, letter, following in going:
            if letter.claimed.pk in variants:
                connection.hand_over(following)
                continue
            # Its envelope was sent and must not be followed: only a break takes it back.
            self.connections.drop(connection)
            self._put_back(following)
        if len(variants) < len(going) and self._is_over():
            self.stop()
        for connection, letter, _following in going:
            if connection.state is DATA:
                eight_bit, variant = connection.connection.eight_bit, variants[letter.claimed.pk]
                with self._exchange(connection):
                    connection.send_text(self.letters.text(letter, variant, eight_bit=eight_bit))

    def _commit(self, next_ones: Sequence[int]) -> dict[int, int]:
        variants = rounds.commit(self.lane, self.settled, next_ones, str(self.relay), self.clock())
        # Only a commit makes them forgettable.
        self.settled = []
        return variants

    def _record(self) -> None:
        if self.settled:
            self._commit([])

    def _is_over(self) -> bool:
        """Whether it is the mailing or the lane, not just these subscribers."""
        self.mailing.refresh_from_db(fields=["status"])
        alive = ledger.renew(self.lane, self.clock())
        return self.mailing.status not in HAS_BEGUN or not alive

    # --- Letters ---------------------------------------------------------------------

    def _begin_letters(self) -> None:
        """Every connection without a letter gets one, and new ones are made for what is left."""
        self._claim_more()
        self._connect()
        for connection in self.connections:
            if connection.is_idle and (letter := self._next_letter()) is not None:
                with self._exchange(connection):
                    connection.address(letter)

    def _claim_more(self) -> None:
        """Before the last is gone, so that no connection waits for it."""
        has_enough = len(self.claimed) >= self.lane.connections
        if has_enough or time.monotonic() < self.next_claim_at:
            return
        now = self.clock()
        batch = ledger.claim(self.lane, self.relay, now, CLAIM_BATCH_SIZE)
        self.claimed += batch.letters
        if batch.ask_again_at is not None:
            wait = (batch.ask_again_at - now).total_seconds()
            self.next_claim_at = time.monotonic() + wait
        elif not batch.letters:
            self.next_claim_at = math.inf

    def _wait_for_room(self) -> bool:
        """A moment, until limits may let more through; False if they do not within this turn.

        Nor where something is claimed: there is no connection any more that could take it.
        """
        if self.state is not SENDING or self.claimed or self.next_claim_at >= self.ends_at:
            return False
        self._receive(min(self.next_claim_at - time.monotonic(), POLL_SECONDS))
        if self._is_over():
            self.stop()
        return True

    def _next_letter(self) -> Letter | None:
        """The next that can leave. Raises KeyMissing."""
        while self.claimed and self.state is SENDING:
            claimed = self.claimed.popleft()
            try:
                letter = self.letters.prepare(claimed, self.clock())
            except SealBroken:
                logger.error("Subscriber %s cannot be opened with our keys.", claimed.subscriber)
                ledger.fail_unsendable(claimed, self.lane, self.clock())
                continue
            if letter is not None:
                return letter
            # Left since the claim; closing the lane excludes the letter.
        return None

    def _put_back(self, letter: Letter | None) -> None:
        if letter is not None:
            self.claimed.appendleft(letter.claimed)

    # --- Connections -----------------------------------------------------------------

    def _connect(self) -> None:
        """As many as there are letters for. Raises ConnectionLost, RelayRefuses for the first.

        A relay that takes some and no more is used with those.
        """
        wanted = min(len(self.claimed) + self.connections.busy, self.max_connections)
        while (held := len(self.connections)) < wanted:
            try:
                connection = connect(self.relay)
            except (ConnectionLost, RelayRefuses) as error:
                if not held:
                    raise
                logger.warning("%s: no more than %s at once: it %s.", self.relay, held, error)
                self.max_connections = held
                return
            self.connections.add(connection)
            # EHLO and a log-in may take as long as a letter does.
            ledger.renew(self.lane, self.clock())

    def _receive(self, seconds: float) -> bool:
        """Takes in what relays have replied, and waits so long for the first of them."""
        selected = self.connections.select(seconds)
        for connection, is_writable, is_readable in selected:
            with self._exchange(connection):
                if is_writable:
                    connection.connection.send()
                if is_readable:
                    for letter, outcome, reply in connection.receive():
                        self._settle(letter, outcome, reply)
        for connection in self.connections.timed_out():
            self._lose(connection, connection.connection.fall_silent())
        return bool(selected)

    def _settle(self, letter: Letter, outcome: Outcome, reply: Reply) -> None:
        self.settled.append(ledger.settle(letter.claimed, outcome, reply, self.clock()))
        if outcome is Outcome.REFUSED:
            self.refuse(error_messages.refusal(reply))

    @contextmanager
    def _exchange(self, connection: LaneConnection) -> Iterator[None]:
        """Sending or receiving, which may break."""
        try:
            yield
        except ConnectionLost as lost:
            self._lose(connection, lost)
        else:
            self.connections.watch(connection)

    def _lose(self, connection: LaneConnection, lost: ConnectionLost) -> None:
        """A connection broke. What it had in hand is settled."""
        self._note(lost)
        self.connections.drop(connection)
        if not connection.has_answered:
            # It is not replaced: the next would fare as it did.
            self.max_connections = len(self.connections)
        # The break was about the letter before it.
        self._put_back(connection.next_letter)
        if connection.letter is not None:
            self._settle_lost(connection.letter, dot_sent=lost.dot_sent)
            if lost.dot_sent and not connection.connection.tells_where_it_broke:
                self.refuse(lost.cause)

    def _settle_lost(self, letter: Letter, *, dot_sent: bool) -> None:
        self.settled.append(ledger.lost(letter.claimed, dot_sent=dot_sent, now=self.clock()))

    def _note(self, lost: ConnectionLost) -> None:
        self.lost_cause = lost.cause
        logger.warning(
            "The relay %s broke off or cannot be reached (%s). Its letters wait.",
            self.relay,
            lost,
        )

    def _close(self) -> None:
        """Whatever ended the turn: what is still in hand is settled by how far it had come."""
        try:
            for connection in self.connections:
                in_flight = connection.letter if connection.state is DATA else None
                dot_sent = connection.connection.dot_sent
                self.connections.drop(connection)
                if in_flight is not None:
                    self._settle_lost(in_flight, dot_sent=dot_sent)
            self._record()
            if self.state is REFUSED:
                return
            if self.connections.has_answered:
                failover.state_of(self.relay).work(self.clock())
            elif self.lost_cause:
                failover.state_of(self.relay).fail(self.lost_cause, self.clock())
        finally:
            self.connections.close()
