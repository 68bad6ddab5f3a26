"""A round: what the last letters came to, and the next ones on their way, in one commit.

This is what every letter passes through, so it is written in SQL: what the ORM takes to compose
three statements is as long as PostgreSQL takes to run them.
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
from newsletter.delivery.ledger import Settled
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
"""A list of ids is one value, so that a statement is the same for any number of letters."""
Statement = tuple[str, list[Any]]


def commit(
    lane: Lane, settled: Sequence[Settled], next_ones: Sequence[int], relay: str, now: dt.datetime
) -> dict[int, int]:
    """Records what became of letters, and marks the next as handed over, before they leave.

    Returns which of these may leave, with the variant that they carry: it may have been frozen
    anew since the claim. The others were paused, cancelled or swept, or their subscribers left.
    """
    # First, so that who pauses waits for this round, and the next round sees the pause.
    statements: list[Statement] = [(RENEW, [now + ledger.lease(), lane.pk])]
    accepted: dict[Reply, list[int]] = defaultdict(list)
    others = []
    for one in settled:
        if one.status is DeliveryStatus.SENT and one.reply is not None:
            accepted[one.reply].append(one.letter.pk)
        else:
            others.append(one)
    for reply, ids in accepted.items():
        statements.append((ACCEPTED, [reply.code, reply.enhanced, now, ids, lane.pk]))
    if next_ones:
        statements.append((HAND_OVER, [now, relay, list(next_ones), lane.pk, lane.pk]))
    # Without others the statements are one transaction by themselves, and PostgreSQL is asked once.
    with transaction.atomic() if others else nullcontext():
        handed_over = _run(statements)
        for one in others:
            ledger.record(one, lane, relay, now)
    return dict(handed_over) if next_ones else {}


def _run(statements: list[Statement]) -> list[tuple[Any, ...]]:
    """All of them or none; the rows that the last one returns, if it returns any."""
    if connection.vendor == "postgresql":
        return _run_at_once(statements)
    with transaction.atomic(), connection.cursor() as cursor:
        for sql, values in statements:
            cursor.execute(sql.replace(ANY_OF, ANY_OF_JSON), [_for_sqlite(one) for one in values])
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def _run_at_once(statements: list[Statement]) -> list[tuple[Any, ...]]:
    """One way to the server and back for all, commit included, and it keeps their plans.

    What is sent before one Sync message is one transaction (PostgreSQL's documentation, 55.2.4,
    "Pipelining"); each statement sees what was committed before it began.
    """
    connection.ensure_connection()
    with connection.wrap_database_errors:
        with connection.connection.pipeline():
            for sql, values in statements:
                cursor = psycopg.Cursor(connection.connection)
                cursor.execute(sql, values, prepare=True)
        return cursor.fetchall() if cursor.description else []


def _for_sqlite(value: Any) -> Any:
    """It has neither arrays nor UUIDs nor times."""
    if isinstance(value, list):
        return json.dumps(value)
    if isinstance(value, UUID):
        return value.hex
    if isinstance(value, dt.datetime):
        return connection.ops.adapt_datetimefield_value(value)
    return value
