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
        self._envelope: list[str] = []
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
        self.address(return_path, recipient)
        return self.put(letter) or self.answer()

    def address(self, return_path: str, recipient: str) -> None:
        """Says for whom the next letter is. Raises ConnectionLost."""
        option = " BODY=8BITMIME" if self.eight_bit else ""
        self._envelope = [
            f"MAIL FROM:<{return_path}>{option}",
            f"RCPT TO:<{recipient}>",
            "DATA",
        ]
        if self.pipelines:
            # RFC 2920: three commands in one packet, and their three answers in order.
            whole = "".join(f"{command}\r\n" for command in self._envelope)
            self._say(partial(self._smtp.send, whole), dot_sent=False)

    def put(self, letter: bytes) -> tuple[Outcome, Reply] | None:
        """Hears what the relay says of the envelope, and lets the letter go with its final dot.

        A refusal, which ends this letter, or None: then `answer` says what became of it.
        Raises ConnectionLost.
        """
        refusal = self._hear_envelope() if self.pipelines else self._ask_in_turn(self._envelope)
        if refusal is not None:
            return refusal
        # The dot goes separately, so that a break before it leaves nobody uncertain.
        end = b".\r\n" if letter.endswith(b"\r\n") else b"\r\n.\r\n"
        self._say(partial(self._smtp.send, letter), dot_sent=False)
        self._say(partial(self._smtp.send, end), dot_sent=True)
        return None

    def answer(self) -> tuple[Outcome, Reply]:
        """What the relay says of the letter that has just left wholly. Raises ConnectionLost."""
        reply = self._hear(dot_sent=True)
        return classify(reply, about_recipient=False), reply

    def _ask_in_turn(self, commands: list[str]) -> tuple[Outcome, Reply] | None:
        """The first refusal, or None once the text is awaited."""
        for command in commands:
            reply = self._ask(partial(self._smtp.putcmd, command), dot_sent=False)
            outcome = classify(reply, about_recipient=command.startswith("RCPT"))
            if outcome is not Outcome.SENT:
                self._reset()
                return outcome, reply
        return None

    def _hear_envelope(self) -> tuple[Outcome, Reply] | None:
        """The first refusal, or None once the text is awaited."""
        try:
            replies = [self._hear(dot_sent=False) for _command in self._envelope]
        except ConnectionLost as lost:
            if lost.cause in TIMED_OUT:
                # It says that it can, and forgets what came with the first command.
                _cannot_pipeline.add(self._relay)
            raise
        refused = [
            (outcome, reply)
            for command, reply in zip(self._envelope, replies, strict=True)
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

    def _ask(self, say: Callable[[], None], *, dot_sent: bool) -> Reply:
        self._say(say, dot_sent=dot_sent)
        return self._hear(dot_sent=dot_sent)

    def _say(self, say: Callable[[], None], *, dot_sent: bool) -> None:
        try:
            say()
        except (OSError, smtplib.SMTPException, ValueError) as error:
            self._smtp.close()
            raise ConnectionLost(dot_sent=dot_sent, cause=type(error).__name__) from None

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
