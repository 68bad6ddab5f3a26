"""Relays as the environment names them."""

from __future__ import annotations

import datetime as dt

import pytest
from django.core.exceptions import ImproperlyConfigured

from newsletter.delivery.relays.config import Relay, parse_all


def test_several_relays_stand_in_their_order_with_their_limits() -> None:
    first, second = parse_all(
        "smtps://me:p%3Fss@a.example?connections=20&per_minute=600&per_day=50000\n"
        "  backend:anymail.backends.mailgun.EmailBackend?warm_up=500&since=2026-11-25"
    )
    assert (first.host, first.port, first.password) == ("a.example", 465, "p?ss")
    assert (first.connections, first.per_minute, first.per_day) == (20, 600, 50000)
    assert second.is_backend
    assert (second.warm_up, second.since) == (500, dt.date(2026, 11, 25))


def test_a_relay_without_options_has_no_limits() -> None:
    relay = Relay.parse("smtp://a.example")
    assert (relay.connections, relay.per_minute, relay.per_day) == (None, None, None)
    assert relay.daily_limit(dt.date(2026, 11, 25)) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("smtp://a.example smtp://a.example:25", "names a.example:25 twice"),
        ("smtp://a.example?per_hour=5", "has 'per_hour' in it"),
        ("smtp://a.example?per_day=5&per_day=6", "once each"),
        ("smtp://a.example?per_day=", "whole number from 1"),
        ("smtp://a.example?per_minute=0", "whole number from 1"),
        ("smtp://a.example?connections=1001", "from 1 to 1000"),
        ("smtp://a.example?per_day=-1", "whole number from 1"),
        ("smtp://a.example?per_day=1e9", "whole number from 1"),
        ("smtp://a.example?warm_up=5", "needs both"),
        ("smtp://a.example?since=2026-11-25", "needs both"),
        ("smtp://a.example?warm_up=5&since=tomorrow", "a day such as 2026-11-25"),
        ("backend:os.system('x')", "names no mail backend"),
        ("smtp://a.example,smtp://b.example", "is not a relay's address"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_would(text: str, why: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=why):
        parse_all(text)


def test_a_refusal_never_repeats_the_password() -> None:
    with pytest.raises(ImproperlyConfigured) as refused:
        parse_all("smtp://me:hunter2@a.example?x=1 smtp://me:hunter2@a.example")
    assert "hunter2" not in str(refused.value)
