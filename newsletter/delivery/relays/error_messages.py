"""Why a relay cannot be used, in words for whoever has to mend it.

This is the one place that words them. Nothing that a relay wrote is in them, for it may quote a
reader's address: only its codes, the names of errors, and what this machine says of them.
"""

from __future__ import annotations

import errno
import os
import smtplib
import socket
import ssl

from newsletter.delivery.reply_classifier import Reply

CLOSED = "closes the connection"
NO_SMTP = "answers something that is not SMTP"
ENDLESS = "gives an answer that does not end"
UNASKED = "answers without having been asked"
NO_STARTTLS = "does not offer STARTTLS, which RELAY_URL demands"
NO_LOG_IN = "offers no way to log in that is known here"
NOT_ASCII = "cannot be logged in to: user and password of RELAY_URL must be ASCII"

UNTRUSTED = "its certificate is signed by nobody who is trusted here"
CERTIFICATES = {
    9: "its certificate is not valid yet",
    10: "its certificate has expired",
    18: "its certificate is self-signed",
    19: UNTRUSTED,
    20: UNTRUSTED,
    21: UNTRUSTED,
    62: "its certificate is for another host",
    64: "its certificate is for another address",
}
"""By OpenSSL's numbers, X509_V_ERR_… in x509_vfy.h, which Python does not name."""

ERRORS: dict[type[BaseException], str] = {
    ConnectionRefusedError: "cannot be reached: connection refused",
    ConnectionError: CLOSED,
    smtplib.SMTPServerDisconnected: CLOSED,
    ssl.SSLEOFError: CLOSED,
    ssl.SSLZeroReturnError: CLOSED,
    ValueError: CLOSED,
    socket.gaierror: "its name cannot be resolved",
}
"""By class, the nearest one; a socket that is closed already raises ValueError under TLS."""

ASKED = {
    smtplib.SMTPConnectError: "the connection",
    smtplib.SMTPHeloError: "the greeting",
    smtplib.SMTPAuthenticationError: "the log-in",
    smtplib.SMTPResponseException: "STARTTLS",
}
"""What was asked for when smtplib raises these."""

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
"""By enhanced code, by its subject (RFC 3463, 3), or by the code where there is no other."""


def of(error: BaseException, seconds: float) -> str:
    """What an error means, of a relay that had so many seconds to answer."""
    if isinstance(error, smtplib.SMTPServerDisconnected) and isinstance(error.__context__, OSError):
        # So smtplib calls whatever ends a connection.
        error = error.__context__
    if isinstance(error, TimeoutError):
        return silent(seconds)
    if isinstance(error, smtplib.SMTPResponseException):
        return turned_away(error, reply_of(error))
    if isinstance(error, ssl.SSLCertVerificationError):
        return _certificate(error)
    for known in type(error).__mro__:
        if known in ERRORS:
            return ERRORS[known]
    if isinstance(error, ssl.SSLError):
        return f"fails at TLS ({_words(getattr(error, 'reason', None))})"
    if isinstance(error, OSError) and (error.errno or 0) in errno.errorcode:
        return f"cannot be reached: {os.strerror(error.errno or 0).lower()}"
    return type(error).__name__


def silent(seconds: float) -> str:
    """It has had its time."""
    return f"does not answer within {seconds:g} s"


def out_of_step(reply: Reply) -> str:
    """It says something that its client cannot have asked for."""
    return f"answers out of step ({reply})"


def closing(reply: Reply) -> str:
    """It says itself that it goes away."""
    return f"{CLOSED} ({reply})"


def reply_of(error: smtplib.SMTPResponseException) -> Reply:
    """The answer that smtplib raised."""
    text = error.smtp_error if isinstance(error.smtp_error, bytes) else b""
    return Reply.parse(error.smtp_code, text)


def turned_away(error: smtplib.SMTPResponseException, reply: Reply) -> str:
    """What was said before the first letter, in the place of a welcome."""
    if not 200 <= reply.code < 600:
        return NO_SMTP
    if reply.is_positive:
        return out_of_step(reply)
    asked = ASKED.get(type(error), "the log-in")
    return f"refuses {asked} ({reply})" if reply.code >= 500 else f"puts off {asked} ({reply})"


def refusal(reply: Reply) -> str:
    """It refuses us, or what we send to everybody."""
    subject = reply.enhanced.rpartition(".")[0]
    keys = (reply.enhanced, subject) if reply.enhanced else (str(reply.code),)
    found = [REFUSALS[key] for key in keys if key in REFUSALS]
    return f"{[*found, 'refuses the newsroom or the letter'][0]} ({reply})"


def _certificate(error: ssl.SSLCertVerificationError) -> str:
    other = f"its certificate is not valid ({_words(error.verify_message)})"
    return CERTIFICATES.get(error.verify_code, other)


def _words(reason: str | None) -> str:
    return (reason or "no reason given").replace("_", " ").lower()
