"""The worker of a lane: claims, sends and records until its time is up or nothing is left."""

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
from keys.sealing import DecryptionError, KeyNotFound
from newsletter.campaigns.signing import LetterNotApproved
from newsletter.delivery import batch, ledger, shutdown
from newsletter.delivery.ledger import ClaimedDelivery, DeliveryResult
from newsletter.delivery.personalisation import Letter, LetterFactory
from newsletter.delivery.relays import error_messages, failover
from newsletter.delivery.relays.config import Relay
from newsletter.delivery.reply_classifier import Outcome, Reply
from newsletter.delivery.smtp.client import ConnectionLost, RelayRefuses
from newsletter.delivery.smtp.connecting import connect
from newsletter.delivery.smtp.connection_pool import (
    DATA,
    POLL_SECONDS,
    ConnectionPool,
    LaneConnection,
)
from newsletter.models import Lane, Mailing
from newsletter.models.mailings import DELIVERABLE

logger = logging.getLogger(__name__)

Clock = Callable[[], dt.datetime]
CLAIM_BATCH_SIZE = 200
BATCH_WAIT_SECONDS = 0.004
"""How long a batch waits for more connections once one is ready."""
MAX_RUN_SECONDS = 20
"""After so long a lane goes to the back of the queue, so that other mailings get their share."""


def pause_if_possible(mailing: Mailing, reason: str) -> None:
    """Does nothing if the mailing is not sending any more."""
    try:
        mailing.pause(reason)
    except InvalidTransition:
        logger.warning("Mailing %s had stopped before it could pause.", mailing.pk)


class LaneState(IntEnum):
    """A lane only moves to a later one."""

    SENDING = 1
    DRAINING = 2
    STOPPED = 3
    REFUSED = 4


SENDING, DRAINING, STOPPED, REFUSED = LaneState


class LaneWorker:
    """One run of a lane, for up to MAX_RUN_SECONDS.

    | state             | event                                                    | next     |
    |-------------------|----------------------------------------------------------|----------|
    | sending           | drain: its time is up, or the worker is shutting down    | draining |
    | sending, draining | stop: its mailing or lane is over, no letter can be made | stopped  |
    | any               | refuse: the relay refuses the sender or the letters      | refused  |

    Any other event changes nothing. New letters are started only while it is sending; then those
    in flight get their replies, and the run ends.

    It works in batches. One commit records the replies since the last batch and marks the letters
    of all connections that are ready as handed over. Only then are their texts sent, each followed
    by the next letter's envelope. So a crash leaves at most one subscriber per connection
    uncertain.
    """

    def __init__(
        self,
        mailing: Mailing,
        lane: Lane,
        relay: Relay,
        clock: Clock,
        letter_factory: LetterFactory,
    ) -> None:
        self.mailing, self.lane, self.relay = mailing, lane, relay
        self.clock, self.letter_factory = clock, letter_factory
        self.state = SENDING
        self.connections = ConnectionPool()
        self.max_connections = lane.connections
        self.claimed: deque[ClaimedDelivery] = deque()
        self.results: list[DeliveryResult] = []
        # By the monotonic clock; infinite once nothing is left to claim.
        self.next_claim_at: float = 0
        self.ends_at = time.monotonic() + MAX_RUN_SECONDS
        self.lost_cause = ""

    def run(self) -> bool:
        """True if there may be more to send right away."""
        try:
            self._send_letters()
        except RelayRefuses as refusal:
            self.refuse(str(refusal), at_login=True)
        except ConnectionLost as lost:
            self._note(lost)
        except (LetterNotApproved, KeyNotFound) as error:
            # The list may be resealed under a key that this host does not have yet.
            logger.error("Mailing %s pauses: %s", self.mailing.pk, error)
            pause_if_possible(self.mailing, str(error)[:300])
            self.stop()
        finally:
            self._close()
        if self.state is DRAINING:
            return True
        is_left = self.state is not STOPPED and self.next_claim_at < math.inf
        return is_left and failover.has_better_relay(self.relay, self.clock())

    # --- Transitions -----------------------------------------------------------------

    def drain(self) -> None:
        """The lane runs again afterwards."""
        self.state = max(self.state, DRAINING)

    def stop(self) -> None:
        """The lane does not run again."""
        self.state = max(self.state, STOPPED)

    def refuse(self, cause: str, *, at_login: bool = False) -> None:
        """Records the results, then pauses the mailing.

        A refused session pauses it only if every relay refuses.
        """
        if self.state is REFUSED:
            return
        self.state = REFUSED
        self._commit_results()
        now = self.clock()
        failover.get_state(self.relay).record_failure(cause, now, refuses=True)
        if at_login and not failover.all_refuse(now):
            logger.error(
                "The relay %s refuses the session (%s). Another one is used.", self.relay, cause
            )
            return
        reason = f"{self.relay}: {cause}"
        logger.error(
            "The relay refuses the mail, so mailing %s pauses (%s).", self.mailing.pk, reason
        )
        pause_if_possible(self.mailing, reason)

    # --- Batches ---------------------------------------------------------------------

    def _send_letters(self) -> None:
        """Raises RelayRefuses, ConnectionLost, LetterNotApproved, KeyNotFound."""
        while True:
            if time.monotonic() >= self.ends_at or shutdown.is_requested():
                self.drain()
            if self.state is SENDING:
                self._begin_letters()
            if self.connections.busy:
                self._await_replies()
                self._hand_over()
            elif not self._wait_for_limits():
                return

    def _await_replies(self) -> None:
        """Until all connections are ready or idle, or BATCH_WAIT_SECONDS after the first is ready.

        Replies that arrive meanwhile are recorded in the same commit, before the next letter of
        their connection leaves.
        """
        until = None
        while self.connections.awaits_reply:
            wait = POLL_SECONDS if until is None else until - time.monotonic()
            has_received = self._receive(wait)
            if until is None and self.connections.ready:
                until = time.monotonic() + BATCH_WAIT_SECONDS
            elif until is not None and not has_received:
                return

    def _hand_over(self) -> None:
        """Commits results and which letters leave now, then sends their texts."""
        # Before anything is marked as handed over: a missing key ends the run.
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
            # Its envelope was sent and it must not be: only closing the connection aborts it.
            self.connections.drop(connection)
            self._put_back(following)
        if len(variants) < len(going) and self._is_over():
            self.stop()
        for connection, letter, _following in going:
            if connection.state is DATA:
                eight_bit, variant = connection.connection.eight_bit, variants[letter.claimed.pk]
                with self._exchange(connection):
                    connection.send_text(
                        self.letter_factory.text(letter, variant, eight_bit=eight_bit)
                    )

    def _commit(self, next_ones: Sequence[int]) -> dict[int, int]:
        variants = batch.commit(self.lane, self.results, next_ones, str(self.relay), self.clock())
        # Kept if the commit fails.
        self.results = []
        return variants

    def _commit_results(self) -> None:
        if self.results:
            self._commit([])

    def _is_over(self) -> bool:
        """Whether the mailing or the lane has ended, and not just these subscribers."""
        self.mailing.refresh_from_db(fields=["status"])
        alive = ledger.renew_lease(self.lane, self.clock())
        return self.mailing.status not in DELIVERABLE or not alive

    # --- Letters ---------------------------------------------------------------------

    def _begin_letters(self) -> None:
        """Gives each idle connection a letter, after opening connections for the rest."""
        self._claim_more()
        self._connect()
        for connection in self.connections:
            if connection.is_idle and (letter := self._next_letter()) is not None:
                with self._exchange(connection):
                    connection.send_envelope(letter)

    def _claim_more(self) -> None:
        """Before the last claimed letter is used, so that no connection has to wait."""
        has_enough = len(self.claimed) >= self.lane.connections
        if has_enough or time.monotonic() < self.next_claim_at:
            return
        now = self.clock()
        claimed = ledger.claim(self.lane, self.relay, now, CLAIM_BATCH_SIZE)
        self.claimed += claimed.letters
        if claimed.retry_at is not None:
            wait = (claimed.retry_at - now).total_seconds()
            self.next_claim_at = time.monotonic() + wait
        elif not claimed.letters:
            self.next_claim_at = math.inf

    def _wait_for_limits(self) -> bool:
        """Waits a moment until limits may allow more; False if they do not within this run.

        Also False if letters are claimed: then no connection is left to send them.
        """
        if self.state is not SENDING or self.claimed or self.next_claim_at >= self.ends_at:
            return False
        self._receive(min(self.next_claim_at - time.monotonic(), POLL_SECONDS))
        if self._is_over():
            self.stop()
        return True

    def _next_letter(self) -> Letter | None:
        """The next claimed letter that can be sent. Raises KeyNotFound."""
        while self.claimed and self.state is SENDING:
            claimed = self.claimed.popleft()
            try:
                letter = self.letter_factory.prepare(claimed, self.clock())
            except DecryptionError:
                logger.error("Subscriber %s cannot be decrypted.", claimed.subscriber)
                ledger.fail_unsendable(claimed, self.lane, self.clock())
                continue
            if letter is not None:
                return letter
            # Unsubscribed since the claim: closing the lane excludes the letter.
        return None

    def _put_back(self, letter: Letter | None) -> None:
        if letter is not None:
            self.claimed.appendleft(letter.claimed)

    # --- Connections -----------------------------------------------------------------

    def _connect(self) -> None:
        """As many connections as letters, within the limit.

        If only the first of them open, the lane uses those. Raises ConnectionLost and RelayRefuses
        if there is none.
        """
        wanted = min(len(self.claimed) + self.connections.busy, self.max_connections)
        while (opened := len(self.connections)) < wanted:
            try:
                connection = connect(self.relay)
            except (ConnectionLost, RelayRefuses) as error:
                if not opened:
                    raise
                logger.warning("%s: no more than %s connections: it %s.", self.relay, opened, error)
                self.max_connections = opened
                return
            self.connections.add(connection)
            # The handshake may take as long as a letter.
            ledger.renew_lease(self.lane, self.clock())

    def _receive(self, seconds: float) -> bool:
        """Reads replies; waits so long for the first. False if there was none."""
        selected = self.connections.select(seconds)
        for connection, is_writable, is_readable in selected:
            with self._exchange(connection):
                if is_writable:
                    connection.connection.send()
                if is_readable:
                    for letter, outcome, reply in connection.receive():
                        self._record_outcome(letter, outcome, reply)
        for connection in self.connections.timed_out():
            self._lose(connection, connection.connection.timeout_error())
        return bool(selected)

    def _record_outcome(self, letter: Letter, outcome: Outcome, reply: Reply) -> None:
        self.results.append(ledger.result_of_reply(letter.claimed, outcome, reply, self.clock()))
        if outcome is Outcome.REFUSED:
            self.refuse(error_messages.refusal(reply))

    @contextmanager
    def _exchange(self, connection: LaneConnection) -> Iterator[None]:
        """Handles a connection that is lost while sending or receiving."""
        try:
            yield
        except ConnectionLost as lost:
            self._lose(connection, lost)
        else:
            self.connections.watch(connection)

    def _lose(self, connection: LaneConnection, lost: ConnectionLost) -> None:
        """Drops a lost connection and records its letter."""
        self._note(lost)
        self.connections.drop(connection)
        if not connection.has_answered:
            # It failed before any reply: it is not replaced.
            self.max_connections = len(self.connections)
        # Its envelope was sent ahead, but its text was not.
        self._put_back(connection.next_letter)
        if connection.letter is not None:
            self._record_lost(connection.letter, dot_sent=lost.dot_sent)
            if lost.dot_sent and not connection.connection.reports_dot:
                self.refuse(lost.cause)

    def _record_lost(self, letter: Letter, *, dot_sent: bool) -> None:
        self.results.append(
            ledger.result_of_lost_connection(letter.claimed, dot_sent=dot_sent, now=self.clock())
        )

    def _note(self, lost: ConnectionLost) -> None:
        self.lost_cause = lost.cause
        logger.warning(
            "The connection to %s failed or was lost (%s). Its letters wait.",
            self.relay,
            lost,
        )

    def _close(self) -> None:
        """However the run ended: records the letters still in flight, and the relay's state."""
        try:
            for connection in self.connections:
                in_flight = connection.letter if connection.state is DATA else None
                dot_sent = connection.connection.dot_sent
                self.connections.drop(connection)
                if in_flight is not None:
                    self._record_lost(in_flight, dot_sent=dot_sent)
            self._commit_results()
            if self.state is REFUSED:
                return
            if self.connections.has_answered:
                failover.get_state(self.relay).record_success(self.clock())
            elif self.lost_cause:
                failover.get_state(self.relay).record_failure(self.lost_cause, self.clock())
        finally:
            self.connections.close()
