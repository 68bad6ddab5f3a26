"""Reads settings from the environment and refuses nonsense.

Every helper names the variable, the value it was given and what it would take, so that
an administrator can mend the line without opening the code. A variable that is set but
empty counts as unset, because compose files cannot leave one out.
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

TRUE = frozenset({"1", "true", "yes", "on"})
FALSE = frozenset({"0", "false", "no", "off"})
LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
NAME = re.compile(rf"{LABEL}(?:\.{LABEL})*", re.IGNORECASE)
SECRET_LENGTH, SECRET_VARIETY = 50, 5
"""Fewest characters, and different ones, of a secret; Django's own check wants as many."""


def text(name: str, default: str = "") -> str:
    """The variable's value without surrounding white space, or the default."""
    return os.environ.get(name, "").strip() or default


def required(name: str, what: str) -> str:
    """The variable's value; refuses to go on without it. `what` says what it is for."""
    value = text(name)
    if not value:
        raise ImproperlyConfigured(f"{name} is not set. Set it to {what}.")
    return value


def flag(name: str, default: bool) -> bool:
    """A yes or a no."""
    value = text(name).lower()
    if not value:
        return default
    if value in TRUE:
        return True
    if value in FALSE:
        return False
    raise _wrong(name, value, "1 or 0")


def whole_number(name: str, default: int, *, least: int, most: int) -> int:
    """A whole number within bounds, both included."""
    value = text(name)
    if not value:
        return default
    try:
        number = int(value)
    except ValueError:
        number = least - 1
    if not least <= number <= most:
        raise _wrong(name, value, f"a whole number from {least} to {most}")
    return number


def numbers(name: str, known: set[str], *, most: int) -> dict[str, int]:
    """Whole numbers from 1 on, each for one of the known words: `gmail=600 yahoo=300`."""
    found: dict[str, int] = {}
    for pair in text(name).replace(",", " ").split():
        word, _equals, value = pair.partition("=")
        if word not in known or word in found:
            raise ImproperlyConfigured(
                f"{name} names {word!r}. Name each once, out of: {', '.join(sorted(known))}."
            )
        if not re.fullmatch(r"[0-9]{1,9}", value) or not 1 <= int(value) <= most:
            raise ImproperlyConfigured(
                f"{name} says {pair!r}. Write it with a whole number from 1 to {most}, such as "
                f"{word}=600."
            )
        found[word] = int(value)
    return found


def words(name: str, default: list[str]) -> list[str]:
    """A list, written with commas."""
    value = text(name)
    return [word.strip() for word in value.split(",") if word.strip()] if value else default


def folder(name: str, default: Path) -> Path:
    """A folder, there already or to be made, wherever the process was started."""
    chosen = _path(name) or default
    # os.path and not pathlib, which raises where a path is too long or not ours to look at.
    if os.path.exists(chosen) and not os.path.isdir(chosen):
        raise ImproperlyConfigured(f"{name} is {str(chosen)!r}, a file. Set it to a folder.")
    return chosen


def folder_or_none(name: str, default: Path | None) -> Path | None:
    """A folder, or none where there is no default."""
    chosen = _path(name) or default
    return folder(name, chosen) if chosen else None


def file(name: str, default: Path) -> Path:
    """A file, there already or to be made."""
    chosen = _path(name) or default
    if os.path.isdir(chosen):
        raise ImproperlyConfigured(
            f"{name} is {str(chosen)!r}, a folder. Set it to the path of a file."
        )
    return chosen


def file_or_none(name: str, default: Path | None) -> Path | None:
    """A file; the value "none" says on purpose that there is no such file here."""
    if text(name).lower() == "none" or not (chosen := _path(name) or default):
        return None
    return file(name, chosen)


def _path(name: str) -> Path | None:
    value = text(name)
    return Path(value).absolute() if value else None


def site_url(name: str, default: str) -> str:
    """Scheme and host of a site, with no slash at the end."""
    value = text(name, default).rstrip("/")
    parts = _parts(value)
    if not parts.hostname or parts.scheme not in {"https", "http"}:
        raise _wrong(name, value, "an address such as https://example.org")
    if parts.path or parts.query or parts.fragment or parts.username:
        raise ImproperlyConfigured(
            f"{name} is {value!r}. Give only scheme and host, such as https://example.org."
        )
    return value


def secret(name: str) -> str:
    """A long random text. It is never repeated in an error."""
    value = required(name, "a long random text and keep it")
    advice = "python -c 'import secrets; print(secrets.token_urlsafe(50))' prints a good one."
    if len(value) < SECRET_LENGTH or len(set(value)) < SECRET_VARIETY:
        raise ImproperlyConfigured(
            f"{name} is too easy to guess. Set it to {SECRET_LENGTH} random characters or more: "
            f"{advice}"
        )
    if value.startswith("django-insecure-"):
        raise ImproperlyConfigured(f"{name} was made for a trial. Set it to a new one: {advice}")
    return value


def service(name: str, default: str, *, path: str, examples: tuple[str, ...]) -> str:
    """The address of a service, with one of the examples' schemes and a path like `path`.

    Such an address may hold a password, so an error does not repeat it.
    """
    value = text(name, default)
    parts = _parts(value)
    schemes = {urlsplit(example).scheme for example in examples}
    if parts.scheme not in schemes or not re.fullmatch(path, parts.path):
        raise ImproperlyConfigured(
            f"{name} is not an address of a kind that works here. Set it to one such as "
            f"{' or '.join(examples)}."
        )
    return value


def date_or_none(name: str) -> dt.date | None:
    """A day, written as 2027-01-31."""
    value = text(name)
    try:
        return dt.date.fromisoformat(value) if value else None
    except ValueError:
        raise _wrong(name, value, "a date such as 2027-01-31") from None


def contacts(name: str) -> list[str]:
    """Ways to reach somebody, as addresses: a mailbox, a page or a telephone."""
    return _each(
        name,
        text(name).split(),
        lambda one: re.fullmatch(r"(mailto:[^@\s]+@[^@\s]+|https://\S+|tel:\+?[0-9-]+)", one),
        "addresses with white space between, such as mailto:security@example.org "
        "https://example.org/contact",
    )


def time_zone(name: str, default: str) -> str:
    """A name of the time zone database."""
    value = text(name, default)
    if value not in zoneinfo.available_timezones():
        raise _wrong(name, value, "a time zone such as Europe/Vilnius")
    return value


def domain(name: str, default: str) -> str:
    """A domain's name, in lower case. One that is not ASCII is written in Punycode."""
    value = text(name, default).rstrip(".").lower()
    if not NAME.fullmatch(value) or len(value) > 253 or _is_ip(value):
        raise _wrong(name, value, "a domain alone, such as example.org")
    return value


def hosts(name: str, default: list[str]) -> list[str]:
    """Names of hosts: `example.org`, `.example.org` with what is below it, or `*` for any."""
    return _each(
        name,
        words(name, default),
        lambda one: one == "*" or _is_host(one.removeprefix(".")),
        "names without scheme, port and path, such as example.org",
    )


def origins(name: str, default: list[str]) -> list[str]:
    """Schemes with hosts: `https://example.org`, or `https://*.example.org`."""
    if not text(name):
        return default
    return _each(
        name, words(name, default), _is_origin, "scheme and host, such as https://example.org"
    )


def mail_settings(name: str) -> dict[str, Any]:
    """Settings of a mail backend, as one JSON object; none without it.

    Raises ImproperlyConfigured without repeating a value, of which some are secret.
    """
    example = 'Write a JSON object, such as {"ANYMAIL": {"MAILGUN_API_KEY": "…"}}.'
    try:
        found = json.loads(text(name) or "{}")
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


def _wrong(name: str, value: str, wanted: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"{name} is {value!r}. Set it to {wanted}.")


def _each(name: str, found: list[str], fits: Callable[[str], object], wanted: str) -> list[str]:
    """The list, if each of it fits; a variable that is set and names nothing is a mistake."""
    if text(name) and not found:
        raise ImproperlyConfigured(f"{name} names nothing. Write {wanted}.")
    for one in found:
        if not fits(one):
            raise ImproperlyConfigured(f"{name} names {one!r}. Write {wanted}.")
    return found


def _parts(value: str) -> SplitResult:
    """Of an address; of nothing where it cannot be taken apart."""
    try:
        parts = urlsplit(value)
        # Reading the port is what makes urlsplit check it.
        _checked = parts.port
    except ValueError:
        return urlsplit("")
    return parts


def _is_origin(origin: str) -> bool:
    parts = _parts(origin)
    return (
        bool(parts.hostname)
        and parts.scheme in {"http", "https"}
        and origin == f"{parts.scheme}://{parts.netloc}"
        and _is_host(str(parts.hostname).removeprefix("*."))
    )


def _is_host(host: str) -> bool:
    return bool(NAME.fullmatch(host)) or _is_ip(host.strip("[]"))


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
