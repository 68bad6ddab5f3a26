"""System checks that look at rows: what an editor can get wrong in the admin.

Warnings, since an error would keep `migrate` from running.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import OperationalError, ProgrammingError

from core.http import is_public_name
from newsletter.models import Edition
from newsletter.privacy import retention
from newsletter.privacy.retention import PolicyBroken


@register(Tags.database)
def senders(databases: Any = None, **_kwargs: Any) -> Iterator[CheckMessage]:
    """Whether an answer finds its way, and whether other servers believe the sender."""
    if not settings.PRODUCTION or not databases:
        return
    for edition in _editions():
        addresses = [edition.sender_address, edition.discreet_sender_address]
        for address in filter(None, addresses):
            domain = address.rpartition("@")[2].lower()
            if not is_public_name(domain):
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
def kept_fields(**_kwargs: Any) -> Iterator[CheckMessage]:
    """Whether retention.yaml says of each field about a person why it is kept and how long."""
    try:
        for name in retention.missing():
            yield Error(
                f"{name} says something about a person, and nothing says how long it is kept.",
                hint="Give it a line in newsletter/privacy/retention.yaml.",
                id="newsletter.E001",
            )
    except PolicyBroken as error:
        yield Error(str(error), id="newsletter.E002")


def _editions() -> list[Edition]:
    """None before the first migration."""
    try:
        return list(Edition.objects.all())
    except (OperationalError, ProgrammingError):
        return []


def _aligned(domain: str) -> bool:
    """RFC 7489's relaxed alignment, as near as one gets without the list of public suffixes."""
    bounces = settings.BOUNCE_DOMAIN
    return bounces == domain or bounces.endswith(f".{domain}") or domain.endswith(f".{bounces}")
