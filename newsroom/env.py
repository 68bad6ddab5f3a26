"""Reads and validates environment variables.

Every error names the variable, its value and what is accepted. An empty variable counts as unset,
since a compose file cannot leave one out.
"""

import datetime as dt
import json
import os
import re
import zoneinfo
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from django.core.exceptions import ImproperlyConfigured

TRUE_VALUES = frozenset({"1", "true", "yes", "on"})
FALSE_VALUES = frozenset({"0", "false", "no", "off"})
DNS_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
DNS_NAME = re.compile(rf"{DNS_LABEL}(?:\.{DNS_LABEL})*", re.IGNORECASE)
# As Django's own check (security.W009).
MIN_SECRET_CHARACTERS, MIN_SECRET_DISTINCT_CHARACTERS = 50, 5
RENAMED_VARIABLES = {
    "journal_file": "DEPARTURES_FILE",
    "journal_days": "DEPARTURES_DAYS",
    "list_questions_per_day": "SUBSCRIBER_LOOKUPS_PER_DAY",
    "list_questions_per_day_total": "SUBSCRIBER_LOOKUPS_PER_DAY_TOTAL",
    "name_on_cards": "SITE_NAME_IN_PREVIEWS",
    "max_waiting_sign_ups": "MAX_PENDING_SIGN_UPS",
}
"""Former names, in lower case, and the variable that each is now."""


def reject_renamed_variables() -> None:
    """Raises ImproperlyConfigured where one is still set under its former name."""
    for former, name in RENAMED_VARIABLES.items():
        if string(former.upper()):
            raise ImproperlyConfigured(
                f"{former.upper()} is called {name} now. Set {name} instead."
            )


def string(name: str, default: str = "") -> str:
    """The variable's value without surrounding white space, or the default."""
    return os.environ.get(name, "").strip() or default


def required(name: str, description: str) -> str:
    """The value. Raises ImproperlyConfigured, with a description of it, if unset."""
    value = string(name)
    if not value:
        raise ImproperlyConfigured(f"{name} is not set. Set it to {description}.")
    return value


def boolean(name: str, default: bool) -> bool:
    """1 or 0; yes, true and on are accepted too."""
    value = string(name).lower()
    if not value:
        return default
    if value in TRUE_VALUES:
        return True
    if value in FALSE_VALUES:
        return False
    raise _invalid(name, value, "1 or 0")


def integer(name: str, default: int, *, minimum: int, maximum: int) -> int:
    """An integer within inclusive bounds."""
    value = string(name)
    if not value:
        return default
    try:
        number = int(value)
    except ValueError:
        number = minimum - 1
    if not minimum <= number <= maximum:
        raise _invalid(name, value, f"a whole number from {minimum} to {maximum}")
    return number


def integers_by_name(name: str, known: set[str], *, maximum: int) -> dict[str, int]:
    """Positive integers by name: `gmail=600 yahoo=300`."""
    found: dict[str, int] = {}
    for pair in string(name).replace(",", " ").split():
        word, _equals, value = pair.partition("=")
        if word not in known or word in found:
            raise ImproperlyConfigured(
                f"{name} names {word!r}. Name each once, out of: {', '.join(sorted(known))}."
            )
        if not re.fullmatch(r"[0-9]{1,9}", value) or not 1 <= int(value) <= maximum:
            raise ImproperlyConfigured(
                f"{name} says {pair!r}. Write it with a whole number from 1 to {maximum}, such as "
                f"{word}=600."
            )
        found[word] = int(value)
    return found


def string_list(name: str, default: list[str]) -> list[str]:
    """A comma-separated list."""
    value = string(name)
    return [word.strip() for word in value.split(",") if word.strip()] if value else default


def directory(name: str, default: Path) -> Path:
    """An absolute path, of a directory or of nothing yet."""
    chosen = _path(name) or default
    # Not pathlib, which raises for a path that is too long or not accessible.
    if os.path.exists(chosen) and not os.path.isdir(chosen):
        raise ImproperlyConfigured(f"{name} is {str(chosen)!r}, a file. Set it to a folder.")
    return chosen


def optional_directory(name: str, default: Path | None) -> Path | None:
    """As `directory`; None if unset and without default."""
    chosen = _path(name) or default
    return directory(name, chosen) if chosen else None


def file_path(name: str, default: Path) -> Path:
    """An absolute path, of a file or of nothing yet."""
    chosen = _path(name) or default
    if os.path.isdir(chosen):
        raise ImproperlyConfigured(
            f"{name} is {str(chosen)!r}, a folder. Set it to the path of a file."
        )
    return chosen


def optional_file_path(name: str, default: Path | None) -> Path | None:
    """As `file_path`; None for the value "none", or if unset and without default."""
    if string(name).lower() == "none" or not (chosen := _path(name) or default):
        return None
    return file_path(name, chosen)


def _path(name: str) -> Path | None:
    value = string(name)
    return Path(value).absolute() if value else None


def site_url(name: str, default: str) -> str:
    """Scheme and host, without a trailing slash."""
    value = string(name, default).rstrip("/")
    parts = _split_url(value)
    if not parts.hostname or parts.scheme not in {"https", "http"}:
        raise _invalid(name, value, "an address such as https://example.org")
    if parts.path or parts.query or parts.fragment or parts.username:
        raise ImproperlyConfigured(
            f"{name} is {value!r}. Give only scheme and host, such as https://example.org."
        )
    return value


def secret(name: str) -> str:
    """A long random text; errors do not quote it."""
    value = required(name, "a long random text and keep it")
    advice = "python -c 'import secrets; print(secrets.token_urlsafe(50))' prints a good one."
    if len(value) < MIN_SECRET_CHARACTERS or len(set(value)) < MIN_SECRET_DISTINCT_CHARACTERS:
        raise ImproperlyConfigured(
            f"{name} is too easy to guess. Set it to {MIN_SECRET_CHARACTERS} random characters or "
            f"more: {advice}"
        )
    if value.startswith("django-insecure-"):
        raise ImproperlyConfigured(f"{name} was made for a trial. Set it to a new one: {advice}")
    return value


def service_url(name: str, default: str, *, path: str, examples: tuple[str, ...]) -> str:
    """A URL with a scheme of the examples and a path that matches the pattern `path`.

    Errors do not quote it, since it may contain a password.
    """
    value = string(name, default)
    parts = _split_url(value)
    schemes = {urlsplit(example).scheme for example in examples}
    if parts.scheme not in schemes or not re.fullmatch(path, parts.path):
        raise ImproperlyConfigured(
            f"{name} is not an address of a kind that works here. Set it to one such as "
            f"{' or '.join(examples)}."
        )
    return value


def optional_date(name: str) -> dt.date | None:
    """An ISO 8601 date."""
    value = string(name)
    try:
        return dt.date.fromisoformat(value) if value else None
    except ValueError:
        raise _invalid(name, value, "a date such as 2027-01-31") from None


def contact_urls(name: str) -> list[str]:
    """mailto:, https: and tel: URLs (RFC 9116, 2.5.3)."""
    return _validate_each(
        name,
        string(name).split(),
        lambda one: re.fullmatch(r"(mailto:[^@\s]+@[^@\s]+|https://\S+|tel:\+?[0-9-]+)", one),
        "addresses with white space between, such as mailto:security@example.org "
        "https://example.org/contact",
    )


def time_zone(name: str, default: str) -> str:
    """A name of the IANA time zone database."""
    value = string(name, default)
    if value not in zoneinfo.available_timezones():
        raise _invalid(name, value, "a time zone such as Europe/Vilnius")
    return value


def domain_name(name: str, default: str) -> str:
    """A lower-case domain name; Punycode if it is not ASCII."""
    value = string(name, default).rstrip(".").lower()
    if not DNS_NAME.fullmatch(value) or len(value) > 253 or _is_ip(value):
        raise _invalid(name, value, "a domain alone, such as example.org")
    return value


def hosts(name: str, default: list[str]) -> list[str]:
    """As ALLOWED_HOSTS: `example.org`, `.example.org` with its subdomains, or `*`."""
    return _validate_each(
        name,
        string_list(name, default),
        lambda one: one == "*" or _is_host(one.removeprefix(".")),
        "names without scheme, port and path, such as example.org",
    )


def origins(name: str, default: list[str]) -> list[str]:
    """As CSRF_TRUSTED_ORIGINS: `https://example.org`, or `https://*.example.org`."""
    if not string(name):
        return default
    return _validate_each(
        name, string_list(name, default), _is_origin, "scheme and host, such as https://example.org"
    )


def mail_settings(name: str) -> dict[str, Any]:
    """Settings of a mail backend, as a JSON object. Errors do not quote its values."""
    example = 'Write a JSON object, such as {"ANYMAIL": {"MAILGUN_API_KEY": "…"}}.'
    try:
        found = json.loads(string(name) or "{}")
    except ValueError:
        raise ImproperlyConfigured(f"{name} is not JSON. {example}") from None
    if not isinstance(found, dict):
        raise ImproperlyConfigured(f"{name} is not an object. {example}")
    foreign = [key for key in found if not re.fullmatch(r"(EMAIL|ANYMAIL)(_[A-Z_]+)?", key)]
    if foreign:
        raise ImproperlyConfigured(
            f"{name} sets {foreign[0]!r}, which is no setting of mail: only names that begin with "
            f"EMAIL_ or ANYMAIL can be set there."
        )
    return found


def _invalid(name: str, value: str, expected: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"{name} is {value!r}. Set it to {expected}.")


def _validate_each(
    name: str, values: list[str], is_valid: Callable[[str], object], expected: str
) -> list[str]:
    """The list, if all of it is valid; set but without any value is an error."""
    if string(name) and not values:
        raise ImproperlyConfigured(f"{name} names nothing. Write {expected}.")
    for value in values:
        if not is_valid(value):
            raise ImproperlyConfigured(f"{name} names {value!r}. Write {expected}.")
    return values


def _split_url(value: str) -> SplitResult:
    """Empty if the URL is malformed."""
    try:
        parts = urlsplit(value)
        # Reading it validates the port.
        _port = parts.port
    except ValueError:
        return urlsplit("")
    return parts


def _is_origin(origin: str) -> bool:
    parts = _split_url(origin)
    return (
        bool(parts.hostname)
        and parts.scheme in {"http", "https"}
        and origin == f"{parts.scheme}://{parts.netloc}"
        and _is_host(str(parts.hostname).removeprefix("*."))
    )


def _is_host(host: str) -> bool:
    return bool(DNS_NAME.fullmatch(host)) or _is_ip(host.strip("[]"))


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
