"""A round: what the last letters came to, and the next ones on their way, in one commit.

This is what every letter passes through, so it is written in SQL that both databases speak: what
the ORM takes to compose three statements is as long as PostgreSQL takes to run them.
"""

from __future__ import annotations

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import psycopg
from django.db import connection, transaction

from newsletter.models import (
    Delivery,
    DeliveryKind,
    DeliveryStatus,
    Lane,
    Mailing,
    MailingStatus,
    Reason,
    Subscriber,
    SubscriberStatus,
)
from newsletter.sending import ledger
from newsletter.sending.ledger import Settled
from newsletter.sending.outcomes import Reply

DELIVERY, MAILING = Delivery._meta.db_table, Mailing._meta.db_table
SUBSCRIBER, LANE = Subscriber._meta.db_table, Lane._meta.db_table
LANE_ID = Delivery._meta.get_field("lane")

RENEW = f"UPDATE {LANE} SET lease_until = %s WHERE id = %s"  # noqa: S608
TAKEN = f"""
    UPDATE {DELIVERY}
    SET status = '{DeliveryStatus.SENT}', reason = '{Reason.NONE}', lane = NULL,
        reply_code = %s, enhanced_code = %s, settled_at = %s
    WHERE id {{of_these}} AND lane = %s
        AND status IN ('{DeliveryStatus.HANDED_OVER}', '{DeliveryStatus.UNCERTAIN}')
"""  # noqa: S608
HAND_OVER = f"""
    UPDATE {DELIVERY}
    SET status = '{DeliveryStatus.HANDED_OVER}', attempts = attempts + 1,
        handed_over_at = %s, relay = %s
    WHERE id {{of_these}} AND lane = %s AND status = '{DeliveryStatus.CLAIMED}'
        AND EXISTS (SELECT 1 FROM {LANE} AS mine WHERE mine.id = %s)
        AND EXISTS (
            SELECT 1 FROM {SUBSCRIBER} AS reader
            WHERE reader.id = subscriber_id AND reader.status = '{SubscriberStatus.ACTIVE}'
        )
        AND EXISTS (
            SELECT 1 FROM {MAILING} AS mailing
            WHERE mailing.id = mailing_id AND (
                mailing.status = '{MailingStatus.SENDING}'
                OR mailing.status = '{MailingStatus.SENT}' AND kind = '{DeliveryKind.LATEST}'
            )
        )
    RETURNING id, variant_id
"""  # noqa: S608
OF_THESE = {"postgresql": "= ANY(%s::bigint[])", "sqlite": "IN (SELECT value FROM json_each(%s))"}
"""A list of ids as one value, so that a statement is the same for any number of letters."""
Statement = tuple[str, list[Any]]


def commit(
    lane: Lane, settled: Sequence[Settled], next_ones: Sequence[int], relay: str, now: dt.datetime
) -> dict[int, int]:
    """Records what became of letters, and marks the next as handed over, before they leave.

    Returns which of these may leave, with the variant that they carry: it may have been frozen
    anew since the claim. The others were paused, cancelled or swept, or their readers have left.
    """
    lane_id = LANE_ID.get_db_prep_value(lane.pk, connection)
    # First, so that who pauses waits for this round, and the next round sees the pause.
    statements: list[Statement] = [(RENEW, [_time(now + ledger.lease()), lane_id])]
    taken: dict[Reply, list[int]] = defaultdict(list)
    others = []
    for one in settled:
        if one.status is DeliveryStatus.SENT and one.reply is not None:
            taken[one.reply].append(one.letter.pk)
        else:
            others.append(one)
    for reply, ids in taken.items():
        values = [reply.code, reply.enhanced, _time(now), _ids(ids), lane_id]
        statements.append((TAKEN, values))
    if next_ones:
        values = [_time(now), relay, _ids(next_ones), lane_id, lane_id]
        statements.append((HAND_OVER, values))
    if not others:
        handed_over = run(statements)
    else:
        with transaction.atomic():
            handed_over = run(statements)
            for one in others:
                ledger.record(one, lane, relay, now)
    return dict(handed_over) if next_ones else {}


def run(statements: list[Statement]) -> list[tuple[Any, ...]]:
    """All of them or none; the rows that the last one returns, if it returns any."""
    of_these = OF_THESE[connection.vendor]
    whole = [(sql.format(of_these=of_these), values) for sql, values in statements]
    if connection.vendor == "postgresql":
        return _run_at_once(whole)
    with transaction.atomic(), connection.cursor() as cursor:
        for sql, values in whole:
            cursor.execute(sql, values)
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def _run_at_once(statements: list[Statement]) -> list[tuple[Any, ...]]:
    """One way to the server and back for all, commit included, and it keeps their plans.

    What is said before one Sync message is one transaction (PostgreSQL's documentation, 55.2.4,
    "Pipelining"); each statement sees what was committed before it began.
    """
    connection.ensure_connection()
    with connection.wrap_database_errors:
        with connection.connection.pipeline():
            for sql, values in statements:
                cursor = psycopg.Cursor(connection.connection)
                cursor.execute(sql, values, prepare=True)
        return cursor.fetchall() if cursor.description else []


def _ids(ids: Sequence[int]) -> Any:
    return list(ids) if connection.vendor == "postgresql" else json.dumps(list(ids))


def _time(moment: dt.datetime) -> Any:
    return connection.ops.adapt_datetimefield_value(moment)
