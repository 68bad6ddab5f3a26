"""One connection to a relay, and the transaction that hands over one letter.

The standard library connects, greets, encrypts and logs in; only the transaction is ours,
because what matters is on which side of the final dot something broke.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import TracebackType

from django.conf import settings

from newsletter.sending.outcomes import Outcome, Reply, classify
from newsroom.relays import Relay

AWAITS_TEXT = 354
# smtplib makes SMTPServerDisconnected of whatever breaks while it reads an answer.
TIMED_OUT = frozenset({"TimeoutError", "SMTPServerDisconnected"})
_cannot_pipeline: set[Relay] = set()
"""Relays that offer it and do not answer. Forgotten with the process: relays are mended."""


class ConnectionLost(Exception):
    """The relay cannot be reached, went away or answers rubbish.

    `dot_sent`: the letter had left wholly, so nobody knows whether it was taken.
    """

    def __init__(self, *, dot_sent: bool, cause: str) -> None:
        super().__init__(cause)
        self.dot_sent, self.cause = dot_sent, cause


class RelayRefuses(Exception):
    """The relay does not let us in; holds its codes."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"{reply.code} {reply.enhanced}".strip())
        self.reply = reply


class Connection:
    """A context manager around one SMTP connection. `timeout` in seconds."""

    def __init__(self, relay: Relay, timeout: float) -> None:
        """Connects and logs in. Raises ConnectionLost or RelayRefuses."""
        self._relay = relay
        self._smtp = _connect(relay, timeout)
        if self._smtp.sock is not None:
            # The dot follows the letter as a packet of its own; Nagle's algorithm would hold
            # it back until the relay's delayed acknowledgement, 40 ms a letter.
            self._smtp.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.eight_bit = self._smtp.has_extn("8bitmime")
        self.pipelines = self._smtp.has_extn("pipelining") and relay not in _cannot_pipeline

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Says good-bye if anybody listens."""
        try:
            self._smtp.quit()
        except (OSError, smtplib.SMTPException):
            self._smtp.close()

    def send(self, return_path: str, recipient: str, letter: bytes) -> tuple[Outcome, Reply]:
        """Hands one letter over: lines with CRLF, dots doubled. Raises ConnectionLost."""
        option = " BODY=8BITMIME" if self.eight_bit else ""
        envelope = [f"MAIL FROM:<{return_path}>{option}", f"RCPT TO:<{recipient}>", "DATA"]
        ask = self._ask_at_once if self.pipelines else self._ask_in_turn
        refusal = ask(envelope)
        return self._send_text(letter) if refusal is None else refusal

    def _ask_in_turn(self, commands: list[str]) -> tuple[Outcome, Reply] | None:
        """The first refusal, or None once the text is awaited."""
        for command in commands:
            reply = self._ask(partial(self._smtp.putcmd, command), dot_sent=False)
            outcome = classify(reply, about_recipient=command.startswith("RCPT"))
            if outcome is not Outcome.SENT:
                self._reset()
                return outcome, reply
        return None

    def _ask_at_once(self, commands: list[str]) -> tuple[Outcome, Reply] | None:
        """RFC 2920: three commands in one packet, and their three answers in order."""
        whole = "".join(f"{command}\r\n" for command in commands)
        try:
            replies = [self._ask(partial(self._smtp.send, whole), dot_sent=False)]
            replies += [self._hear(dot_sent=False) for _command in commands[1:]]
        except ConnectionLost as lost:
            if lost.cause in TIMED_OUT:
                # It says that it can, and forgets what came with the first command.
                _cannot_pipeline.add(self._relay)
            raise
        refused = [
            (outcome, reply)
            for command, reply in zip(commands, replies, strict=True)
            if (outcome := classify(reply, about_recipient=command.startswith("RCPT")))
            is not Outcome.SENT
        ]
        if not refused:
            return None
        if replies[-1].code == AWAITS_TEXT:
            # RFC 2920, 3.1: no recipient, and still it awaits a text; an empty one goes nowhere.
            self._ask(partial(self._smtp.send, ".\r\n"), dot_sent=False)
        else:
            self._reset()
        return refused[0]

    def _send_text(self, letter: bytes) -> tuple[Outcome, Reply]:
        # The dot goes separately, so that a break before it leaves nobody uncertain.
        end = b".\r\n" if letter.endswith(b"\r\n") else b"\r\n.\r\n"
        try:
            self._smtp.send(letter)
        except (OSError, smtplib.SMTPException) as error:
            self._smtp.close()
            raise ConnectionLost(dot_sent=False, cause=type(error).__name__) from None
        reply = self._ask(partial(self._smtp.send, end), dot_sent=True)
        return classify(reply, about_recipient=False), reply

    def _ask(self, say: Callable[[], None], *, dot_sent: bool) -> Reply:
        try:
            say()
        except (OSError, smtplib.SMTPException, ValueError) as error:
            self._smtp.close()
            raise ConnectionLost(dot_sent=dot_sent, cause=type(error).__name__) from None
        return self._hear(dot_sent=dot_sent)

    def _hear(self, *, dot_sent: bool) -> Reply:
        try:
            code, text = self._smtp.getreply()
        except (OSError, smtplib.SMTPException, ValueError) as error:
            self._smtp.close()
            raise ConnectionLost(dot_sent=dot_sent, cause=type(error).__name__) from None
        reply = Reply.parse(code, text)
        if code == 421 or not 200 <= code < 600:
            # RFC 5321, 3.8: the relay is closing; whatever it says is of itself, not of us.
            self._smtp.close()
            if dot_sent and code == 421:
                # A reply to the dot all the same: it has not taken the letter.
                dot_sent = False
            raise ConnectionLost(dot_sent=dot_sent, cause=str(code))
        return reply

    def _reset(self) -> None:
        # Should this break, the next letter finds out; this one has its answer.
        with suppress(ConnectionLost):
            self._ask(partial(self._smtp.putcmd, "RSET"), dot_sent=False)


def _connect(relay: Relay, timeout: float) -> smtplib.SMTP:
    context = ssl.create_default_context()
    # Without a name, smtplib asks the DNS for this machine's, and tells the relay.
    ours = settings.BOUNCE_DOMAIN
    try:
        smtp: smtplib.SMTP
        if relay.scheme == "smtps":
            smtp = smtplib.SMTP_SSL(relay.host, relay.port, ours, timeout=timeout, context=context)
        else:
            smtp = smtplib.SMTP(relay.host, relay.port, ours, timeout=timeout)
        smtp.ehlo_or_helo_if_needed()
        if relay.scheme == "smtp+starttls":
            smtp.starttls(context=context)
            smtp.ehlo()
        if relay.user:
            smtp.login(relay.user, relay.password)
    except smtplib.SMTPResponseException as error:
        text = error.smtp_error if isinstance(error.smtp_error, bytes) else b""
        reply = Reply.parse(error.smtp_code, text)
        if classify(reply, about_recipient=False) is Outcome.REFUSED and reply.code >= 500:
            raise RelayRefuses(reply) from None
        raise ConnectionLost(dot_sent=False, cause=str(reply.code)) from None
    except (OSError, smtplib.SMTPException) as error:
        raise ConnectionLost(dot_sent=False, cause=type(error).__name__) from None
    return smtp
