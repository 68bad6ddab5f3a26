"""The states of a lane and of its connections are those in the tables of their docstrings."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from unittest import mock

import pytest
from pytest_django.fixtures import Settings

from core.states import InvalidTransition
from demo.mail_catcher.catcher import Catcher
from newsletter.campaigns import lifecycle
from newsletter.delivery import worker
from newsletter.delivery.lanes import run_lane
from newsletter.delivery.relays.config import Relay
from newsletter.delivery.reply_classifier import Outcome, Reply
from newsletter.delivery.smtp import connecting
from newsletter.delivery.smtp.client import (
    DataAnswered,
    Event,
    ReadyForData,
    RecipientRejected,
    RelayRefuses,
)
from newsletter.delivery.smtp.connection_pool import (
    CLOSED,
    IDLE,
    ConnectionState,
    LaneConnection,
)
from newsletter.delivery.worker import SENDING, LaneState, LaneWorker
from newsletter.models import Lane, MailingStatus, RelayState
from tests.factories import A_RELAY, MONDAY_MORNING, make_mailing
from tests.newsletter import bad_relays as bad
from tests.newsletter.relays import ScriptedRelay, hang_up

NOW = MONDAY_MORNING
LETTER = mock.Mock()
OK = (Outcome.SENT, Reply(250))


def table(documented: type) -> dict[tuple[str, str], str]:
    """The next state by state and event, from the class's docstring."""
    found = {}
    for line in inspect.getdoc(documented).splitlines():  # type: ignore[union-attr]
        if not line.startswith("| ") or line.startswith("| state"):
            continue
        states, event, following = (cell.strip() for cell in line.strip("|").split("|"))
        for state in states.split(", "):
            found[state, event.partition(":")[0]] = following
    assert found
    return found


# --- A connection ------------------------------------------------------------------------


class FakeConnection(mock.Mock):
    """Yields the event that is set."""

    event: Event

    def receive(self) -> Iterator[Event]:
        yield self.event


def on_reply(reply: Event) -> Callable[[LaneConnection], None]:
    def receive(one: LaneConnection) -> None:
        one.connection.event = reply  # type: ignore[union-attr]
        for letter, outcome, _reply in one.receive():
            assert (letter, outcome) == (LETTER, reply.outcome)  # type: ignore[union-attr]

    return receive


def answered_with_the_next_envelope_sent(one: LaneConnection) -> None:
    one.next_letter = LETTER
    on_reply(DataAnswered(*OK))(one)


CONNECTION_EVENTS: dict[str, Callable[[LaneConnection], None]] = {
    "send_envelope": lambda one: one.send_envelope(LETTER),
    "ReadyForData": on_reply(ReadyForData()),
    "RecipientRejected": on_reply(RecipientRejected(Outcome.GONE, Reply(550))),
    "hand_over": lambda one: one.hand_over(None),
    "DataAnswered": on_reply(DataAnswered(*OK)),
    "DataAnswered, next envelope was sent": answered_with_the_next_envelope_sent,
    "close": LaneConnection.close,
}
CONNECTION = table(LaneConnection)


def ways_there() -> dict[str, list[str]]:
    """The events that lead from a new connection to each state."""
    ways: dict[str, list[str]] = {IDLE.value: []}
    waiting = [IDLE.value]
    while waiting:
        state = waiting.pop(0)
        for (before, event), following in CONNECTION.items():
            if before in (state, "any") and following not in ways:
                ways[following] = [*ways[state], event]
                waiting.append(following)
    return ways


def test_every_state_of_a_connection_can_be_reached() -> None:
    assert set(ways_there()) == {state.value for state in ConnectionState}
    assert {event for _state, event in CONNECTION} == set(CONNECTION_EVENTS)


@pytest.mark.parametrize("event", CONNECTION_EVENTS)
@pytest.mark.parametrize("state", [state.value for state in ConnectionState])
def test_a_connection_has_the_transitions_of_its_table_only(state: str, event: str) -> None:
    one = LaneConnection(FakeConnection())
    for step in ways_there()[state]:
        CONNECTION_EVENTS[step](one)
    assert one.state.value == state
    following = CONNECTION.get((state, event)) or CONNECTION.get(("any", event))
    if following is None:
        with pytest.raises(InvalidTransition):
            CONNECTION_EVENTS[event](one)
        assert one.state.value == state
        return
    CONNECTION_EVENTS[event](one)
    assert one.state.value == following
    if one.state is not CLOSED:
        assert (one.letter is None) == (one.state is IDLE), "a letter in every state but idle"


# --- A lane ------------------------------------------------------------------------------

LANE_EVENTS: dict[str, Callable[[LaneWorker], None]] = {
    "drain": LaneWorker.drain,
    "stop": LaneWorker.stop,
    "refuse": lambda worker: worker.refuse("refuses us"),
}
LANE = table(LaneWorker)


@pytest.mark.django_db
@pytest.mark.parametrize("event", LANE_EVENTS)
@pytest.mark.parametrize("state", LaneState)
def test_a_lane_has_the_transitions_of_its_table_only(state: LaneState, event: str) -> None:
    mailing = make_mailing(readers=1)
    lane_worker = LaneWorker(mailing, Lane(mailing=mailing), A_RELAY, lambda: NOW, mock.Mock())
    assert lane_worker.state is SENDING
    lane_worker.state = state
    LANE_EVENTS[event](lane_worker)
    following = LANE.get((state.name.lower(), event)) or LANE.get(("any", event)) or state.name
    assert lane_worker.state is LaneState[following.upper()]
    assert lane_worker.state >= state
    assert set(LANE.values()) | {"sending"} == {one.name.lower() for one in LaneState}


@pytest.mark.django_db
def test_a_relay_that_does_not_reply_until_the_run_ends_is_recorded_as_failing(
    settings: Settings,
) -> None:
    mailing = make_mailing(readers=2)
    lifecycle.launch(mailing, NOW)
    settings.RELAY_TIMEOUT = 0.4
    with (
        bad.running(bad.BadRelay(bad.DripsItsAnswers)) as server,
        mock.patch.object(worker, "MAX_RUN_SECONDS", 0.1),
    ):
        settings.RELAYS = (server.relay(),)
        assert run_lane(mailing.pk, 0, lambda: NOW), "its time was up"
    assert RelayState.objects.get(name=str(server.relay())).is_failing


@pytest.mark.django_db
def test_a_relay_that_accepts_a_letter_and_then_refuses_the_session_counts_as_refusing(
    relay: Catcher, settings: Settings
) -> None:
    settings.CONNECTIONS = 1
    settings.RELAYS = (*settings.RELAYS, Relay.parse("smtp://127.0.0.1:1"))
    mailing = make_mailing(readers=3)
    lifecycle.launch(mailing, NOW)
    ScriptedRelay.replies["MAIL"] = lambda *about: hang_up(*about) if relay.letters else None
    once_only = [connecting.Connection, RelayRefuses(Reply(554, "5.7.1"))]

    def first_only(*about: object) -> object:
        kind = once_only.pop(0)
        if isinstance(kind, Exception):
            raise kind
        return kind(*about)

    with mock.patch.object(connecting, "Connection", first_only):
        assert run_lane(mailing.pk, 0, lambda: NOW), "another relay goes on at once"
    assert len(relay.letters) == 1
    assert RelayState.objects.get(name=str(settings.RELAYS[0])).refuses
    mailing.refresh_from_db()
    assert mailing.status == MailingStatus.SENDING
