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
    SUBSCRIBED = "subscribed"
    ENDED = "ended"
    DROPPED = ""


MAY_BE_SEVERAL = frozenset({Column.STATUS, Column.SUBSCRIBED, Column.ENDED})
"""Each of them can keep a line out, and none brings it in against another."""


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
    # listmonk has two: the subscriber's and the subscription's. Substack's active_subscription
    # says who pays, and is not among them.
    Column.STATUS: _names(
        "status, subscription_status, email_status, member_status, state, статус, стан",
    ),
    Column.SUBSCRIBED: _names("subscribed_to_emails, subscribed, is_subscribed"),
    # Often the time when somebody left; Mailchimp has a file for those and one for dead addresses.
    Column.ENDED: _names(
        "unsub_time, unsubscribed, unsubscribed_at, clean_time, cleaned, cleaned_at, cleaned_time",
        "deleted_at, email_disabled, disabled, bounced, bounced_at, complained, complained_at",
        "blocklisted, blacklisted, suppressed, removed_at",
    ),
}
PREFERRED = ("confirm_time", "confirmed_at", "optin_time")
"""Of several dates the one nearest to a consent."""
HERE = _names(
    "subscribed, enabled, active, confirmed, true, yes, 1, on, member, free, paid, comped",
    "trialing, ok, подписан, падпісаны",
)
"""Only what is known to mean that somebody wants letters lets a line in."""
YES, NO = _names("true, yes, 1, on"), _names("false, no, 0, off, null, none")
LONGEST_NAME = 40
NO_NAME = re.compile(r"@|\d{5}")
"""What no column is called: it is somebody's address or number, and is not kept."""


def recognise(header: list[str]) -> list[Column]:
    """What each column is; of those that say who has gone there may be several."""
    names = [_plain(name) for name in header]
    found = [
        next((c for c, known in NAMES.items() if name in known), Column.DROPPED) for name in names
    ]
    for column in set(Column) - MAY_BE_SEVERAL - {Column.DROPPED}:
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


def says_gone(column: Column, value: str) -> bool:
    """Whether a cell says that nobody may be brought to the list by its line."""
    value = value.strip().lower()
    match column:
        case Column.STATUS:
            return value not in HERE
        case Column.SUBSCRIBED:
            return value not in YES
        case Column.ENDED:
            return bool(value) and value not in NO
    return False


def names_to_keep(cells: list[str]) -> list[str]:
    """A first line as it may be stored and shown, in clear: where it looks like anything else than
    names of columns, nothing stands for them."""
    names = ["".join(filter(str.isprintable, cell)).strip() for cell in cells]
    if all(len(name) <= LONGEST_NAME and not NO_NAME.search(name) for name in names):
        return names
    return [""] * len(cells)


def parse_moment(text: str) -> dt.datetime | None:
    """A date or a time as exports write them, in UTC; also where none is named. None if it is
    unreadable or no time that a calendar has."""
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
