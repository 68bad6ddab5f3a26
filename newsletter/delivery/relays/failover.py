"""Failover: a lane uses the first relay, in order of RELAY_URL, that is up and below its limits."""

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
class RelayChoice:
    """A relay, and how many connections to it a lane may have."""

    relay: Relay
    connections: int


@transaction.atomic
def choose_relay(now: dt.datetime) -> RelayChoice | None:
    """None if every relay has reached its limit of connections or of today's letters.

    A relay that failed recently is skipped; if all did, the one that has waited longest is tried.
    Within a transaction: it may lock a relay's row until its end.
    """
    for relay in in_failover_order(now):
        connections = free_connections(relay)
        if connections and limits.has_room_today(relay, now):
            return RelayChoice(relay, connections)
    return None


def in_failover_order(now: dt.datetime) -> list[Relay]:
    """In order of RELAY_URL; those that are down come last, the longest down first."""
    return sorted(settings.RELAYS, key=lambda relay: _down_until(relay, now))


def has_better_relay(relay: Relay, now: dt.datetime) -> bool:
    """Whether a lane could use another relay than this right away."""
    found = choose_relay(now)
    return found is not None and found.relay != relay and _down_until(found.relay, now) <= now


def all_refuse(now: dt.datetime) -> bool:
    """Every relay refuses the session: a person has to fix it."""
    refusing = {
        state.name for state in RelayState.objects.filter(refuses=True) if state.is_down(now)
    }
    return {str(relay) for relay in settings.RELAYS} <= refusing


def find_relay(name: str) -> Relay | None:
    """By name; None if it is not in RELAY_URL any more."""
    return next((relay for relay in settings.RELAYS if str(relay) == name), None)


def free_connections(relay: Relay) -> int:
    """How many connections a lane may open; one for a backend, which sends one letter at a time."""
    wanted = 1 if relay.is_backend else int(settings.CONNECTIONS)
    if relay.connections is None:
        return wanted
    get_state(relay, lock=True)
    taken = Lane.objects.filter(relay=str(relay)).aggregate(sum=Sum("connections"))["sum"] or 0
    return max(min(wanted, relay.connections - taken), 0)


def get_state(relay: Relay, *, lock: bool = False) -> RelayState:
    """Its last known state."""
    state, _new = RelayState.objects.get_or_create(name=str(relay))
    return RelayState.objects.select_for_update().get(pk=state.pk) if lock else state


def _down_until(relay: Relay, now: dt.datetime) -> dt.datetime:
    state = RelayState.objects.filter(name=str(relay)).first()
    if state is None or state.down_until is None or not state.is_down(now):
        return now
    return state.down_until
