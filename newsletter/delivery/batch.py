"""A batch: one commit records the last results and marks the next letters as handed over.

In SQL, since every letter passes through it: the ORM takes as long to compose the three statements
as PostgreSQL takes to run them.
"""

from __future__ import annotations

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any
from uuid import UUID

import psycopg
from django.db import connection, transaction

from newsletter.delivery import ledger
from newsletter.delivery.ledger import DeliveryResult
from newsletter.delivery.reply_classifier import Reply
from newsletter.models import DeliveryStatus, Lane

RENEW = "UPDATE newsletter_lane SET lease_until = %s WHERE id = %s"
ACCEPTED = """
    UPDATE newsletter_delivery
    SET status = 'sent', reason = '', lane = NULL,
        reply_code = %s, enhanced_code = %s, settled_at = %s
    WHERE id = ANY(%s::bigint[]) AND lane = %s AND status IN ('handed', 'uncertain')
"""
HAND_OVER = """
    UPDATE newsletter_delivery
    SET status = 'handed', attempts = attempts + 1, handed_over_at = %s, relay = %s
    WHERE id = ANY(%s::bigint[]) AND lane = %s AND status = 'claimed'
        AND EXISTS (SELECT 1 FROM newsletter_lane AS mine WHERE mine.id = %s)
        AND EXISTS (
            SELECT 1 FROM newsletter_subscriber AS subscriber
            WHERE subscriber.id = subscriber_id AND subscriber.status = 'active'
        )
        AND EXISTS (
            SELECT 1 FROM newsletter_mailing AS mailing
            WHERE mailing.id = mailing_id AND (
                mailing.status = 'sending' OR mailing.status = 'sent' AND kind = 'latest'
            )
        )
    RETURNING id, variant_id
"""
ANY_OF, ANY_OF_JSON = "= ANY(%s::bigint[])", "IN (SELECT value FROM json_each(%s))"
"""A list of ids as one parameter, so that a statement is the same for any number of letters."""
Statement = tuple[str, list[Any]]


def commit(
    lane: Lane,
    results: Sequence[DeliveryResult],
    next_ones: Sequence[int],
    relay: str,
    now: dt.datetime,
) -> dict[int, int]:
    """Records results, and marks the next letters as handed over before they leave.

    Returns those that may leave, each with its variant: a new revision may have been frozen since
    the claim. The others were paused, cancelled or reaped, or their subscribers have left.
    """
    # First: it locks the lane's row, so that pausing waits for this batch.
    statements: list[Statement] = [(RENEW, [now + ledger.lease_duration(), lane.pk])]
    accepted: dict[Reply, list[int]] = defaultdict(list)
    others = []
    for one in results:
        if one.status is DeliveryStatus.SENT and one.reply is not None:
            accepted[one.reply].append(one.letter.pk)
        else:
            others.append(one)
    for reply, ids in accepted.items():
        statements.append((ACCEPTED, [reply.code, reply.enhanced, now, ids, lane.pk]))
    if next_ones:
        statements.append((HAND_OVER, [now, relay, list(next_ones), lane.pk, lane.pk]))
    # Without others the pipeline is one transaction by itself, in a single round trip.
    with transaction.atomic() if others else nullcontext():
        handed_over = _run(statements)
        for one in others:
            ledger.record_result(one, lane, relay, now)
    return dict(handed_over) if next_ones else {}


def _run(statements: list[Statement]) -> list[tuple[Any, ...]]:
    """In one transaction; returns the rows of the last statement, if it has any."""
    if connection.vendor == "postgresql":
        return _run_in_pipeline(statements)
    with transaction.atomic(), connection.cursor() as cursor:
        for sql, values in statements:
            cursor.execute(sql.replace(ANY_OF, ANY_OF_JSON), [_for_sqlite(one) for one in values])
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def _run_in_pipeline(statements: list[Statement]) -> list[tuple[Any, ...]]:
    """One round trip for all statements and the commit, with prepared plans.

    What is sent before a Sync message is one transaction (PostgreSQL's documentation, 55.2.4,
    "Pipelining").
    """
    connection.ensure_connection()
    with connection.wrap_database_errors:
        with connection.connection.pipeline():
            for sql, values in statements:
                cursor = psycopg.Cursor(connection.connection)
                cursor.execute(sql, values, prepare=True)
        return cursor.fetchall() if cursor.description else []


def _for_sqlite(value: Any) -> Any:
    """SQLite has no arrays, UUIDs or timestamps."""
    if isinstance(value, list):
        return json.dumps(value)
    if isinstance(value, UUID):
        return value.hex
    if isinstance(value, dt.datetime):
        return connection.ops.adapt_datetimefield_value(value)
    return value
