"""A lane works on a mailing, one turn after the other."""

from __future__ import annotations

import logging

from keys import sealing
from newsletter.campaigns import lifecycle as mailings
from newsletter.campaigns.signing import LetterNotApproved
from newsletter.delivery import ledger
from newsletter.delivery.personalisation import Letters
from newsletter.delivery.relays import failover
from newsletter.delivery.worker import Clock, LaneWorker, pause
from newsletter.models import Mailing
from newsletter.models.mailings import HAS_BEGUN
from newsletter.subscribers import departures
from newsletter.subscribers.departures import JournalBroken

logger = logging.getLogger(__name__)


def run_lane(mailing_id: int, slot: int, clock: Clock) -> bool:
    """Works one turn on a mailing; True if there may be more to do at once.

    Safe to call any number of times: without a free slot or a mailing that is being sent it
    does nothing. Raises KeyMissing where the list cannot be opened.
    """
    keys = sealing.worker_keys()
    mailing = Mailing.objects.select_related("edition").filter(pk=mailing_id).first()
    if mailing is None or mailing.status not in HAS_BEGUN or not _heard_who_left(mailing):
        return False
    try:
        letters = Letters(mailing, keys)
    except LetterNotApproved as error:
        mailings.stop_for(mailing, str(error), clock())
        return False
    lane = ledger.take_slot(mailing, slot, clock())
    relay = failover.named(lane.relay) if lane is not None else None
    if lane is None or relay is None:
        return False
    try:
        return LaneWorker(mailing, lane, relay, clock, letters).run()
    finally:
        ledger.close_lane(lane, clock())
        mailings.finish_if_done(mailing, clock())


def _heard_who_left(mailing: Mailing) -> bool:
    """Whether this database knows of every departure. A restored backup has to hear of some."""
    try:
        departures.catch_up()
    except (JournalBroken, OSError) as error:
        logger.error("No letter leaves: %s", error)
        pause(mailing, str(error)[:300])
        return False
    return True
