"""A lane: claim, re-check, send, record, until its turn is over or nothing is left."""

from __future__ import annotations

import datetime as dt
import logging
import selectors
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from django.conf import settings

from newsletter import journal
from newsletter import mailing as mailings
from newsletter.journal import JournalBroken
from newsletter.models import DeliveryKind, Lane, Mailing, MailingStuck, Subscriber
from newsletter.models.mailings import HAS_BEGUN
from newsletter.sending import ledger, rounds
from newsletter.sending.backends import BackendConnection
from newsletter.sending.connecting import connect, most_connections
from newsletter.sending.ledger import Claimed, Settled
from newsletter.sending.letters import Letter, Letters
from newsletter.sending.outcomes import Outcome
from newsletter.sending.smtp import (
    Answered,
    Connection,
    ConnectionLost,
    Event,
    MayLeave,
    RelayRefuses,
)
from newsroom import sealing
from newsroom.relays import Relay
from newsroom.sealing import KeyMissing, SealBroken

logger = logging.getLogger(__name__)

Clock = Callable[[], dt.datetime]
CLAIM_AT_ONCE = 200
GATHERING = 0.004
"""Seconds that a round waits for more connections, once one has answered."""
TURN = dt.timedelta(seconds=20)
"""After so long a lane goes to the back of the queue, so that a confirmation need not wait."""

LOOK_AROUND = 0.25
"""Seconds between two looks for connections that have fallen silent."""


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
        return _Turn(mailing, lane, clock, Letters(mailing, keys)).run()
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


@dataclass(eq=False)
class _Channel:
    """A connection, and the letters that it has in hand."""

    connection: Connection | BackendConnection
    addressed: Letter | None = None
    """Its envelope has been said: nothing has left yet that could be taken."""
    leaving: Letter | None = None
    """It is marked as handed over, and its answer is awaited."""
    taken: int = 0

    @property
    def is_busy(self) -> bool:
        return self.addressed is not None or self.leaving is not None


@dataclass
class _Turn:
    """What one turn of a lane carries along.

    It goes in rounds. Whichever connections have answered by then get their next letters: these
    are marked as handed over in one commit, which records what was answered as well, and only
    then do their texts leave, each together with the envelope of the letter after it. So whatever
    dies leaves at most one reader uncertain for each connection.
    """

    mailing: Mailing
    lane: Lane
    clock: Clock
    letters: Letters
    relay: Relay = field(default_factory=lambda: settings.RELAY)
    channels: list[_Channel] = field(default_factory=list)
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    claimed: deque[Claimed] = field(default_factory=deque)
    put_back: list[Letter] = field(default_factory=list)
    ready: list[_Channel] = field(default_factory=list)
    settled: list[Settled] = field(default_factory=list)
    refusal: str = ""
    """What to pause for at the next round: the first of its kind."""
    has_refused: bool = False
    is_ending: bool = False
    """No letter is begun any more; those that are under way get their answers."""
    none_left: bool = False
    may_connect: bool = True
    looked_at: float = 0
    """By the monotonic clock: when it was last looked for connections that fell silent."""

    def run(self) -> bool:
        """True if the turn ended only because its time was over."""
        over_at, time_is_over = self.clock() + TURN, False
        try:
            while True:
                if self.clock() >= over_at and not self.is_ending:
                    self.is_ending = time_is_over = True
                self._begin_letters()
                if not any(channel.is_busy for channel in self.channels):
                    return time_is_over
                self._listen()
                self._go_round()
        except RelayRefuses as refusal:
            self._pause(str(refusal))
        except KeyMissing as error:
            # Sealed anew under a key that this host has not been given yet: nobody's fault.
            logger.error("Mailing %s pauses: %s", self.mailing.pk, error)
            _pause(self.mailing, str(error)[:300])
        except ConnectionLost as lost:
            self._note(lost)
        finally:
            self._end()
        return False

    # --- Letters ---------------------------------------------------------------------

    def _begin_letters(self) -> None:
        """Every connection without a letter gets one, and new ones are made for what is left."""
        if self.is_ending:
            return
        self._claim_more()
        self._connect()
        for channel in list(self.channels):
            if not channel.is_busy and (letter := self._next_letter()) is not None:
                self._address(channel, letter)

    def _claim_more(self) -> None:
        """Before the last is gone, so that no connection waits for it."""
        if len(self.claimed) < most_connections(self.relay) and not self.none_left:
            more = ledger.claim(self.lane, self.clock(), CLAIM_AT_ONCE)
            self.claimed += more
            self.none_left = not more

    def _next_letter(self) -> Letter | None:
        """The next that can leave. Raises KeyMissing."""
        if self.is_ending:
            return None
        if self.put_back:
            return self.put_back.pop()
        while self.claimed:
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

    def _address(self, channel: _Channel, letter: Letter) -> None:
        channel.addressed = letter
        try:
            channel.connection.address(letter.envelope)
        except ConnectionLost as lost:
            self._lose(channel, lost)
        else:
            self._watch(channel)

    # --- Connections -----------------------------------------------------------------

    def _connect(self) -> None:
        """As many as there are letters for. Raises ConnectionLost, RelayRefuses for the first.

        A relay that takes some and no more is used with those.
        """
        letters = len(self.claimed) + len(self.put_back)
        letters += sum(channel.is_busy for channel in self.channels)
        wanted = min(letters, most_connections(self.relay))
        while len(self.channels) < wanted and self.may_connect:
            try:
                connection = connect(self.relay)
            except (ConnectionLost, RelayRefuses):
                self.may_connect = False
                if not self.channels:
                    raise
                return
            channel = _Channel(connection)
            self.channels.append(channel)
            self.selector.register(connection, selectors.EVENT_READ, channel)
            # Saying hello may take as long as a letter does.
            ledger.renew(self.lane, self.clock())

    def _watch(self, channel: _Channel) -> None:
        """What the selector should wait for."""
        wanted = selectors.EVENT_READ
        if channel.connection.has_more_to_say:
            wanted |= selectors.EVENT_WRITE
        if self.selector.get_key(channel.connection).events != wanted:
            self.selector.modify(channel.connection, wanted, channel)

    def _drop(self, channel: _Channel) -> None:
        """Closes a connection, in whatever state."""
        self.channels.remove(channel)
        self.selector.unregister(channel.connection)
        channel.connection.close()
        if channel in self.ready:
            self.ready.remove(channel)

    def _lose(self, channel: _Channel, lost: ConnectionLost) -> None:
        """A connection broke. What it had in hand is settled."""
        self._drop(channel)
        self._note(lost)
        # One that has taken nothing is not replaced: the next would fare as it did.
        self.may_connect = self.may_connect and channel.taken > 0
        if channel.leaving is not None and channel.addressed is not None:
            # The break was about the letter before it.
            self.put_back.append(channel.addressed)
        letter = channel.leaving or channel.addressed
        if letter is not None:
            dot_sent = lost.dot_sent and channel.leaving is not None
            if dot_sent and not channel.connection.tells_where_it_broke:
                self._stop_for(lost.cause)
            self.settled.append(ledger.lost(letter.claimed, dot_sent=dot_sent, now=self.clock()))

    # --- Rounds ----------------------------------------------------------------------

    def _listen(self) -> None:
        """Until half of the busy connections may go on, or some may and no more follow.

        What was answered meanwhile waits for the same commit: until its connection's next letter
        leaves, it is the one that would be uncertain.
        """
        until = None
        while busy := sum(channel.is_busy for channel in self.channels):
            if len(self.ready) >= busy or self.refusal:
                return
            wait = LOOK_AROUND if until is None else until - time.monotonic()
            heard = self.selector.select(max(wait, 0))
            for key, events in heard:
                self._attend(key.data, events)
            self._lose_the_silent()
            if until is None and self.ready:
                until = time.monotonic() + GATHERING
            elif until is not None and not heard:
                return

    def _attend(self, channel: _Channel, events: int) -> None:
        try:
            if events & selectors.EVENT_WRITE:
                channel.connection.speak()
            if events & selectors.EVENT_READ:
                for event in channel.connection.hear():
                    self._take_in(channel, event)
        except ConnectionLost as lost:
            self._lose(channel, lost)
        else:
            self._watch(channel)

    def _lose_the_silent(self) -> None:
        now = time.monotonic()
        if now < self.looked_at + LOOK_AROUND:
            return
        self.looked_at = now
        for channel in list(self.channels):
            if channel.is_busy and channel not in self.ready and channel.connection.deadline < now:
                self._lose(channel, channel.connection.fall_silent())

    def _take_in(self, channel: _Channel, event: Event) -> None:
        """What a relay has said."""
        if isinstance(event, MayLeave):
            self.ready.append(channel)
            return
        if isinstance(event, Answered):
            letter, channel.leaving = channel.leaving, None
            channel.taken += 1
        else:
            letter, channel.addressed = channel.addressed, None
        if letter is None:
            raise AssertionError("an answer to no letter")
        if event.outcome is Outcome.REFUSED:
            self._stop_for(f"{event.reply.code} {event.reply.enhanced}".strip())
        begun_at = self._begun_at(letter.claimed)
        self.settled.append(
            ledger.settle(letter.claimed, event.outcome, event.reply, begun_at, self.clock())
        )

    def _begun_at(self, claimed: Claimed) -> dt.datetime:
        """Since when this letter has been tried."""
        if claimed.kind == DeliveryKind.LATEST:
            reader = Subscriber.objects.filter(deliveries=claimed.pk)
            return reader.values_list("confirmed_at", flat=True).first() or self.clock()
        return self.mailing.launched_at or self.clock()

    def _go_round(self) -> None:
        """One commit: what was answered, and which letters leave now. Then they leave."""
        if self.refusal:
            self._record()
            self._pause(self.refusal)
            self.refusal = ""
        # Looked for before anything is marked: what cannot be opened ends the turn.
        going = [(channel, self._next_letter()) for channel in self.ready]
        ids = [one.addressed.claimed.pk for one, _next in going if one.addressed is not None]
        variants = rounds.commit(self.lane, self.settled, ids, str(self.relay), self.clock())
        # Only a commit makes them forgettable.
        self.settled, self.ready = [], []
        for channel, then in going:
            letter, channel.addressed = channel.addressed, None
            if letter is not None and letter.claimed.pk in variants:
                channel.leaving, channel.addressed = letter, then
                continue
            # Its envelope was said and must not be followed: only a break takes it back.
            self._drop(channel)
            self.put_back += [then] if then is not None else []
        if len(variants) < len(ids) and self._must_stop():
            self.is_ending = True
        for channel, then in going:
            if channel.leaving is not None:
                self._put(channel, channel.leaving, variants[channel.leaving.claimed.pk], then)

    def _put(self, channel: _Channel, letter: Letter, variant: int, then: Letter | None) -> None:
        connection = channel.connection
        text = self.letters.text(letter, variant, eight_bit=connection.eight_bit)
        try:
            connection.put(text, then.envelope if then is not None else None)
        except ConnectionLost as lost:
            self._lose(channel, lost)
        else:
            self._watch(channel)

    def _record(self) -> None:
        if self.settled:
            rounds.commit(self.lane, self.settled, [], str(self.relay), self.clock())
            self.settled = []

    def _must_stop(self) -> bool:
        """Whether it is the mailing or the lane, not just these readers, that is over."""
        self.mailing.refresh_from_db(fields=["status"])
        alive = ledger.renew(self.lane, self.clock())
        return self.mailing.status not in HAS_BEGUN or not alive

    def _end(self) -> None:
        """Whatever ended the turn: what is still in hand is settled by how far it had come."""
        try:
            for channel in list(self.channels):
                letter, dot_sent = channel.leaving, channel.connection.dot_sent
                self._drop(channel)
                if letter is not None:
                    now = self.clock()
                    self.settled.append(ledger.lost(letter.claimed, dot_sent=dot_sent, now=now))
            self._record()
        finally:
            self.selector.close()

    def _note(self, lost: ConnectionLost) -> None:
        logger.warning(
            "The relay %s broke off or cannot be reached (%s). Its letters wait.",
            self.relay,
            lost,
        )

    def _stop_for(self, refusal: str) -> None:
        """The next round pauses the mailing, once what was answered is recorded."""
        if not self.has_refused:
            self.refusal, self.has_refused, self.is_ending = refusal, True, True

    def _pause(self, refusal: str) -> None:
        reason = f"{self.relay}: {refusal}"
        logger.error("The relay refuses us, so mailing %s pauses (%s).", self.mailing.pk, reason)
        _pause(self.mailing, reason)
