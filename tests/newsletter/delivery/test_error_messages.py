"""What whoever has to mend a relay reads."""

from __future__ import annotations

import errno
import smtplib
import socket
import ssl

import pytest

from newsletter.delivery.relays import error_messages
from newsletter.delivery.reply_classifier import Reply


def verification(code: int, message: str = "") -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError()
    error.verify_code, error.verify_message = code, message
    return error


def disconnected_by(error: OSError) -> smtplib.SMTPServerDisconnected:
    """As smtplib hides what has ended a connection."""
    disconnected = smtplib.SMTPServerDisconnected("Connection unexpectedly closed")
    disconnected.__context__ = error
    return disconnected


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (TimeoutError(), "does not answer within 30 s"),
        (ConnectionRefusedError(), "cannot be reached: connection refused"),
        (ConnectionResetError(), "closes the connection"),
        (BrokenPipeError(), "closes the connection"),
        (OSError(errno.ENETUNREACH, ""), "cannot be reached: network is unreachable"),
        (socket.gaierror(), "its name cannot be resolved"),
        (ssl.SSLEOFError(), "closes the connection"),
        (ssl.SSLError(), "fails at TLS (no reason given)"),
        (verification(10), "its certificate has expired"),
        (
            verification(23, "certificate revoked"),
            "its certificate is not valid (certificate revoked)",
        ),
        (smtplib.SMTPServerDisconnected(), "closes the connection"),
        (disconnected_by(TimeoutError()), "does not answer within 30 s"),
        (KeyError("reader@example.org"), "KeyError"),
        (OSError("reader@example.org"), "OSError"),
    ],
)
def test_an_error_is_named_in_words_and_without_what_it_quotes(
    error: Exception, cause: str
) -> None:
    assert error_messages.describe(error, 30) == cause


@pytest.mark.parametrize(
    ("reply", "cause"),
    [
        (Reply(554, "5.7.1"), "refuses the newsroom or the letter by its rules (554 5.7.1)"),
        (Reply(552, "5.3.4"), "finds the letter too big (552 5.3.4)"),
        (Reply(552, "5.7.0"), "refuses the newsroom or the letter by its rules (552 5.7.0)"),
        (Reply(552), "finds the letter too big (552)"),
        (Reply(554, "5.6.0"), "refuses what is in the letter (554 5.6.0)"),
        (Reply(553, "5.1.8"), "refuses the sender's address (553 5.1.8)"),
        (Reply(530), "demands a log-in or encryption (530)"),
        (Reply(554), "refuses the newsroom or the letter (554)"),
    ],
)
def test_a_refusal_is_named_by_its_codes(reply: Reply, cause: str) -> None:
    assert error_messages.refusal(reply) == cause
