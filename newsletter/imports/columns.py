"""Detects what a CSV's columns are, by their names. Pure.

The names are those of exports by Mailchimp, Substack, Ghost, listmonk and Buttondown, and what
people write by hand in English, Belarusian and Russian. Every other column is dropped unread.
"""

from __future__ import annotations

import datetime as dt
import re
from enum import StrEnum

from django.utils.dateparse import parse_date, parse_datetime


class Column(StrEnum):
    """The columns that an import uses."""

    ADDRESS = "address"
    EDITION = "edition"
    LANGUAGE = "language"
    CONSENT = "consent"
    STATUS = "status"
    SUBSCRIBED = "subscribed"
    ENDED = "ended"
    DROPPED = ""


REPEATABLE_COLUMNS = frozenset({Column.STATUS, Column.SUBSCRIBED, Column.ENDED})
"""Any of them can exclude a line; none overrides another."""


def _names(*lists: str) -> frozenset[str]:
    return frozenset(name.strip() for some in lists for name in some.split(","))


COLUMN_NAMES: dict[Column, frozenset[str]] = {
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
    # listmonk has two: the subscriber's and the subscription's. Substack's active_subscription
    # says who pays, and is not among them.
    Column.STATUS: _names(
        "status, subscription_status, email_status, member_status, state, статус, стан",
    ),
    Column.SUBSCRIBED: _names("subscribed_to_emails, subscribed, is_subscribed"),
    # Often the time of an unsubscribe; Mailchimp exports those, and cleaned addresses, separately.
    Column.ENDED: _names(
        "unsub_time, unsubscribed, unsubscribed_at, clean_time, cleaned, cleaned_at, cleaned_time",
        "deleted_at, email_disabled, disabled, bounced, bounced_at, complained, complained_at",
        "blocklisted, blacklisted, suppressed, removed_at",
    ),
}
PREFERRED_CONSENT_COLUMNS = ("confirm_time", "confirmed_at", "optin_time")
"""Of several dates the one closest to a consent, most preferred first."""
SUBSCRIBED_STATUSES = _names(
    "subscribed, enabled, active, confirmed, true, yes, 1, on, member, free, paid, comped",
    "trialing, ok, подписан, падпісаны",
)
"""Any other status excludes a line."""
TRUE_VALUES, FALSE_VALUES = _names("true, yes, 1, on"), _names("false, no, 0, off, null, none")
MAX_NAME_LENGTH = 40
PERSONAL_DATA = re.compile(r"@|\d{5}")
"""In a header: an address or a number, which is not stored."""


def detect_columns(header: list[str]) -> list[Column]:
    """What each column is; only REPEATABLE_COLUMNS may occur twice."""
    names = [_plain(name) for name in header]
    found = [
        next((c for c, known in COLUMN_NAMES.items() if name in known), Column.DROPPED)
        for name in names
    ]
    for column in set(Column) - REPEATABLE_COLUMNS - {Column.DROPPED}:
        places = [place for place, one in enumerate(found) if one is column]
        places.sort(key=lambda place: (_rank(names[place]), place))
        for place in places[1:]:
            found[place] = Column.DROPPED
    return found


def _rank(name: str) -> int:
    return (
        PREFERRED_CONSENT_COLUMNS.index(name)
        if name in PREFERRED_CONSENT_COLUMNS
        else len(PREFERRED_CONSENT_COLUMNS)
    )


def _plain(name: str) -> str:
    return " ".join(name.strip().strip("\N{ZERO WIDTH NO-BREAK SPACE}'\"").lower().split())


def looks_like_address(text: str) -> bool:
    """Good enough to tell a line of data from a header."""
    return re.fullmatch(r"[^\s@]+@[^\s@]+\.[^\s@]+", text.strip().strip("'\"")) is not None


def means_unsubscribed(column: Column, value: str) -> bool:
    """Whether the cell excludes its line."""
    value = value.strip().lower()
    match column:
        case Column.STATUS:
            return value not in SUBSCRIBED_STATUSES
        case Column.SUBSCRIBED:
            return value not in TRUE_VALUES
        case Column.ENDED:
            return bool(value) and value not in FALSE_VALUES
    return False


def storable_header(cells: list[str]) -> list[str]:
    """A header as it may be stored in clear: blank where it looks like personal data."""
    names = ["".join(filter(str.isprintable, cell)).strip() for cell in cells]
    if all(len(name) <= MAX_NAME_LENGTH and not PERSONAL_DATA.search(name) for name in names):
        return names
    return [""] * len(cells)


def parse_utc_datetime(text: str) -> dt.datetime | None:
    """A date or time as exports write them, in UTC, which is also the default. None if invalid."""
    text = text.strip()
    try:
        moment = parse_datetime(text) or _midnight(parse_date(text[:10]))
        if moment is None:
            return None
        return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return None


def _midnight(day: dt.date | None) -> dt.datetime | None:
    return dt.datetime.combine(day, dt.time()) if day else None
