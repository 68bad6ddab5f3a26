"""Runs a lane: one worker slot on one mailing, for a limited time."""

from __future__ import annotations

import logging

from keys import sealing
from newsletter.campaigns import lifecycle
from newsletter.campaigns.signing import LetterNotApproved
from newsletter.delivery import ledger
from newsletter.delivery.personalisation import LetterFactory
from newsletter.delivery.relays import failover
from newsletter.delivery.worker import Clock, LaneWorker, pause_if_possible
from newsletter.models import Mailing
from newsletter.models.mailings import DELIVERABLE
from newsletter.subscribers import departures
from newsletter.subscribers.departures import DeparturesLogBroken

logger = logging.getLogger(__name__)


def run_lane(mailing_id: int, slot: int, clock: Clock) -> bool:
    """Sends for up to MAX_RUN_SECONDS; True if there may be more to send right away.

    Safe to call any number of times: without a free slot or anything to send it does nothing.
    Raises KeyNotFound if the list cannot be opened.
    """
    keys = sealing.worker_keys()
    mailing = Mailing.objects.select_related("edition").filter(pk=mailing_id).first()
    if mailing is None or mailing.status not in DELIVERABLE or not _has_all_departures(mailing):
        return False
    try:
        letter_factory = LetterFactory(mailing, keys)
    except LetterNotApproved as error:
        lifecycle.stop_sending(mailing, str(error), clock())
        return False
    lane = ledger.open_lane(mailing, slot, clock())
    relay = failover.find_relay(lane.relay) if lane is not None else None
    if lane is None or relay is None:
        return False
    try:
        return LaneWorker(mailing, lane, relay, clock, letter_factory).run()
    finally:
        ledger.close_lane(lane, clock())
        lifecycle.finish_if_done(mailing, clock())


def _has_all_departures(mailing: Mailing) -> bool:
    """Applies departures that a restored backup lacks; False, and paused, if that fails."""
    try:
        departures.replay_missed()
    except (DeparturesLogBroken, OSError) as error:
        logger.error("No letter leaves: %s", error)
        pause_if_possible(mailing, str(error)[:300])
        return False
    return True
