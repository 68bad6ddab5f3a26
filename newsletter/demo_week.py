"""The demo's letter: the newest digest, approved and launched once."""

from __future__ import annotations

import datetime as dt
from typing import Any

from articles.models import Digest
from newsletter import mailing as mailings
from newsletter.models import Mailing
from newsletter.models.mailings import ENDED, NOT_BEGUN


def newest_digest() -> Digest | None:
    """The one that the demo is about."""
    return Digest.objects.order_by("-week").first()


def launch(digest: Digest, by: Any, now: dt.datetime) -> list[Mailing]:
    """Approves and launches what has not been yet; nothing goes twice."""
    if not digest.is_approved:
        mailings.approve(digest, by, now)
    waiting = list(digest.mailings.filter(status__in=NOT_BEGUN).select_related("edition"))
    for mailing in waiting:
        mailings.launch(mailing, now)
    return waiting


def is_over(digest: Digest) -> bool:
    """Whether every mailing of the digest has ended."""
    return not digest.mailings.exclude(status__in=ENDED).exists()
