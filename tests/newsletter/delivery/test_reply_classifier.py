"""What a relay's answer means."""

import pytest

from newsletter.delivery.reply_classifier import Outcome, Reply, classify


@pytest.mark.parametrize(
    ("code", "text", "about_recipient", "outcome"),
    [
        (250, b"2.1.5 OK", True, Outcome.SENT),
        (354, b"go on", False, Outcome.SENT),
        (450, b"4.2.0 greylisted", True, Outcome.LATER),
        (452, b"too many", True, Outcome.LATER),
        (550, b"5.1.1 unknown", True, Outcome.GONE),
        (553, b"5.1.3 syntax", True, Outcome.GONE),
        (550, b"no such user", True, Outcome.GONE),
        (552, b"5.2.2 full", True, Outcome.LATER),
        (550, b"5.7.1 relaying denied", True, Outcome.REFUSED),
        (554, b"blocked", True, Outcome.REFUSED),
        (550, b"5.1.1 looks like a reader's fault", False, Outcome.REFUSED),
        (535, b"5.7.8 bad credentials", False, Outcome.REFUSED),
        (552, b"5.3.4 too big", False, Outcome.REFUSED),
        (550, b"4.7.0 a 5xx that says later", True, Outcome.LATER),
    ],
)
def test_classify(code: int, text: bytes, about_recipient: bool, outcome: Outcome) -> None:
    assert classify(Reply.parse(code, text), about_recipient=about_recipient) is outcome


def test_only_the_codes_of_an_answer_are_kept() -> None:
    reply = Reply.parse(550, b"5.1.1 <somebody@example.org>: unknown")
    assert reply == Reply(550, "5.1.1")
