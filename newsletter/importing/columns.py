"""What a column of a file is, by its name. Pure.

The names are those that the exports of Mailchimp, Substack, Ghost, listmonk and Buttondown have in
their first line, and what people write by hand in English, Belarusian and Russian. Whatever is
not named here is dropped unread.
"""

from __future__ import annotations

import datetime as dt
import re
from enum import StrEnum

from django.utils.dateparse import parse_date, parse_datetime


class Column(StrEnum):
    """What is used of a file."""

    ADDRESS = "address"
    EDITION = "edition"
    LANGUAGE = "language"
    CONSENT = "consent"
    STATUS = "status"
    DROPPED = ""


def _names(*lists: str) -> frozenset[str]:
    return frozenset(name.strip() for some in lists for name in some.split(","))


NAMES: dict[Column, frozenset[str]] = {
    Column.ADDRESS: _names(
        # "Email Address" is Mailchimp's, "email" Ghost's, Substack's and listmonk's.
        "email, e-mail, email address, e-mail address, email_address, emailaddress, address",
        "mail, subscriber, subscriber email, эл. почта, почта, адрес, емейл",
        "эл. пошта, пошта, адрас",
    ),
    Column.EDITION: _names("edition, list, newsletter, выпуск, издание, выданне, спіс"),
    Column.LANGUAGE: _names("language, lang, locale, язык, мова"),
    Column.CONSENT: _names(
        # Mailchimp: CONFIRM_TIME before OPTIN_TIME. Ghost, Substack, listmonk: created_at.
        "confirm_time, optin_time, created_at, created, subscribed_at, subscription_created_at",
        "confirmed, confirmed_at, consent, consent date, consent_date, date, signup date",
        "signup_date, дата, дата подписки, дата падпіскі",
    ),
    Column.STATUS: _names(
        # listmonk has two: the subscriber's and the subscription's. Ghost: subscribed_to_emails,
        # deleted_at. Substack: active_subscription says who pays, and is not among them.
        "status, subscription_status, subscribed_to_emails, email_disabled, deleted_at",
        "unsubscribed_at, unsub_time, cleaned_time, member_status, state, subscribed",
        "статус, стан",
    ),
}
PREFERRED = ("confirm_time", "confirmed_at", "optin_time")
"""Of several dates the one nearest to a consent."""
GONE = _names(
    "unsubscribed, unsubscribe, cleaned, bounced, bounce, hard_bounce, complained, complaint",
    "spam, blocklisted, blacklisted, blocked, disabled, suppressed, deleted, removed, inactive",
    "archived, false, no, 0, off, unconfirmed, pending, non-subscribed, nonsubscribed",
    "transactional, отписан, отписался, адпісаны",
)
"""A status under which nobody is brought to the list."""
YES = _names("true, yes, 1, on")
TIMES_OF_GOING = _names("deleted_at, unsubscribed_at, unsub_time, cleaned_time")
"""Columns that are empty for who has not gone."""
SWITCHED_OFF = _names("email_disabled")
"""Columns whose yes means no."""


def recognise(header: list[str]) -> list[Column]:
    """What each column is; several may be a status, one of the others each."""
    names = [_plain(name) for name in header]
    found = [
        next((c for c, known in NAMES.items() if name in known), Column.DROPPED) for name in names
    ]
    for column in (Column.ADDRESS, Column.EDITION, Column.LANGUAGE, Column.CONSENT):
        places = [place for place, one in enumerate(found) if one is column]
        places.sort(key=lambda place: (_rank(names[place]), place))
        for place in places[1:]:
            found[place] = Column.DROPPED
    return found


def _rank(name: str) -> int:
    return PREFERRED.index(name) if name in PREFERRED else len(PREFERRED)


def _plain(name: str) -> str:
    return " ".join(name.strip().strip("\N{ZERO WIDTH NO-BREAK SPACE}'\"").lower().split())


def looks_like_an_address(text: str) -> bool:
    """Good enough to tell a line of data from a line of names."""
    return re.fullmatch(r"[^\s@]+@[^\s@]+\.[^\s@]+", text.strip().strip("'\"")) is not None


def says_gone(name: str, value: str) -> bool:
    """Whether a status column says of a line that nobody may be brought back by it."""
    name, value = _plain(name), value.strip().lower()
    if name in TIMES_OF_GOING:
        return bool(value) and value not in {"null", "none", "0", "false"}
    if name in SWITCHED_OFF:
        return value in YES
    return value in GONE


def parse_moment(text: str) -> dt.datetime | None:
    """A date or a time as exports write them; in UTC where none is named. None if unreadable."""
    text = text.strip()
    try:
        moment = parse_datetime(text) or _midnight(parse_date(text[:10]))
    except ValueError:
        return None
    if moment is None:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def _midnight(day: dt.date | None) -> dt.datetime | None:
    return dt.datetime.combine(day, dt.time()) if day else None
