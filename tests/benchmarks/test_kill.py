"""The kill benchmark detects each kind of error."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from benchmarks.kill import Verdict, check_ledger, connections, judge
from newsletter.campaigns import lifecycle
from newsletter.models import Delivery
from tests.factories import MONDAY_MORNING, make_mailing
from tests.services import Sink

ROWS = {"a@example.org": "sent", "b@example.org": "sent", "c@example.org": "uncertain"}
HAD = ["a@example.org", "b@example.org"]


def judged(rows: dict[str, str], had: list[str], open_connections: int = 1) -> Verdict:
    return judge(Verdict(1, connections=open_connections), rows, had)


@pytest.mark.parametrize("had", [HAD, [*HAD, "c@example.org"]], ids=["not taken", "taken"])
def test_one_uncertain_per_open_connection_is_allowed(had: list[str]) -> None:
    verdict = judged(ROWS, had)
    assert verdict.holds
    assert (verdict.sent, verdict.uncertain) == (2, 1)


@pytest.mark.parametrize("status", ["pending", "retry", "claimed", "handed", "failed", "excluded"])
def test_a_subscriber_without_a_letter_who_is_not_uncertain_is_lost(status: str) -> None:
    verdict = judged({**ROWS, "d@example.org": status}, HAD)
    assert verdict.lost == 1
    assert not verdict.holds


def test_a_subscriber_with_two_letters_is_doubled() -> None:
    verdict = judged(ROWS, [*HAD, "b@example.org"])
    assert verdict.doubled == 1
    assert not verdict.holds


def test_a_sent_row_without_a_letter_is_unfounded() -> None:
    verdict = judged(ROWS, HAD[:1])
    assert verdict.unfounded == 1
    assert not verdict.holds


@pytest.mark.parametrize("rows", [{}, {"d@example.org": "pending"}, {"d@example.org": "failed"}])
def test_a_letter_that_is_not_sent_in_the_ledger_is_unknown(rows: dict[str, str]) -> None:
    verdict = judged({**ROWS, **rows}, [*HAD, "d@example.org"])
    assert verdict.unknown == 1
    assert not verdict.holds


def test_more_uncertain_than_open_connections_break_the_guarantee() -> None:
    assert not judged(ROWS, HAD, open_connections=0).holds


def test_a_ledger_that_did_not_balance_once_breaks_the_guarantee() -> None:
    verdict = judged(ROWS, HAD)
    verdict.balanced = False
    assert not verdict.holds


@pytest.mark.django_db
def test_a_missing_row_in_the_ledger_is_detected() -> None:
    mailing = make_mailing(readers=3)
    lifecycle.launch(mailing, MONDAY_MORNING)
    verdict = Verdict(1)
    assert check_ledger(mailing.pk, 3, verdict) == "sending"
    assert verdict.balanced
    Delivery.objects.first().delete()
    check_ledger(mailing.pk, 3, verdict)
    assert not verdict.balanced


def test_connections_are_counted_by_port_and_process(
    tmp_path: Path,
) -> None:
    sink = Sink(tmp_path)
    sink.start()
    try:
        assert sink.process is not None
        with socket.create_connection(("127.0.0.1", sink.port)) as one:
            assert one.recv(99).startswith(b"220")
            assert connections(sink.port) == connections(sink.port, [os.getpid()]) == 1
            assert connections(sink.port, [sink.process.pid]) == 0
            assert connections(one.getsockname()[1], [os.getpid()]) == 0
    finally:
        sink.kill()


def test_the_sink_stores_a_letter_before_it_replies(tmp_path: Path) -> None:
    sink = Sink(tmp_path, dies_at=1)
    sink.start()
    with socket.create_connection(("127.0.0.1", sink.port)) as one, one.makefile("rb") as said:
        one.sendall(b"EHLO us\r\nMAIL FROM:<b@x.example>\r\nRCPT TO:<r@x.example>\r\nDATA\r\n")
        while not said.readline().startswith(b"354"):
            pass
        one.sendall(b"Message-ID: <1@x.example>\r\n\r\ntext\r\n.\r\n")
        assert said.read() == b"", "it died without a reply"
    assert sink.recipients() == ["r@x.example"]
