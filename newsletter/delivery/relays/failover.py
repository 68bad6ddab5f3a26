"""Which relay a lane uses: the first that is up and has room, in the order of the setting."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.db.models import Sum

from newsletter.delivery.relays import limits
from newsletter.delivery.relays.config import Relay
from newsletter.models import Lane, RelayState


@dataclass(frozen=True)
class Chosen:
    """A relay, and how many connections to it a lane may have."""

    relay: Relay
    connections: int


@transaction.atomic
def choose(now: dt.datetime) -> Chosen | None:
    """None if each has as many connections, or letters today, as it may.

    One that failed just now is passed over; if all did, the one that has been left alone longest
    is tried again. Within a transaction, whose end others wait for who would take connections.
    """
    for relay in in_order(now):
        connections = free_connections(relay)
        if connections and limits.has_room_today(relay, now):
            return Chosen(relay, connections)
    return None


def in_order(now: dt.datetime) -> list[Relay]:
    """As they stand in the setting; those that are down last, the longest first."""
    return sorted(settings.RELAYS, key=lambda relay: _down_until(relay, now))


def is_another_better(relay: Relay, now: dt.datetime) -> bool:
    """Whether a lane would do better with another one than this, and at once."""
    found = choose(now)
    return found is not None and found.relay != relay and _down_until(found.relay, now) <= now


def all_refuse(now: dt.datetime) -> bool:
    """None has let us in just now: a person has to mend it."""
    refusing = {
        state.name for state in RelayState.objects.filter(refuses=True) if state.is_down(now)
    }
    return {str(relay) for relay in settings.RELAYS} <= refusing


def named(name: str) -> Relay | None:
    """The relay of a lane; None if it has left the setting."""
    return next((relay for relay in settings.RELAYS if str(relay) == name), None)


def free_connections(relay: Relay) -> int:
    """How many more a lane may open: a backend sends one letter after the other."""
    wanted = 1 if relay.is_backend else int(settings.CONNECTIONS)
    if relay.connections is None:
        return wanted
    state_of(relay, lock=True)
    taken = Lane.objects.filter(relay=str(relay)).aggregate(sum=Sum("connections"))["sum"] or 0
    return max(min(wanted, relay.connections - taken), 0)


def state_of(relay: Relay, *, lock: bool = False) -> RelayState:
    """As it was last met."""
    state, _new = RelayState.objects.get_or_create(name=str(relay))
    return RelayState.objects.select_for_update().get(pk=state.pk) if lock else state


def _down_until(relay: Relay, now: dt.datetime) -> dt.datetime:
    state = RelayState.objects.filter(name=str(relay)).first()
    if state is None or state.down_until is None or not state.is_down(now):
        return now
    return state.down_until
