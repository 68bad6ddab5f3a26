"""Sends the demo's newest digest once."""

from __future__ import annotations

import datetime as dt
from typing import Any

from articles.models import Digest
from newsletter.campaigns import approval, lifecycle
from newsletter.models import Mailing


def launch_once(by: Any, now: dt.datetime) -> bool:
    """Sends the newest digest, unless there has ever been a mailing."""
    digest = Digest.objects.order_by("-week").first()
    if digest is None or Mailing.objects.exists():
        return False
    for mailing in approval.approve(digest, by, now):
        lifecycle.launch(mailing, now)
    return True


def sending_mailings() -> list[Mailing]:
    """Mailings in progress, from this run or an interrupted one."""
    return list(Mailing.objects.sending())


def last_report() -> str:
    """The report of the newest digest that was launched."""
    launched = Digest.objects.filter(mailings__launched_at__isnull=False)
    digest = launched.order_by("-week").first()
    return lifecycle.summary_line(digest) if digest else "No digest has been sent yet."
