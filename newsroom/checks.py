"""System checks of the configuration; docs/administration.md lists their ids."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from babel import UnknownLocaleError
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning

from core import languages
from core.http import is_local_network, is_public_hostname
from keys import core_dumps, sealing
from keys.sealing import KeyNotFound

SOURCE_LANGUAGE = "en"
MANIFEST = "staticfiles.json"
ONE_PROCESS_CACHES = ("locmem", "dummy")


def site_address(**_kwargs: Any) -> Iterator[CheckMessage]:
    """SITE_URL is public, encrypted and allowed."""
    if not settings.PRODUCTION:
        return
    parts = urlsplit(settings.SITE_URL)
    host = parts.hostname or ""
    # An onion service is encrypted without TLS.
    if parts.scheme != "https" and not host.endswith(".onion"):
        yield Error(
            f"SITE_URL is {settings.SITE_URL}: the network sees who reads what.",
            hint="Put a proxy with a certificate before the site and write https://.",
            id="newsroom.E001",
        )
    if not is_public_hostname(host):
        yield Error(
            f"SITE_URL is {settings.SITE_URL}, which is not reachable from the internet.",
            hint="Set it to the site's public name, such as https://example.org.",
            id="newsroom.E002",
        )
    if not any(_host_matches(host, allowed) for allowed in settings.ALLOWED_HOSTS):
        yield Error(
            f"ALLOWED_HOSTS does not name {host}, so the site would refuse its own visitors.",
            hint="Add the name, or leave ALLOWED_HOSTS unset: public pages trust no Host header.",
            id="newsroom.E003",
        )


def security_contact(**_kwargs: Any) -> Iterator[CheckMessage]:
    """SECURITY_CONTACT, for /.well-known/security.txt (RFC 9116)."""
    if settings.PRODUCTION and not settings.SECURITY_CONTACT:
        yield Warning(
            "Whoever finds a flaw in the site is not told whom to write to.",
            hint="Set SECURITY_CONTACT and SECURITY_EXPIRES.",
            id="newsroom.W001",
        )


def core_dumps_disabled(**_kwargs: Any) -> Iterator[CheckMessage]:
    """Web and worker have addresses in memory."""
    if settings.PRODUCTION and not core_dumps.are_disabled():
        yield Warning(
            "A process that breaks may leave its memory on the disk, and addresses in it.",
            hint="Allow the system call prctl, and set LimitCORE=0 or ulimits: {core: 0}.",
            id="newsroom.W002",
        )


def admin_hosts(**_kwargs: Any) -> Iterator[CheckMessage]:
    """ADMIN_HOSTS is narrow and allowed."""
    if not settings.PRODUCTION:
        return
    if "*" in settings.ADMIN_HOSTS:
        yield Error(
            "ADMIN_HOSTS is *, so every mirror shows the way into the admin.",
            hint="Name one host that staff use, or leave it unset: it is SITE_URL's then.",
            id="newsroom.E004",
        )
        return
    for host in settings.ADMIN_HOSTS:
        if not any(_host_matches(host.lstrip("."), one) for one in settings.ALLOWED_HOSTS):
            yield Error(
                f"ALLOWED_HOSTS does not name {host}, so the admin answers nowhere.",
                hint="Add the name to ALLOWED_HOSTS, or leave that unset.",
                id="newsroom.E005",
            )


def _host_matches(host: str, allowed: str) -> bool:
    below = allowed.startswith(".") and host.endswith(allowed.lower())
    return allowed in {"*", host} or below or allowed.lower() == f".{host}"


def mail_settings(**_kwargs: Any) -> Iterator[CheckMessage]:
    """The return path and the encryption of relays and mailbox."""
    if not settings.PRODUCTION:
        return
    if not is_public_hostname(settings.BOUNCE_DOMAIN):
        yield Error(
            f"BOUNCE_DOMAIN is {settings.BOUNCE_DOMAIN}: no bounce finds its way back, and many "
            "servers refuse such a sender.",
            hint="Set it to a domain of yours with an MX record, such as bounces.example.org.",
            id="newsroom.E010",
        )
    for relay in settings.RELAYS:
        if relay.scheme == "smtp" and not is_local_network(relay.host):
            yield Error(
                f"Subscribers' addresses would go to {relay} unencrypted.",
                hint="Write RELAY_URL with smtp+starttls:// or smtps://.",
                id="newsroom.E011",
            )
    mailbox = settings.BOUNCE_MAILBOX
    if mailbox is not None and not mailbox.is_encrypted and not is_local_network(mailbox.host):
        yield Error(
            f"Bounces, which quote subscribers' addresses, would come from {mailbox} unencrypted.",
            hint="Write BOUNCE_IMAP_URL with imaps://.",
            id="newsroom.E012",
        )


def keys(**_kwargs: Any) -> Iterator[CheckMessage]:
    """Content and permissions of the key files."""
    worker = settings.WORKER_KEY_FILE
    if worker is not None:
        yield from _key_file("worker's key", worker, sealing.worker_keys, 0o077, "600")
    elif settings.PRODUCTION:
        for path in sealing.readable_worker_keys():
            yield Error(
                f"This process can read the worker's key at {path} although it is no worker.",
                hint="Give the worker a user and a folder of its own: docs/installing.md.",
                id="newsroom.E024",
            )
    yield from _key_file("links key", settings.LINKS_KEY_FILE, sealing.links_key, 0o027, "640")
    yield from _key_file("intake key", settings.INTAKE_KEY_FILE, sealing.intake_key, 0o022, "644")
    if worker is not None and not _intake_key_matches():
        yield Error(
            f"{settings.INTAKE_KEY_FILE} does not belong to {worker}: no sign-up could be opened.",
            hint="Put back the pair from the same backup.",
            id="newsroom.E023",
        )


def _key_file(name: str, path: Path, load: Any, forbidden: int, mode: str) -> Iterator[Error]:
    if not os.path.exists(path):
        # Elsewhere `make run` creates them.
        if settings.PRODUCTION:
            yield Error(
                f"The {name} is not at {path}, or this user cannot look there.",
                hint="Make the keys with `manage.py make_keys`, or put back their backup.",
                id="newsroom.E020",
            )
        return
    if stat.S_IMODE(path.stat().st_mode) & forbidden:
        yield Error(
            f"The {name} at {path} can be read or changed by others on this machine.",
            hint=f"chmod {mode} {path}",
            id="newsroom.E021",
        )
    try:
        load()
    except KeyNotFound as error:
        yield Error(str(error), hint="A key is one line that make_keys wrote.", id="newsroom.E022")


def _intake_key_matches() -> bool:
    """True as well if one of them cannot be read, which is another error."""
    try:
        return sealing.intake_key_matches(sealing.worker_keys())
    except KeyNotFound:
        return True


def language_settings(**_kwargs: Any) -> Iterator[CheckMessage]:
    """Each language has formats and a catalogue."""
    codes = languages.codes()
    for code in codes:
        try:
            languages.locale(code)
        except (UnknownLocaleError, ValueError):
            yield Error(
                f"LANGUAGES has {code!r}, for which Babel knows no formats.",
                hint="Write a code that CLDR has, or name a locale for it in FORMAT_LOCALES.",
                id="newsroom.E030",
            )
        if code != SOURCE_LANGUAGE and not _has_catalogue(code):
            yield Error(
                f"There is no compiled catalogue of {code!r}: its pages would be in English.",
                hint=f"`make messages`, translate locale/{code}, and `make lint` compiles it.",
                id="newsroom.E033",
            )
    if settings.LANGUAGE_CODE not in codes:
        yield Error(
            f"LANGUAGE_CODE is {settings.LANGUAGE_CODE!r}, which is not in LANGUAGES.",
            hint=f"Set it to one of: {', '.join(codes)}.",
            id="newsroom.E031",
        )
    for code, nearest in settings.NEAREST_LANGUAGES.items():
        for unknown in sorted({code, *nearest} - set(codes)):
            yield Error(
                f"NEAREST_LANGUAGES names {unknown!r}, which is not in LANGUAGES.",
                hint=f"Use only: {', '.join(codes)}.",
                id="newsroom.E032",
            )


def _has_catalogue(code: str) -> bool:
    compiled = Path(code.replace("-", "_"), "LC_MESSAGES", "django.mo")
    return any((Path(folder) / compiled).exists() for folder in settings.LOCALE_PATHS)


def services(**_kwargs: Any) -> Iterator[CheckMessage]:
    """Development defaults that are wrong for a server."""
    if not settings.PRODUCTION:
        return
    if settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"):
        yield Error(
            "The database is SQLite: web and worker would wait for each other.",
            hint="Set DATABASE_URL to a PostgreSQL, such as postgres://user:password@host/name.",
            id="newsroom.E040",
        )
    if settings.CELERY_BROKER_URL.startswith("filesystem:"):
        yield Error(
            "The broker is a folder of files, whose tasks a killed worker loses.",
            hint="Set BROKER_URL to a Redis, such as redis://host:6379/0.",
            id="newsroom.E041",
        )
    if not settings.STATIC_ROOT or not os.path.exists(settings.STATIC_ROOT / MANIFEST):
        yield Error(
            f"The site's style sheets are not collected in {settings.STATIC_ROOT}.",
            hint="Run `manage.py collectstatic --no-input` before you start the site.",
            id="newsroom.E043",
        )
    if any(kind in settings.CACHES["default"]["BACKEND"] for kind in ONE_PROCESS_CACHES):
        yield Error(
            "Each process has a cache of its own, so limits and withdrawals reach one of them.",
            hint="Set BROKER_URL to a Redis: the cache is there too.",
            id="newsroom.E042",
        )


ALL_CHECKS = (
    site_address,
    security_contact,
    core_dumps_disabled,
    admin_hosts,
    mail_settings,
    keys,
    language_settings,
    services,
)
