"""The demo sends one digest in its life."""

from __future__ import annotations

import pytest

from articles.editorial.digest_builder import build_digest
from demo import week
from newsletter.campaigns import approval
from newsletter.campaigns import lifecycle as mailings
from newsletter.models import Mailing, MailingStatus
from tests.factories import MONDAY_MORNING, WEEK, make_article, make_edition, make_user

pytestmark = pytest.mark.django_db
NOW = MONDAY_MORNING


def test_the_newest_digest_is_sent_once_and_later_ones_are_not() -> None:
    make_edition()
    make_article(week=WEEK.previous())
    build_digest(WEEK.previous())
    assert week.launch_once(make_user(), NOW)
    [mailing] = week.sending_mailings()
    mailings.finish_if_done(mailing, NOW)
    assert week.last_report() == "Digest 9–15 November 2026 sent: EN 0, failed 0"

    make_article()
    approval.approve(build_digest(WEEK), make_user(), NOW)
    assert not week.launch_once(make_user(), NOW)
    assert week.sending_mailings() == []
    assert Mailing.objects.filter(status=MailingStatus.SCHEDULED).count() == 1
    assert week.last_report().startswith("Digest 9–15 November 2026 sent")


def test_an_interrupted_sending_is_taken_up_again() -> None:
    make_edition()
    make_article()
    build_digest(WEEK)
    week.launch_once(make_user(), NOW)
    assert not week.launch_once(make_user(), NOW)
    assert len(week.sending_mailings()) == 1
