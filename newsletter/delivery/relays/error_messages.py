"""Messages for staff: why a relay cannot be used.

They contain reply codes and names of errors, but no text of a relay, which may quote an address.
"""

from __future__ import annotations

import errno
import os
import smtplib
import socket
import ssl

from newsletter.delivery.reply_classifier import Reply

CONNECTION_CLOSED = "closes the connection"
NOT_SMTP = "answers something that is not SMTP"
REPLY_TOO_LONG = "gives an answer that does not end"
UNSOLICITED_REPLY = "answers without having been asked"
NO_STARTTLS = "does not offer STARTTLS, which RELAY_URL demands"
NO_AUTH_MECHANISM = "offers no way to log in that is known here"
CREDENTIALS_NOT_ASCII = "cannot be logged in to: user and password of RELAY_URL must be ASCII"

UNTRUSTED = "its certificate is signed by nobody who is trusted here"
CERTIFICATE_ERRORS = {
    9: "its certificate is not valid yet",
    10: "its certificate has expired",
    18: "its certificate is self-signed",
    19: UNTRUSTED,
    20: UNTRUSTED,
    21: UNTRUSTED,
    62: "its certificate is for another host",
    64: "its certificate is for another address",
}
"""By verify code, X509_V_ERR_… in OpenSSL's x509_vfy.h, which Python does not name."""

ERROR_MESSAGES: dict[type[BaseException], str] = {
    ConnectionRefusedError: "cannot be reached: connection refused",
    ConnectionError: CONNECTION_CLOSED,
    smtplib.SMTPServerDisconnected: CONNECTION_CLOSED,
    ssl.SSLEOFError: CONNECTION_CLOSED,
    ssl.SSLZeroReturnError: CONNECTION_CLOSED,
    ValueError: CONNECTION_CLOSED,
    socket.gaierror: "its name cannot be resolved",
}
"""By the nearest class. Under TLS a closed socket raises ValueError."""

COMMANDS = {
    smtplib.SMTPConnectError: "the connection",
    smtplib.SMTPHeloError: "the greeting",
    smtplib.SMTPAuthenticationError: "the log-in",
    smtplib.SMTPResponseException: "STARTTLS",
}
"""What failed, by smtplib's exception."""

TOO_BIG = "finds the letter too big"
REFUSALS = {
    "5.1.7": "refuses the sender's address",
    "5.1.8": "refuses the sender's address",
    "5.2.3": TOO_BIG,
    "5.3.4": TOO_BIG,
    "5.6": "refuses what is in the letter",
    "5.7": "refuses the newsroom or the letter by its rules",
    "530": "demands a log-in or encryption",
    "552": TOO_BIG,
}
"""By enhanced code, by its class and subject (RFC 3463, 3), or by reply code."""


def describe(error: BaseException, seconds: float) -> str:
    """A message for an exception; the relay had so many seconds to reply."""
    if isinstance(error, smtplib.SMTPServerDisconnected) and isinstance(error.__context__, OSError):
        # smtplib raises it for any error on the socket.
        error = error.__context__
    if isinstance(error, TimeoutError):
        return no_reply_within(seconds)
    if isinstance(error, smtplib.SMTPResponseException):
        return rejected_before_mail(error, reply_of(error))
    if isinstance(error, ssl.SSLCertVerificationError):
        return _certificate(error)
    for known in type(error).__mro__:
        if known in ERROR_MESSAGES:
            return ERROR_MESSAGES[known]
    if isinstance(error, ssl.SSLError):
        return f"fails at TLS ({_words(getattr(error, 'reason', None))})"
    if isinstance(error, OSError) and (error.errno or 0) in errno.errorcode:
        return f"cannot be reached: {os.strerror(error.errno or 0).lower()}"
    return type(error).__name__


def no_reply_within(seconds: float) -> str:
    """The relay timed out."""
    return f"does not answer within {seconds:g} s"


def unexpected_reply(reply: Reply) -> str:
    """A reply that is not valid for the command."""
    return f"answers out of step ({reply})"


def closing(reply: Reply) -> str:
    """The relay announced that it closes the connection (421)."""
    return f"{CONNECTION_CLOSED} ({reply})"


def reply_of(error: smtplib.SMTPResponseException) -> Reply:
    """The reply in an exception of smtplib."""
    text = error.smtp_error if isinstance(error.smtp_error, bytes) else b""
    return Reply.parse(error.smtp_code, text)


def rejected_before_mail(error: smtplib.SMTPResponseException, reply: Reply) -> str:
    """A refusal during the handshake."""
    if not 200 <= reply.code < 600:
        return NOT_SMTP
    if reply.is_positive:
        return unexpected_reply(reply)
    asked = COMMANDS.get(type(error), "the log-in")
    return f"refuses {asked} ({reply})" if reply.code >= 500 else f"puts off {asked} ({reply})"


def refusal(reply: Reply) -> str:
    """A refusal of the sender or of the letter."""
    subject = reply.enhanced.rpartition(".")[0]
    keys = (reply.enhanced, subject) if reply.enhanced else (str(reply.code),)
    found = [REFUSALS[key] for key in keys if key in REFUSALS]
    return f"{[*found, 'refuses the newsroom or the letter'][0]} ({reply})"


def _certificate(error: ssl.SSLCertVerificationError) -> str:
    other = f"its certificate is not valid ({_words(error.verify_message)})"
    return CERTIFICATE_ERRORS.get(error.verify_code, other)


def _words(reason: str | None) -> str:
    return (reason or "no reason given").replace("_", " ").lower()
