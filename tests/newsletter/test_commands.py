"""A mailing's verbs on the command line, for an administrator without a browser."""

from __future__ import annotations

import io

import pytest
from django.core.management import CommandError, call_command

from newsletter.campaigns.lifecycle import launch
from tests.factories import MONDAY_MORNING, make_mailing

pytestmark = pytest.mark.django_db


def said(*words: str) -> str:
    out = io.StringIO()
    call_command("mailing", *words, stdout=out)
    return out.getvalue()


def test_the_list_says_why_a_mailing_is_paused_and_its_ledger() -> None:
    mailing = make_mailing(readers=2)
    launch(mailing, MONDAY_MORNING)
    mailing.pause("relay.example:25: 550 5.7.1")
    line = said("list")
    assert "Paused (relay.example:25: 550 5.7.1); audience 2, sent 0" in line
    assert said("report", str(mailing.pk)).startswith(line)
    assert "550" not in said("resume", str(mailing.pk))


def test_a_verb_that_the_state_does_not_allow_says_so() -> None:
    mailing = make_mailing(readers=0)
    with pytest.raises(CommandError, match=r"Scheduled.*cannot become .*Paused"):
        said("pause", str(mailing.pk))
    with pytest.raises(CommandError, match="Which mailing"):
        said("pause")
    with pytest.raises(CommandError, match="There is no mailing 999999"):
        said("pause", "999999")
