"""The demo's letter: the newest digest, approved and launched once in the demo's life."""

from __future__ import annotations

import datetime as dt
from typing import Any

from articles.models import Digest
from newsletter.campaigns import approval
from newsletter.campaigns import lifecycle as mailings
from newsletter.models import Mailing


def launch_once(by: Any, now: dt.datetime) -> bool:
    """Sends the newest digest, unless this demo has ever had a mailing; whoever plays with it
    afterwards decides alone what goes out."""
    digest = Digest.objects.order_by("-week").first()
    if digest is None or Mailing.objects.exists():
        return False
    for mailing in approval.approve(digest, by, now):
        mailings.launch(mailing, now)
    return True


def under_way() -> list[Mailing]:
    """What a worker has to finish, from this run or from one that was interrupted."""
    return list(Mailing.objects.sending())


def last_report() -> str:
    """The newest digest that was launched."""
    launched = Digest.objects.filter(mailings__launched_at__isnull=False)
    digest = launched.order_by("-week").first()
    return mailings.report(digest) if digest else "No digest has been sent yet."
