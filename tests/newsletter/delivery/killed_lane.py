"""A lane in a process of its own that kills itself at an exact moment.

    python -m tests.newsletter.delivery.killed_lane MAILING [MOMENT LETTER]

Without a moment somebody else kills it.
"""

from __future__ import annotations

import os
import signal
import smtplib
import socket
import sys
from collections.abc import Callable
from typing import Any

import django

django.setup()

from django.utils import timezone  # noqa: E402

from newsletter.delivery import batch, ledger  # noqa: E402
from newsletter.delivery.lanes import run_lane  # noqa: E402

END_OF_TEXT = b"\r\n.\r\n"


def die() -> None:
    """No `finally` and no `atexit` runs."""
    os.kill(os.getpid(), signal.SIGKILL)


class Countdown:
    """True when it has been asked for so many."""

    def __init__(self, letters: int) -> None:
        self.left = letters

    def is_over(self, letters: int = 1) -> bool:
        self.left -= letters
        return self.left <= 0


def after_the_claim(letter: Countdown) -> None:
    real = ledger.claim

    def claim(*about: Any) -> Any:
        claimed = real(*about)
        if letter.is_over():
            die()
        return claimed

    ledger.claim = claim


def before_data(letter: Countdown) -> None:
    """To a relay that does not pipeline DATA is a packet of its own."""
    offers = smtplib.SMTP.has_extn
    smtplib.SMTP.has_extn = lambda self, name: name != "pipelining" and offers(self, name)  # type: ignore[method-assign]

    def send(said: bytes, real: Callable[[bytes], int]) -> int:
        if said.startswith(b"DATA") and letter.is_over():
            die()
        return real(said)

    _instead_of_sending(send)


def before_the_text(letter: Countdown) -> None:
    """Its delivery is marked as handed over, and that is committed."""
    real = batch.commit

    def commit(lane: Any, settled: Any, next_ones: Any, *more: Any) -> Any:
        variants = real(lane, settled, next_ones, *more)
        if next_ones and letter.is_over(len(next_ones)):
            die()
        return variants

    batch.commit = commit


def within_the_text(letter: Countdown) -> None:
    def send(said: bytes, real: Callable[[bytes], int]) -> int:
        if END_OF_TEXT in said and letter.is_over():
            real(said[: said.index(END_OF_TEXT) // 2])
            die()
        return real(said)

    _instead_of_sending(send)


def before_the_record(letter: Countdown) -> None:
    """The relay's answer was heard."""
    real = batch.commit

    def commit(lane: Any, settled: Any, *more: Any) -> Any:
        if settled and letter.is_over(len(settled)):
            die()
        return real(lane, settled, *more)

    batch.commit = commit


def _instead_of_sending(send: Callable[[bytes, Callable[[bytes], int]], int]) -> None:
    real = socket.socket.send
    socket.socket.send = lambda self, said: send(bytes(said), lambda part: real(self, part))  # type: ignore[method-assign, assignment]


MOMENTS = {
    moment.__name__: moment
    for moment in (
        after_the_claim,
        before_data,
        before_the_text,
        within_the_text,
        before_the_record,
    )
}


if __name__ == "__main__":
    mailing_id, *chosen = sys.argv[1:]
    if chosen:
        MOMENTS[chosen[0]](Countdown(int(chosen[1])))
    run_lane(int(mailing_id), 0, timezone.now)
