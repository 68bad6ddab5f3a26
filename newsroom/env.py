"""Reads settings from the environment and refuses nonsense.

Every helper names the variable, the value it was given and what it would take, so that
an administrator can mend the line without opening the code. A variable that is set but
empty counts as unset, because compose files cannot leave one out.
"""

import os
from pathlib import Path
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

TRUE = frozenset({"1", "true", "yes", "on"})
FALSE = frozenset({"0", "false", "no", "off"})


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
    raise ImproperlyConfigured(f"{name} is {value!r}. Set it to 1 or 0.")


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
        raise ImproperlyConfigured(
            f"{name} is {value!r}. Set it to a whole number from {least} to {most}."
        )
    return number


def words(name: str, default: list[str]) -> list[str]:
    """A list, written with commas."""
    value = text(name)
    return [word.strip() for word in value.split(",") if word.strip()] if value else default


def path(name: str, default: Path) -> Path:
    """A path, made absolute, so that it does not depend on where a process was started."""
    value = text(name)
    return Path(value).absolute() if value else default


def path_or_none(name: str, default: Path | None) -> Path | None:
    """A path; the value "none" says on purpose that there is no such file here."""
    value = text(name)
    if value.lower() == "none":
        return None
    return Path(value).absolute() if value else default


def url(name: str, default: str, *, schemes: tuple[str, ...], bare: bool = False) -> str:
    """An absolute address with one of these schemes and no slash at its end.

    A `bare` one is a scheme and a host only: a site's address has no path, query or user.
    """
    value = text(name, default).rstrip("/")
    example = f"{schemes[0]}://example.org"
    try:
        parts = urlsplit(value)
        # Reading the port is what makes urlsplit check it.
        whole = bool(parts.hostname) and parts.port is not False
    except ValueError:
        whole = False
        parts = urlsplit("")
    if not whole or parts.scheme not in schemes:
        raise ImproperlyConfigured(f"{name} is {value!r}. Set it to an address such as {example}.")
    if bare and (parts.path or parts.query or parts.fragment or parts.username):
        raise ImproperlyConfigured(
            f"{name} is {value!r}. Give only scheme and host, such as {example}."
        )
    return value


def choice(name: str, default: str, choices: tuple[str, ...]) -> str:
    """One of a few words."""
    value = text(name, default)
    if value not in choices:
        raise ImproperlyConfigured(f"{name} is {value!r}. Set it to one of: {', '.join(choices)}.")
    return value
