"""A lane's turn: claim, re-check, send, record, until its time is over or nothing is left."""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from newsletter.models import Lane, Mailing, MailingStuck
from newsletter.models.mailings import HAS_BEGUN
from newsletter.relaying import causes, choosing
from newsletter.relaying.outcomes import Outcome
from newsletter.sending import ledger, rounds
from newsletter.sending.channels import LOOK_AROUND, Channel, Channels
from newsletter.sending.connecting import connect
from newsletter.sending.ledger import Claimed, Settled
from newsletter.sending.letters import Letter, Letters
from newsletter.sending.smtp import ConnectionLost, DataAnswered, Event, ReadyForData, RelayRefuses
from newsletter.signing import LetterNotApproved
from newsroom import stopping
from newsroom.relays import Relay
from newsroom.sealing import KeyMissing, SealBroken

logger = logging.getLogger(__name__)

Clock = Callable[[], dt.datetime]
CLAIM_AT_ONCE = 200
GATHERING = 0.004
"""Seconds that a round waits for more connections, once one has answered."""
LONGEST = dt.timedelta(seconds=20)
"""After so long a lane goes to the back of the queue, so that a confirmation need not wait."""


def pause(mailing: Mailing, reason: str) -> None:
    """Pauses it if it can still be paused."""
    try:
        mailing.pause(reason)
    except MailingStuck:
        logger.warning("Mailing %s had stopped before it could pause.", mailing.pk)


@dataclass
class Turn:
    """What one turn of a lane carries along.

    It goes in rounds. Whichever connections have answered by then get their next letters: these
    are marked as handed over in one commit, which records what was answered as well, and only
    then do their texts leave, each together with the envelope of the letter after it. So whatever
    dies leaves at most one reader uncertain for each connection.
    """

    mailing: Mailing
    lane: Lane
    relay: Relay
    clock: Clock
    letters: Letters
    channels: Channels = field(default_factory=Channels)
    claimed: deque[Claimed] = field(default_factory=deque)
    put_back: list[Letter] = field(default_factory=list)
    ready: list[Channel] = field(default_factory=list)
    settled: list[Settled] = field(default_factory=list)
    refusal: str = ""
    """What to pause for at the next round: the first of its kind."""
    has_refused: bool = False
    is_ending: bool = False
    """No letter is begun any more; those that are under way get their answers."""
    none_left: bool = False
    began: float = field(default_factory=time.monotonic)
    ask_again_at: dt.datetime | None = None
    """When limits may let more letters through."""
    held_back_until: float = 0
    """The same by the monotonic clock."""
    may_connect: bool = True
    has_taken: bool = False
    """The relay has answered for a letter."""
    broke: str = ""
    """What the last connection broke by."""

    def run(self) -> bool:
        """True if there is more to do at once."""
        over_at, time_is_over = self.clock() + LONGEST, False
        try:
            while True:
                if not self.is_ending and (self.clock() >= over_at or stopping.is_told()):
                    self.is_ending = time_is_over = True
                self._begin_letters()
                if self.channels.busy:
                    self._listen()
                    self._go_round()
                elif not self._wait_for_room(over_at):
                    return time_is_over or self._goes_on_elsewhere()
        except RelayRefuses as refusal:
            return self._be_refused(str(refusal))
        except LetterNotApproved as error:
            pause(self.mailing, str(error)[:300])
        except KeyMissing as error:
            # Sealed anew under a key that this host has not been given yet: nobody's fault.
            logger.error("Mailing %s pauses: %s", self.mailing.pk, error)
            pause(self.mailing, str(error)[:300])
        except ConnectionLost as lost:
            self._note(lost)
            return self._goes_on_elsewhere()
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
        for channel in self.channels:
            if not channel.is_busy and (letter := self._next_letter()) is not None:
                self._address(channel, letter)

    def _claim_more(self) -> None:
        """Before the last is gone, so that no connection waits for it."""
        has_enough = len(self.claimed) >= self.lane.connections
        if has_enough or self.none_left or time.monotonic() < self.held_back_until:
            return
        now = self.clock()
        batch = ledger.claim(self.lane, self.relay, now, CLAIM_AT_ONCE)
        self.claimed += batch.letters
        self.ask_again_at = batch.ask_again_at
        if batch.ask_again_at is not None:
            wait = (batch.ask_again_at - now).total_seconds()
            self.held_back_until = time.monotonic() + wait
        self.none_left = not batch.letters and batch.ask_again_at is None

    def _wait_for_room(self, over_at: dt.datetime) -> bool:
        """Until limits may let more through; False if they do not within this turn."""
        if self.is_ending or self.ask_again_at is None or self.ask_again_at >= over_at:
            return False
        if self.claimed or self.put_back:
            # There is no connection any more that could take them.
            return False
        # The clock may be set back meanwhile.
        if time.monotonic() > self.began + LONGEST.total_seconds():
            return False
        self._attend(min(self.held_back_until - time.monotonic(), LOOK_AROUND))
        return not self._must_stop()

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

    def _address(self, channel: Channel, letter: Letter) -> None:
        channel.addressed = letter
        try:
            channel.connection.address(letter.envelope)
        except ConnectionLost as lost:
            self._lose(channel, lost)
        else:
            self.channels.watch(channel)

    # --- Connections -----------------------------------------------------------------

    def _connect(self) -> None:
        """As many as there are letters for. Raises ConnectionLost, RelayRefuses for the first.

        A relay that takes some and no more is used with those.
        """
        letters = len(self.claimed) + len(self.put_back)
        wanted = min(letters + self.channels.busy, self.lane.connections)
        while (held := len(self.channels)) < wanted and self.may_connect:
            try:
                connection = connect(self.relay)
            except (ConnectionLost, RelayRefuses) as error:
                self.may_connect = False
                if not self.channels:
                    raise
                logger.warning("%s: no more than %s at once: it %s.", self.relay, held, error)
                return
            self.channels.add(connection)
            # Saying hello may take as long as a letter does.
            ledger.renew(self.lane, self.clock())

    def _drop(self, channel: Channel) -> None:
        """Closes a connection, in whatever state."""
        self.channels.drop(channel)
        if channel in self.ready:
            self.ready.remove(channel)

    def _lose(self, channel: Channel, lost: ConnectionLost) -> None:
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
        """Until all busy connections may go on, or some may and no more follow.

        What was answered meanwhile waits for the same commit: until its connection's next letter
        leaves, it is the one that would be uncertain.
        """
        until = None
        while busy := self.channels.busy:
            if len(self.ready) >= busy or self.refusal:
                return
            wait = LOOK_AROUND if until is None else until - time.monotonic()
            has_heard = self._attend(wait)
            if until is None and self.ready:
                until = time.monotonic() + GATHERING
            elif until is not None and not has_heard:
                return

    def _attend(self, seconds: float) -> bool:
        """Takes in what connections have said, and waits so long for the first of them."""
        heard = self.channels.listen(seconds)
        for channel, may_speak, may_hear in heard:
            try:
                if may_speak:
                    channel.connection.send()
                if may_hear:
                    for event in channel.connection.receive():
                        self._take_in(channel, event)
            except ConnectionLost as lost:
                self._lose(channel, lost)
            else:
                self.channels.watch(channel)
        for channel in self.channels.silent():
            if channel not in self.ready:
                self._lose(channel, channel.connection.fall_silent())
        return bool(heard)

    def _take_in(self, channel: Channel, event: Event) -> None:
        """What a relay has said."""
        if isinstance(event, ReadyForData):
            self.ready.append(channel)
            return
        if isinstance(event, DataAnswered):
            letter, channel.leaving = channel.leaving, None
            channel.taken += 1
            self.has_taken = True
        else:
            letter, channel.addressed = channel.addressed, None
        if letter is None:
            raise AssertionError("an answer to no letter")
        if event.outcome is Outcome.REFUSED:
            self._stop_for(causes.refusal(event.reply))
        now = self.clock()
        self.settled.append(ledger.settle(letter.claimed, event.outcome, event.reply, now))

    def _go_round(self) -> None:
        """One commit: what was answered, and which letters leave now. Then they leave."""
        if self.refusal:
            self._record()
            choosing.state_of(self.relay).fail(self.refusal, self.clock(), refuses=True)
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

    def _put(self, channel: Channel, letter: Letter, variant: int, then: Letter | None) -> None:
        connection = channel.connection
        text = self.letters.text(letter, variant, eight_bit=connection.eight_bit)
        try:
            connection.put(text, then.envelope if then is not None else None)
        except ConnectionLost as lost:
            self._lose(channel, lost)
        else:
            self.channels.watch(channel)

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
            for channel in self.channels:
                letter, dot_sent = channel.leaving, channel.connection.dot_sent
                self._drop(channel)
                if letter is not None:
                    now = self.clock()
                    self.settled.append(ledger.lost(letter.claimed, dot_sent=dot_sent, now=now))
            self._record()
            if self.has_taken and not self.has_refused:
                choosing.state_of(self.relay).work(self.clock())
        finally:
            self.channels.close()

    # --- The relay's health ----------------------------------------------------------

    def _goes_on_elsewhere(self) -> bool:
        """Whether another relay is to be used at once, as this one fails or has no room."""
        if self.broke and not self.has_taken:
            choosing.state_of(self.relay).fail(self.broke, self.clock())
        return not self.none_left and choosing.is_another_better(self.relay, self.clock())

    def _be_refused(self, refusal: str) -> bool:
        """It does not let us in. The mailing pauses if no other does."""
        choosing.state_of(self.relay).fail(refusal, self.clock(), refuses=True)
        if choosing.all_refuse(self.clock()):
            self._pause(refusal)
            return False
        logger.error("The relay %s refuses us (%s). Letters go by another.", self.relay, refusal)
        return choosing.is_another_better(self.relay, self.clock())

    def _note(self, lost: ConnectionLost) -> None:
        self.broke = lost.cause
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
        pause(self.mailing, reason)
