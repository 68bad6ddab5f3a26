"""Celery tasks. Their arguments are ids only."""

from __future__ import annotations

import logging
from typing import Any

from celery import Task, shared_task
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from newsletter import schedule
from newsletter.bounces import poll
from newsletter.bounces.mailboxes import MailboxUnavailable
from newsletter.delivery import transactional
from newsletter.delivery.lanes import run_lane
from newsletter.imports import apply, dry_run
from newsletter.models import Mailing, Quota, Subscriber
from newsletter.models.quotas import DAY, window_start
from newsletter.privacy import retention
from newsletter.schedule import DueWork
from newsletter.subscribers import lookup, sign_up

logger = logging.getLogger(__name__)

TICK_SECONDS = 60
SIGN_UP_BATCH_SIZE = 200
"""Per task, so that nothing else in its queue waits long."""


def enqueue(task: Task[Any, Any], *ids: int) -> None:
    """After the commit. If the broker is down, the next tick finds the row."""

    def send() -> None:
        try:
            task.delay(*ids)
        except (OperationalError, OSError) as error:
            logger.warning(
                "The broker cannot be reached (%s); the next tick enqueues it.",
                type(error).__name__,
            )

    transaction.on_commit(send)


def enqueue_due(found: DueWork) -> None:
    """Enqueues what is due."""
    for mailing_id, slot in found.lanes:
        enqueue(work_lane, mailing_id, slot)
    if found.sign_ups:
        enqueue(process_sign_ups)
    if found.transactional_mails:
        enqueue(send_transactional_mails)
    for lookup_id in found.lookups:
        enqueue(answer_lookup, lookup_id)
    for import_id in found.imports:
        enqueue(process_import, import_id)


def enqueue_lanes(mailing: Mailing) -> None:
    """So that a launch does not wait for the next tick."""
    for mailing_id, slot in schedule.free_slots(mailing, timezone.now()):
        enqueue(work_lane, mailing_id, slot)


def enqueue_welcome(subscriber: Subscriber) -> None:
    """After a confirmation: the latest issue, or the welcome mail."""
    for mailing in Mailing.objects.with_late_delivery_to(subscriber):
        enqueue_lanes(mailing)
    enqueue(send_transactional_mails)


@shared_task(name="newsletter.tick", expires=TICK_SECONDS)
def tick() -> None:
    """Each minute: enqueues what is due."""
    now = timezone.now()
    enqueue_due(schedule.run_due(now))
    every_few_minutes = window_start(now, poll.POLL_INTERVAL)
    if poll.is_configured() and Quota.spend("taking mail", every_few_minutes, 1):
        enqueue(process_bounces)
    if Quota.spend("retention", window_start(now, DAY), 1):
        enqueue(apply_retention)


@shared_task(name="newsletter.sign_letters")
def sign_letters() -> None:
    """Signs the letters of scheduled mailings, right after approval."""
    schedule.sign_letters()


@shared_task(name="newsletter.work_lane")
def work_lane(mailing_id: int, slot: int) -> None:
    """Runs a lane; if there is more to send, again at the back of the queue."""
    if run_lane(mailing_id, slot, timezone.now):
        enqueue(work_lane, mailing_id, slot)


@shared_task(name="newsletter.take_sign_ups", expires=TICK_SECONDS)
def process_sign_ups() -> None:
    """Processes a batch of sign-ups; more at the back of the queue."""
    now = timezone.now()
    batch = schedule.sign_ups(now, SIGN_UP_BATCH_SIZE)
    for sign_up_id in batch:
        sign_up.process_sign_up(sign_up_id, now)
    if batch:
        enqueue(send_transactional_mails)
    if len(batch) == SIGN_UP_BATCH_SIZE:
        enqueue(process_sign_ups)


@shared_task(name="newsletter.send_single_mails", expires=TICK_SECONDS)
def send_transactional_mails() -> None:
    """Sends a batch of due transactional mail; more at the back of the queue."""
    if transactional.send_due(timezone.now):
        enqueue(send_transactional_mails)


@shared_task(name="newsletter.answer_inquiry")
def answer_lookup(lookup_id: int) -> None:
    """Answers a lookup of a subscriber, or carries out its action."""
    if lookup.process_lookup(lookup_id, timezone.now()):
        enqueue(write_departures_log)


@shared_task(name="newsletter.work_on_import")
def process_import(import_id: int) -> None:
    """Checks, applies or undoes an import. If killed, the next tick enqueues it again."""
    dry_run.check_import(import_id, timezone.now)
    apply.apply_import(import_id, timezone.now)
    if apply.undo_import(import_id, timezone.now):
        enqueue(write_departures_log)


@shared_task(name="newsletter.take_bounces", expires=TICK_SECONDS)
def process_bounces() -> None:
    """Processes the mail in the bounce mailbox."""
    try:
        if poll.poll_mailboxes(timezone.now):
            enqueue(write_departures_log)
    except MailboxUnavailable as error:
        logger.error("%s", error)


@shared_task(name="newsletter.write_journal")
def write_departures_log() -> None:
    """Appends departures to the log outside the database."""
    schedule.update_departures_log()


@shared_task(name="newsletter.obey_retention")
def apply_retention() -> None:
    """Once a day: deletes what has been kept long enough."""
    retention.apply_retention(timezone.now())
