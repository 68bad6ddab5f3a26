"""System checks of the editions' senders and of the retention policy.

Checks of rows only warn: an error would keep `migrate` from running.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import OperationalError, ProgrammingError

from core.http import is_public_hostname
from newsletter.models import Edition
from newsletter.privacy import retention
from newsletter.privacy.retention import InvalidRetentionPolicy


@register(Tags.database)
def check_senders(databases: Any = None, **_kwargs: Any) -> Iterator[CheckMessage]:
    """Whether replies reach the sender, and whether it passes DMARC."""
    if not settings.PRODUCTION or not databases:
        return
    for edition in _editions():
        addresses = [edition.sender_address, edition.discreet_sender_address]
        for address in filter(None, addresses):
            domain = address.rpartition("@")[2].lower()
            if not is_public_hostname(domain):
                yield Warning(
                    f"The edition {edition} is sent by {address}, which no answer reaches.",
                    hint="Give the edition a sender at a domain of yours, in the admin.",
                    obj=edition,
                    id="newsletter.W001",
                )
            elif address == edition.sender_address and not _aligned(domain):
                yield Warning(
                    f"The edition {edition} is sent by {address}, but bounces go to "
                    f"{settings.BOUNCE_DOMAIN}: by SPF alone, DMARC takes it for a forgery.",
                    hint="Let BOUNCE_DOMAIN be the sender's domain or one below it.",
                    obj=edition,
                    id="newsletter.W002",
                )


@register
def check_retention_policy(**_kwargs: Any) -> Iterator[CheckMessage]:
    """Whether retention.yaml names every field about a person."""
    try:
        for name in retention.fields_without_policy():
            yield Error(
                f"{name} says something about a person, and nothing says how long it is kept.",
                hint="Give it a line in newsletter/privacy/retention.yaml.",
                id="newsletter.E001",
            )
    except InvalidRetentionPolicy as error:
        yield Error(str(error), id="newsletter.E002")


def _editions() -> list[Edition]:
    """Empty before the first migration."""
    try:
        return list(Edition.objects.all())
    except (OperationalError, ProgrammingError):
        return []


def _aligned(domain: str) -> bool:
    """Relaxed alignment (RFC 7489, section 3.1.2), without the public suffix list."""
    bounce = settings.BOUNCE_DOMAIN
    return bounce == domain or bounce.endswith(f".{domain}") or domain.endswith(f".{bounce}")
