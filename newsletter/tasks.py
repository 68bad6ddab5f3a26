"""What workers do: each task is a few lines around one verb, and carries ids only."""

from __future__ import annotations

import logging
from typing import Any

from celery import Task, shared_task
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from newsletter import schedule
from newsletter.bounces import poll
from newsletter.bounces.mailboxes import SourceBroken
from newsletter.delivery import transactional
from newsletter.delivery.lanes import run_lane
from newsletter.imports import apply, dry_run
from newsletter.models import Mailing, Spending, Subscriber
from newsletter.models.quotas import DAY, window_start
from newsletter.privacy import retention
from newsletter.schedule import Due
from newsletter.subscribers import lookup, sign_up

logger = logging.getLogger(__name__)

TICK_SECONDS = 60
SIGN_UPS_AT_ONCE = 200
"""In one task, so that nothing else in its queue waits long."""


def enqueue(task: Task[Any, Any], *ids: int) -> None:
    """After commit. A broker that is down costs a delay: the tick finds the row."""

    def send() -> None:
        try:
            task.delay(*ids)
        except (OperationalError, OSError) as error:
            logger.warning(
                "The broker cannot be reached (%s); the next tick makes up for it.",
                type(error).__name__,
            )

    transaction.on_commit(send)


def enqueue_due(found: Due) -> None:
    """Hands out what a tick found."""
    for mailing_id, slot in found.lanes:
        enqueue(work_lane, mailing_id, slot)
    if found.sign_ups:
        enqueue(take_sign_ups)
    if found.single_mails:
        enqueue(send_single_mails)
    for inquiry_id in found.inquiries:
        enqueue(answer_inquiry, inquiry_id)
    for import_id in found.imports:
        enqueue(work_on_import, import_id)


def enqueue_lanes(mailing: Mailing) -> None:
    """So that a launch need not wait for the next tick."""
    for mailing_id, slot in schedule.free_slots(mailing, timezone.now()):
        enqueue(work_lane, mailing_id, slot)


def enqueue_welcome(subscriber: Subscriber) -> None:
    """The latest letter, or the short welcome: whichever became due by confirming."""
    for mailing in Mailing.objects.welcoming(subscriber):
        enqueue_lanes(mailing)
    enqueue(send_single_mails)


@shared_task(name="newsletter.tick", expires=TICK_SECONDS)
def tick() -> None:
    """Each minute: what is due?"""
    now = timezone.now()
    enqueue_due(schedule.settle_and_launch(now))
    every_few_minutes = window_start(now, poll.EVERY)
    if poll.is_configured() and Spending.spend("taking mail", every_few_minutes, 1):
        enqueue(take_bounces)
    if Spending.spend("retention", window_start(now, DAY), 1):
        enqueue(obey_retention)


@shared_task(name="newsletter.sign_letters")
def sign_letters() -> None:
    """Signs what was approved, while it is what was approved."""
    schedule.sign_letters()


@shared_task(name="newsletter.work_lane")
def work_lane(mailing_id: int, slot: int) -> None:
    """One turn of a lane, and the next turn at the back of the queue."""
    if run_lane(mailing_id, slot, timezone.now):
        enqueue(work_lane, mailing_id, slot)


@shared_task(name="newsletter.take_sign_ups", expires=TICK_SECONDS)
def take_sign_ups() -> None:
    """Opens a batch of those that wait and asks their owners; more at the back of the queue."""
    now = timezone.now()
    batch = schedule.sign_ups(now, SIGN_UPS_AT_ONCE)
    for sign_up_id in batch:
        sign_up.process_sign_up(sign_up_id, now)
    if batch:
        enqueue(send_single_mails)
    if len(batch) == SIGN_UPS_AT_ONCE:
        enqueue(take_sign_ups)


@shared_task(name="newsletter.send_single_mails", expires=TICK_SECONDS)
def send_single_mails() -> None:
    """Sends a batch of the single mails that are due; more at the back of the queue."""
    if transactional.send_due(timezone.now):
        enqueue(send_single_mails)


@shared_task(name="newsletter.answer_inquiry")
def answer_inquiry(inquiry_id: int) -> None:
    """Looks whether somebody is on the list, and does what was wished for about them."""
    if lookup.work_on(inquiry_id, timezone.now()):
        enqueue(write_journal)


@shared_task(name="newsletter.work_on_import")
def work_on_import(import_id: int) -> None:
    """Checks, applies or undoes, whatever it waits for; killed, the tick comes again."""
    dry_run.check(import_id, timezone.now)
    apply.apply(import_id, timezone.now)
    if apply.undo(import_id, timezone.now):
        enqueue(write_journal)


@shared_task(name="newsletter.take_bounces", expires=TICK_SECONDS)
def take_bounces() -> None:
    """Empties the mailbox of the return path."""
    try:
        if poll.take(timezone.now):
            enqueue(write_journal)
    except SourceBroken as error:
        logger.error("%s", error)


@shared_task(name="newsletter.write_journal")
def write_journal() -> None:
    """Writes down who left, apart from the database."""
    schedule.keep_the_journal()


@shared_task(name="newsletter.obey_retention")
def obey_retention() -> None:
    """Once a day: what has been kept long enough goes."""
    retention.obey(timezone.now())
