"""Relays that behave badly, on real sockets. Each kind is what it does differently from Polite."""

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
    """Whoever spoke to the relay has gone, or the test is over."""


class BadRelay(socketserver.ThreadingTCPServer):
    """Listens on a port of its own; each connection is a session of one kind."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, kind: type[Polite], *, scheme: str = "smtp", tls: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(("127.0.0.1", 0), kind)
        self.scheme, self.tls = scheme, tls
        self.over = threading.Event()
        self.connections, self.letters = itertools.count(1), itertools.count(1)
        self.was_left = threading.Event()
        """A session that would have gone on for ever was ended by the other side."""
        self.packets: list[bytes] = []
        """In what pieces it was spoken to."""
        self.commands: list[str] = []
        self.texts: list[bytes] = []
        self.received: list[str] = []
        """For whom a letter has come wholly, with its dot."""
        self.accepted: list[str] = []
        """For whom it has said that it takes the letter."""

    def relay(self, log_in: str = "", host: str = "127.0.0.1") -> Relay:
        return Relay.parse(f"{self.scheme}://{log_in}{host}:{self.server_address[1]}")

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Sessions end as they may."""


@contextmanager
def running(server: BadRelay) -> Iterator[BadRelay]:
    """Until the block ends; sessions that wait are woken."""
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


class Polite(socketserver.BaseRequestHandler):
    """A session as it should be. `on_` methods answer commands."""

    server: BadRelay
    offers: tuple[str, ...] = ("PIPELINING", "8BITMIME")

    def handle(self) -> None:
        self.number = next(self.server.connections)
        self.waiting, self.recipient = b"", ""
        with suppress(OSError, HungUp):
            if self.server.scheme == "smtps":
                self.encrypt()
            self.greet()
            while True:
                self.obey(self.hear().decode("ascii", "replace"))

    def obey(self, line: str) -> None:
        verb, _, rest = line.partition(" ")
        self.server.commands.append(verb.upper())
        getattr(self, f"on_{verb.lower()}", self.on_unknown)(rest)

    def greet(self) -> None:
        self.say("220 a relay")

    def on_ehlo(self, _name: str) -> None:
        more = ("STARTTLS",) if self.can_encrypt() else ()
        lines = ["at your service", *self.offers, *more]
        marks = ["-"] * (len(lines) - 1) + [" "]
        self.say("\r\n".join(f"250{mark}{line}" for mark, line in zip(marks, lines, strict=True)))

    def can_encrypt(self) -> bool:
        return self.server.tls is not None and not isinstance(self.request, ssl.SSLSocket)

    def on_starttls(self, _nothing: str) -> None:
        self.say("220 go ahead")
        self.encrypt()

    def on_mail(self, _sender: str) -> None:
        self.say("250 2.1.0 fine")

    def on_rcpt(self, to: str) -> None:
        self.recipient = to.partition("<")[2].partition(">")[0]
        self.say("250 2.1.5 fine")

    def on_data(self, _nothing: str) -> None:
        self.say("354 go ahead")
        self.hear_text()
        self.server.received.append(self.recipient)
        self.letter_came(next(self.server.letters))

    def hear_text(self) -> None:
        self.server.texts.append(b"".join(line + b"\r\n" for line in iter(self.hear, b".")))

    def letter_came(self, _number: int) -> None:
        """The so-manieth of all that the relay was given."""
        self.server.accepted.append(self.recipient)
        self.say("250 2.0.0 taken")

    def on_rset(self, _nothing: str) -> None:
        self.say("250 2.0.0 fine")

    def on_quit(self, _nothing: str) -> None:
        self.say("221 2.0.0 bye")
        raise HungUp

    def on_unknown(self, _rest: str) -> None:
        self.say("500 5.5.1 what?")

    # --- Means -----------------------------------------------------------------------

    def say(self, line: str) -> None:
        self.send(line.encode() + b"\r\n")

    def send(self, raw: bytes) -> None:
        self.request.sendall(raw)

    def hear(self) -> bytes:
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
            self.server.was_left.set()
        raise HungUp

    def encrypt(self) -> None:
        assert self.server.tls is not None
        self.waiting = b""
        self.request = self.server.tls.wrap_socket(self.request, server_side=True)


# --- At the door ---------------------------------------------------------------------


class TalksGarbage(Polite):
    def greet(self) -> None:
        self.send(b"\x00\xff\x80 HTTP/1.1 400 Bad Request\r\n")


class DripsItsGreeting(Polite):
    def greet(self) -> None:
        self.go_on(b"2", each=0.05)


class DripsLinesOfItsGreeting(Polite):
    def greet(self) -> None:
        self.go_on(b"220-and\r\n", each=0.05)


class DripsWhatItOffers(Polite):
    def on_ehlo(self, _name: str) -> None:
        self.go_on(b"250-SIZE\r\n", each=0.05)


class NeverEndsTheLineOfItsGreeting(Polite):
    def greet(self) -> None:
        self.go_on(b"220 welcome" * 1000)


class NeverEndsItsGreeting(Polite):
    def greet(self) -> None:
        self.go_on(b"220-welcome\r\n" * 1000)


class SaysNothing(Polite):
    def greet(self) -> None:
        self.hear()


class ClosesAtOnce(Polite):
    def greet(self) -> None:
        raise HungUp


class RefusesAtTheDoor(Polite):
    def greet(self) -> None:
        self.say("554 5.7.1 reader@example.org is not welcome")


class ClosesForNow(Polite):
    def greet(self) -> None:
        self.say("421 4.3.2 too many of you")


class ClosesForNowAtTheGreeting(Polite):
    def on_ehlo(self, _name: str) -> None:
        self.say("421 4.3.2 too many of you")
        raise HungUp


class GreetsTwice(Polite):
    def greet(self) -> None:
        self.say("220 a relay\r\n250 you are welcome")


class PlantsAnAnswer(Polite):
    """Somebody between us and the relay adds an answer in clear before encryption begins."""

    def on_starttls(self, _nothing: str) -> None:
        self.say("220 go ahead\r\n250 AUTH PLAIN")
        self.encrypt()


class RefusesStartTls(Polite):
    def on_starttls(self, _nothing: str) -> None:
        self.say("502 5.5.1 not today")


class OffersNoStartTls(Polite):
    def can_encrypt(self) -> bool:
        return False


class RefusesTheLogIn(Polite):
    offers = ("PIPELINING", "AUTH PLAIN LOGIN")

    def on_auth(self, _rest: str) -> None:
        self.say("535 5.7.8 reader@example.org has no such password")


class RefusesTheLogInAndHangsUp(RefusesTheLogIn):
    def on_auth(self, _rest: str) -> None:
        super().on_auth(_rest)
        raise HungUp


class PutsTheLogInOff(RefusesTheLogIn):
    def on_auth(self, _rest: str) -> None:
        self.say("454 4.7.0 the directory is away")


class ChallengesWithGarbage(RefusesTheLogIn):
    def on_auth(self, _rest: str) -> None:
        self.say("334 a")


class LogsInStrangely(RefusesTheLogIn):
    offers = ("AUTH GSSAPI NTLM",)


# --- While letters go ----------------------------------------------------------------


class SlowSpeaker(Polite):
    """Says every line after a while; each answer is in time all the same."""

    def say(self, line: str) -> None:
        for one in line.split("\r\n"):
            self.pause(0.05)
            super().say(one)


class DripsItsAnswers(Polite):
    def on_rcpt(self, _to: str) -> None:
        self.go_on(b"250-still\r\n", each=0.05)


class NeverEndsItsAnswers(Polite):
    def on_mail(self, _sender: str) -> None:
        self.go_on(b"250-still\r\n" * 1000)


class DripsItsGoodBye(Polite):
    def on_quit(self, _nothing: str) -> None:
        self.go_on(b"221-bye\r\n", each=0.05)


class FallsSilentAfterTheDot(Polite):
    def letter_came(self, number: int) -> None:
        if number == 2:
            while True:
                self.hear()
        super().letter_came(number)


class TalksGarbageLater(Polite):
    def on_rcpt(self, _to: str) -> None:
        self.send(b"\x00\xff\x80 nonsense of reader@example.org\r\n")


class AnswersTheDotOutOfStep(Polite):
    def letter_came(self, number: int) -> None:
        if number == 2:
            self.say("354 go ahead")
        else:
            super().letter_came(number)


class TalksGarbageAfterTheDot(Polite):
    def letter_came(self, number: int) -> None:
        if number == 2:
            self.send(b"\x00\xff\x80 nonsense of reader@example.org\r\n")
        else:
            super().letter_came(number)


class ClosesInTheMiddle(Polite):
    """Says 421 in place of an answer, once, on its so-manieth being asked."""

    at, asked = "mail", 2
    answers: Counter[str] = Counter()

    def obey(self, line: str) -> None:
        self.close_if_due(line[:4].lower())
        super().obey(line)

    def letter_came(self, number: int) -> None:
        self.close_if_due("dot")
        super().letter_came(number)

    def close_if_due(self, what: str) -> None:
        self.server.commands.append(f"asked {what}")
        if what == self.at and self.server.commands.count(f"asked {what}") == self.asked:
            self.send(LATER)
            raise HungUp


class DropsEveryTenthConnection(Polite):
    most = 3

    def handle(self) -> None:
        self.taken = 0
        super().handle()

    def greet(self) -> None:
        if self.number % 10 == 0:
            raise HungUp
        super().greet()

    def letter_came(self, number: int) -> None:
        """Takes a few on each connection, so that there are many."""
        super().letter_came(number)
        self.taken += 1
        if self.taken == self.most:
            raise HungUp


class DropsEveryTenthBeforeItsText(Polite):
    def on_data(self, nothing: str) -> None:
        self.server.commands.append("asked data")
        if self.server.commands.count("asked data") % 10 == 0:
            raise HungUp
        super().on_data(nothing)


class DropsInTheText(Polite):
    def on_data(self, _nothing: str) -> None:
        self.say("354 go ahead")
        self.hear()
        raise HungUp


class DropsEveryTenthAfterTheDot(Polite):
    def letter_came(self, number: int) -> None:
        if number % 10 == 0:
            raise HungUp
        super().letter_came(number)


class TakesEveryTenthAndDropsIt(Polite):
    """Has taken the letter, and is gone before it can say so."""

    def letter_came(self, number: int) -> None:
        if number % 10 == 0:
            self.server.accepted.append(self.recipient)
            raise HungUp
        super().letter_came(number)


# --- Pipelining, broken ---------------------------------------------------------------


class ForgetsWhatCameAlong(Polite):
    """Throws away what was in the packet of a command, as some firewalls do."""

    def obey(self, line: str) -> None:
        self.waiting = b""
        super().obey(line)


class AnswersOutOfStep(Polite):
    def on_mail(self, _sender: str) -> None:
        self.say("354 go ahead")


class AnswersTwice(Polite):
    def say(self, line: str) -> None:
        is_greeting = line[:3] in {"220", "221"} or "\r\n" in line
        super().say(line if is_greeting else f"{line}\r\n{line}")


class AnswersTwiceInPieces(Polite):
    def say(self, line: str) -> None:
        super().say(line)
        if line[:3] not in {"220", "221"} and "\r\n" not in line:
            self.pause(0.05)
            super().say(line)


class TakesBeforeItCame(Polite):
    """Says that it takes the letter while it only asks for it, and loses it."""

    def on_data(self, _nothing: str) -> None:
        self.say("354 go ahead\r\n250 2.0.0 taken")
        self.hear()
        raise HungUp


class TakesHalf(Polite):
    """Says that it takes the letter when a part of it has come."""

    def on_data(self, _nothing: str) -> None:
        self.say("354 go ahead")
        self.hear()
        self.say("250 2.0.0 taken")
        self.server.over.wait()
        raise HungUp


# --- At random -----------------------------------------------------------------------


class Whims(Polite):
    """Valid answers in step, whichever; counts for whom it took a letter."""

    chances: random.Random
    moods = (
        "250 2.0.0 fine",
        "250-2.0.0 fine\r\n250 2.0.0 really",
        "451 4.7.1 later",
        "452 4.2.2 full",
        "550 5.1.1 nobody",
        "421 4.3.2 closing",
        "hang up",
    )
    weights = (60, 10, 3, 2, 2, 2, 2)

    def mood(self, *, may_refuse: bool = False) -> str:
        mood: str = self.chances.choices(self.moods, self.weights)[0]
        if mood == "hang up":
            raise HungUp
        return mood if may_refuse or not mood.startswith("5") else self.moods[0]

    def on_mail(self, _sender: str) -> None:
        self.recipient, mood = "", self.mood()
        self.sender_is_fine = mood.startswith("250")
        self.answer(mood)

    def on_rcpt(self, to: str) -> None:
        mood = self.mood(may_refuse=True) if self.sender_is_fine else "503 5.5.1 sender first"
        if mood.startswith("250"):
            self.recipient = to.partition("<")[2].partition(">")[0]
        self.answer(mood)

    def on_data(self, nothing: str) -> None:
        if self.recipient:
            super().on_data(nothing)
        else:
            self.answer("503 5.5.1 recipient first")

    def letter_came(self, _number: int) -> None:
        mood = self.mood()
        if mood.startswith("250"):
            self.server.accepted.append(self.recipient)
            if self.chances.random() < 0.1:
                raise HungUp
        self.answer(mood)

    def answer(self, mood: str) -> None:
        self.say(mood)
        if mood.startswith("421"):
            raise HungUp


class Noise(Polite):
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
        self.say("235 2.7.0 in")

    def send(self, raw: bytes) -> None:
        super().send(self.astray(raw) if self.chances.random() < 0.12 else raw)

    def astray(self, raw: bytes) -> bytes:
        piece = self.chances.choice(self.pieces)
        rubbish = self.chances.randbytes(self.chances.randint(1, 40))
        cut = self.chances.randint(0, len(raw))
        return self.chances.choice((piece, raw + piece, piece + raw, raw[:cut], rubbish, raw + raw))
