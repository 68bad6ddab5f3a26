"""Misbehaving SMTP servers on real sockets. Each class overrides what differs from CorrectRelay."""

from __future__ import annotations

import itertools
import random
import socketserver
import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from newsletter.delivery.relays.config import Relay

LATER = b"421 4.3.2 Closing\r\n"


class HungUp(Exception):
    """The client has left, or the test is over."""


class BadRelay(socketserver.ThreadingTCPServer):
    """A server on its own port; each connection is a session of the given class."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, kind: type[CorrectRelay], *, scheme: str = "smtp", tls: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(("127.0.0.1", 0), kind)
        self.scheme, self.tls = scheme, tls
        self.over = threading.Event()
        self.connections, self.letters = itertools.count(1), itertools.count(1)
        self.client_left = threading.Event()
        """The client ended a session that would have gone on for ever."""
        self.packets: list[bytes] = []
        """What each recv() returned."""
        self.commands: list[str] = []
        self.texts: list[bytes] = []
        self.received: list[str] = []
        """Recipients of letters that arrived with their final dot."""
        self.accepted: list[str] = []
        """Recipients of letters that were accepted."""

    def relay(self, log_in: str = "", host: str = "127.0.0.1") -> Relay:
        return Relay.parse(f"{self.scheme}://{log_in}{host}:{self.server_address[1]}")

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignores errors of sessions."""


@contextmanager
def running(server: BadRelay) -> Iterator[BadRelay]:
    """Runs the server; wakes waiting sessions at the end."""
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


class CorrectRelay(socketserver.BaseRequestHandler):
    """A correct SMTP session. `on_` methods handle commands."""

    server: BadRelay
    offers: tuple[str, ...] = ("PIPELINING", "8BITMIME")

    def handle(self) -> None:
        self.number = next(self.server.connections)
        self.waiting, self.recipient = b"", ""
        with suppress(OSError, HungUp):
            if self.server.scheme == "smtps":
                self.encrypt()
            self.send_greeting()
            while True:
                self.handle_command(self.read_line().decode("ascii", "replace"))

    def handle_command(self, line: str) -> None:
        verb, _, rest = line.partition(" ")
        self.server.commands.append(verb.upper())
        getattr(self, f"on_{verb.lower()}", self.on_unknown)(rest)

    def send_greeting(self) -> None:
        self.send_reply("220 a relay")

    def on_ehlo(self, _name: str) -> None:
        more = ("STARTTLS",) if self.can_encrypt() else ()
        lines = ["at your service", *self.offers, *more]
        marks = ["-"] * (len(lines) - 1) + [" "]
        self.send_reply(
            "\r\n".join(f"250{mark}{line}" for mark, line in zip(marks, lines, strict=True))
        )

    def can_encrypt(self) -> bool:
        return self.server.tls is not None and not isinstance(self.request, ssl.SSLSocket)

    def on_starttls(self, _nothing: str) -> None:
        self.send_reply("220 go ahead")
        self.encrypt()

    def on_mail(self, _sender: str) -> None:
        self.send_reply("250 2.1.0 fine")

    def on_rcpt(self, to: str) -> None:
        self.recipient = to.partition("<")[2].partition(">")[0]
        self.send_reply("250 2.1.5 fine")

    def on_data(self, _nothing: str) -> None:
        self.send_reply("354 go ahead")
        self.read_text()
        self.server.received.append(self.recipient)
        self.handle_letter(next(self.server.letters))

    def read_text(self) -> None:
        self.server.texts.append(b"".join(line + b"\r\n" for line in iter(self.read_line, b".")))

    def handle_letter(self, _number: int) -> None:
        """`_number`: of all letters that the server received."""
        self.server.accepted.append(self.recipient)
        self.send_reply("250 2.0.0 taken")

    def on_rset(self, _nothing: str) -> None:
        self.send_reply("250 2.0.0 fine")

    def on_quit(self, _nothing: str) -> None:
        self.send_reply("221 2.0.0 bye")
        raise HungUp

    def on_unknown(self, _rest: str) -> None:
        self.send_reply("500 5.5.1 what?")

    # --- Means -----------------------------------------------------------------------

    def send_reply(self, line: str) -> None:
        self.send(line.encode() + b"\r\n")

    def send(self, raw: bytes) -> None:
        self.request.sendall(raw)

    def read_line(self) -> bytes:
        """One line without its end."""
        while b"\r\n" not in self.waiting:
            self.waiting += self.receive()
        line, _, self.waiting = self.waiting.partition(b"\r\n")
        return line

    def receive(self) -> bytes:
        piece: bytes = self.request.recv(65536)
        if not piece:
            raise HungUp
        self.server.packets.append(piece)
        return piece

    def pause(self, seconds: float) -> None:
        if self.server.over.wait(seconds):
            raise HungUp

    def go_on(self, piece: bytes, each: float = 0) -> None:
        """Says the same again and again until it is left: longer than any patience in a test."""
        try:
            for _ in range(200 if each else 10_000):
                self.send(piece)
                self.pause(each)
        except OSError:
            self.server.client_left.set()
        raise HungUp

    def encrypt(self) -> None:
        assert self.server.tls is not None
        self.waiting = b""
        self.request = self.server.tls.wrap_socket(self.request, server_side=True)


# --- At the door ---------------------------------------------------------------------


class TalksGarbage(CorrectRelay):
    def send_greeting(self) -> None:
        self.send(b"\x00\xff\x80 HTTP/1.1 400 Bad Request\r\n")


class DripsItsGreeting(CorrectRelay):
    def send_greeting(self) -> None:
        self.go_on(b"2", each=0.05)


class DripsLinesOfItsGreeting(CorrectRelay):
    def send_greeting(self) -> None:
        self.go_on(b"220-and\r\n", each=0.05)


class DripsWhatItOffers(CorrectRelay):
    def on_ehlo(self, _name: str) -> None:
        self.go_on(b"250-SIZE\r\n", each=0.05)


class NeverEndsTheLineOfItsGreeting(CorrectRelay):
    def send_greeting(self) -> None:
        self.go_on(b"220 welcome" * 1000)


class NeverEndsItsGreeting(CorrectRelay):
    def send_greeting(self) -> None:
        self.go_on(b"220-welcome\r\n" * 1000)


class SaysNothing(CorrectRelay):
    def send_greeting(self) -> None:
        self.read_line()


class ClosesAtOnce(CorrectRelay):
    def send_greeting(self) -> None:
        raise HungUp


class RefusesAtTheDoor(CorrectRelay):
    def send_greeting(self) -> None:
        self.send_reply("554 5.7.1 reader@example.org is not welcome")


class ClosesForNow(CorrectRelay):
    def send_greeting(self) -> None:
        self.send_reply("421 4.3.2 too many of you")


class ClosesForNowAtTheGreeting(CorrectRelay):
    def on_ehlo(self, _name: str) -> None:
        self.send_reply("421 4.3.2 too many of you")
        raise HungUp


class GreetsTwice(CorrectRelay):
    def send_greeting(self) -> None:
        self.send_reply("220 a relay\r\n250 you are welcome")


class PlantsAnAnswer(CorrectRelay):
    """Somebody between us and the relay adds an answer in clear before encryption begins."""

    def on_starttls(self, _nothing: str) -> None:
        self.send_reply("220 go ahead\r\n250 AUTH PLAIN")
        self.encrypt()


class RefusesStartTls(CorrectRelay):
    def on_starttls(self, _nothing: str) -> None:
        self.send_reply("502 5.5.1 not today")


class OffersNoStartTls(CorrectRelay):
    def can_encrypt(self) -> bool:
        return False


class RefusesTheLogIn(CorrectRelay):
    offers = ("PIPELINING", "AUTH PLAIN LOGIN")

    def on_auth(self, _rest: str) -> None:
        self.send_reply("535 5.7.8 reader@example.org has no such password")


class RefusesTheLogInAndHangsUp(RefusesTheLogIn):
    def on_auth(self, _rest: str) -> None:
        super().on_auth(_rest)
        raise HungUp


class PutsTheLogInOff(RefusesTheLogIn):
    def on_auth(self, _rest: str) -> None:
        self.send_reply("454 4.7.0 the directory is away")


class ChallengesWithGarbage(RefusesTheLogIn):
    def on_auth(self, _rest: str) -> None:
        self.send_reply("334 a")


class LogsInStrangely(RefusesTheLogIn):
    offers = ("AUTH GSSAPI NTLM",)


# --- While letters go ----------------------------------------------------------------


class SlowSpeaker(CorrectRelay):
    """Says every line after a while; each answer is in time all the same."""

    def send_reply(self, line: str) -> None:
        for one in line.split("\r\n"):
            self.pause(0.05)
            super().send_reply(one)


class DripsItsAnswers(CorrectRelay):
    def on_rcpt(self, _to: str) -> None:
        self.go_on(b"250-still\r\n", each=0.05)


class NeverEndsItsAnswers(CorrectRelay):
    def on_mail(self, _sender: str) -> None:
        self.go_on(b"250-still\r\n" * 1000)


class DripsItsGoodBye(CorrectRelay):
    def on_quit(self, _nothing: str) -> None:
        self.go_on(b"221-bye\r\n", each=0.05)


class FallsSilentAfterTheDot(CorrectRelay):
    def handle_letter(self, number: int) -> None:
        if number == 2:
            while True:
                self.read_line()
        super().handle_letter(number)


class TalksGarbageLater(CorrectRelay):
    def on_rcpt(self, _to: str) -> None:
        self.send(b"\x00\xff\x80 nonsense of reader@example.org\r\n")


class AnswersTheDotOutOfStep(CorrectRelay):
    def handle_letter(self, number: int) -> None:
        if number == 2:
            self.send_reply("354 go ahead")
        else:
            super().handle_letter(number)


class TalksGarbageAfterTheDot(CorrectRelay):
    def handle_letter(self, number: int) -> None:
        if number == 2:
            self.send(b"\x00\xff\x80 nonsense of reader@example.org\r\n")
        else:
            super().handle_letter(number)


class ClosesInTheMiddle(CorrectRelay):
    """Says 421 in place of an answer, once, on its so-manieth being asked."""

    at, asked = "mail", 2
    answers: Counter[str] = Counter()

    def handle_command(self, line: str) -> None:
        self.close_if_due(line[:4].lower())
        super().handle_command(line)

    def handle_letter(self, number: int) -> None:
        self.close_if_due("dot")
        super().handle_letter(number)

    def close_if_due(self, what: str) -> None:
        self.server.commands.append(f"asked {what}")
        if what == self.at and self.server.commands.count(f"asked {what}") == self.asked:
            self.send(LATER)
            raise HungUp


class DropsEveryTenthConnection(CorrectRelay):
    most = 3

    def handle(self) -> None:
        self.taken = 0
        super().handle()

    def send_greeting(self) -> None:
        if self.number % 10 == 0:
            raise HungUp
        super().send_greeting()

    def handle_letter(self, number: int) -> None:
        """Takes a few on each connection, so that there are many."""
        super().handle_letter(number)
        self.taken += 1
        if self.taken == self.most:
            raise HungUp


class DropsEveryTenthBeforeItsText(CorrectRelay):
    def on_data(self, nothing: str) -> None:
        self.server.commands.append("asked data")
        if self.server.commands.count("asked data") % 10 == 0:
            raise HungUp
        super().on_data(nothing)


class DropsInTheText(CorrectRelay):
    def on_data(self, _nothing: str) -> None:
        self.send_reply("354 go ahead")
        self.read_line()
        raise HungUp


class DropsEveryTenthAfterTheDot(CorrectRelay):
    def handle_letter(self, number: int) -> None:
        if number % 10 == 0:
            raise HungUp
        super().handle_letter(number)


class TakesEveryTenthAndDropsIt(CorrectRelay):
    """Has taken the letter, and is gone before it can say so."""

    def handle_letter(self, number: int) -> None:
        if number % 10 == 0:
            self.server.accepted.append(self.recipient)
            raise HungUp
        super().handle_letter(number)


# --- Pipelining, broken ---------------------------------------------------------------


class ForgetsWhatCameAlong(CorrectRelay):
    """Throws away what was in the packet of a command, as some firewalls do."""

    def handle_command(self, line: str) -> None:
        self.waiting = b""
        super().handle_command(line)


class AnswersOutOfStep(CorrectRelay):
    def on_mail(self, _sender: str) -> None:
        self.send_reply("354 go ahead")


class AnswersTwice(CorrectRelay):
    def send_reply(self, line: str) -> None:
        is_greeting = line[:3] in {"220", "221"} or "\r\n" in line
        super().send_reply(line if is_greeting else f"{line}\r\n{line}")


class AnswersTwiceInPieces(CorrectRelay):
    def send_reply(self, line: str) -> None:
        super().send_reply(line)
        if line[:3] not in {"220", "221"} and "\r\n" not in line:
            self.pause(0.05)
            super().send_reply(line)


class TakesBeforeItCame(CorrectRelay):
    """Says that it takes the letter while it only asks for it, and loses it."""

    def on_data(self, _nothing: str) -> None:
        self.send_reply("354 go ahead\r\n250 2.0.0 taken")
        self.read_line()
        raise HungUp


class TakesHalf(CorrectRelay):
    """Says that it takes the letter when a part of it has come."""

    def on_data(self, _nothing: str) -> None:
        self.send_reply("354 go ahead")
        self.read_line()
        self.send_reply("250 2.0.0 taken")
        self.server.over.wait()
        raise HungUp


# --- At random -----------------------------------------------------------------------


class RandomReplies(CorrectRelay):
    """Random valid replies; records for whom it accepted a letter."""

    chances: random.Random
    scripted = (
        "250 2.0.0 fine",
        "250-2.0.0 fine\r\n250 2.0.0 really",
        "451 4.7.1 later",
        "452 4.2.2 full",
        "550 5.1.1 nobody",
        "421 4.3.2 closing",
        "hang up",
    )
    weights = (60, 10, 3, 2, 2, 2, 2)

    def next_reply(self, *, may_refuse: bool = False) -> str:
        reply: str = self.chances.choices(self.scripted, self.weights)[0]
        if reply == "hang up":
            raise HungUp
        return reply if may_refuse or not reply.startswith("5") else self.scripted[0]

    def on_mail(self, _sender: str) -> None:
        self.recipient, reply = "", self.next_reply()
        self.sender_is_fine = reply.startswith("250")
        self.answer(reply)

    def on_rcpt(self, to: str) -> None:
        reply = (
            self.next_reply(may_refuse=True) if self.sender_is_fine else "503 5.5.1 sender first"
        )
        if reply.startswith("250"):
            self.recipient = to.partition("<")[2].partition(">")[0]
        self.answer(reply)

    def on_data(self, nothing: str) -> None:
        if self.recipient:
            super().on_data(nothing)
        else:
            self.answer("503 5.5.1 recipient first")

    def handle_letter(self, _number: int) -> None:
        reply = self.next_reply()
        if reply.startswith("250"):
            self.server.accepted.append(self.recipient)
            if self.chances.random() < 0.1:
                raise HungUp
        self.answer(reply)

    def answer(self, reply: str) -> None:
        self.send_reply(reply)
        if reply.startswith("421"):
            raise HungUp


class Noise(CorrectRelay):
    """In step, but for bytes that go astray: parts of answers, whole ones, rubbish, or none."""

    chances: random.Random
    pieces = (
        b"250 2.0.0 fine\r\n",
        b"354 go ahead\r\n",
        b"250-more\r\n",
        b"220 hello\r\n",
        b"250-PIPELINING\r\n250 AUTH PLAIN\r\n",
        b"235 2.7.0 in\r\n",
        b"334 \r\n",
        b"334 =====\r\n",
        b"421 4.3.2 closing\r\n",
        b"451 4.0.0 later\r\n",
        b"550 5.1.1 nobody\r\n",
        b"554 5.7.1 nothing of yours\r\n",
        b"999 x\r\n",
        b"2",
        b"\r\n",
        b"250\n",
        b"-1 \r\n",
    )

    def on_ehlo(self, name: str) -> None:
        self.offers = (*type(self).offers, "AUTH PLAIN LOGIN CRAM-MD5")
        super().on_ehlo(name)

    def on_auth(self, _rest: str) -> None:
        self.send_reply("235 2.7.0 in")

    def send(self, raw: bytes) -> None:
        super().send(self.astray(raw) if self.chances.random() < 0.12 else raw)

    def astray(self, raw: bytes) -> bytes:
        piece = self.chances.choice(self.pieces)
        rubbish = self.chances.randbytes(self.chances.randint(1, 40))
        cut = self.chances.randint(0, len(raw))
        return self.chances.choice((piece, raw + piece, piece + raw, raw[:cut], rubbish, raw + raw))
