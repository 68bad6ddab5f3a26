"""An IMAP server as small as the intake needs, over a real socket; and one that hangs."""

from __future__ import annotations

import re
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

FETCH = re.compile(rb"UID FETCH (\d+) ", re.IGNORECASE)
STORE = re.compile(rb"UID STORE (\d+) ", re.IGNORECASE)


class Mailbox(socketserver.ThreadingTCPServer):
    """RFC 3501, a handful of commands; the one that `hangs_at` names is never answered."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(
        self,
        mails: list[bytes],
        hangs_at: bytes = b"",
        *,
        drips: bool = False,
        refuses: bytes = b"",
        permanent_flags: bytes = b"",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        self.is_encrypted = tls is not None
        self.drips, self.refuses, self.permanent_flags = drips, refuses, permanent_flags
        self.mails = dict(enumerate(mails, start=1))
        self.doomed: set[int] = set()
        self.hangs_at = hangs_at
        self.hung = threading.Event()
        self.released = threading.Event()

    @property
    def url(self) -> str:
        scheme = "imaps" if self.is_encrypted else "imap"
        return f"{scheme}://bounces:pass%40word@127.0.0.1:{self.server_address[1]}/INBOX"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no fault of a test."""


class _Session(socketserver.StreamRequestHandler):
    server: Mailbox

    def handle(self) -> None:
        self.say(b"* OK ready")
        while line := self.rfile.readline().strip():
            tag, _, command = line.partition(b" ")
            if self.server.hangs_at and command.upper().startswith(self.server.hangs_at):
                self.server.hung.set()
                while self.server.drips and not self.server.released.wait(0.02):
                    self.wfile.write(b".")
                self.server.released.wait(60)
                return
            self.answer(tag, command)
            if command.upper() == b"LOGOUT":
                return

    def answer(self, tag: bytes, command: bytes) -> None:
        said, mails = command.upper(), self.server.mails
        if self.server.refuses and said.startswith(self.server.refuses):
            self.say(tag + b" NO I would rather not")
            return
        if said == b"CAPABILITY":
            self.say(b"* CAPABILITY IMAP4rev1")
        elif said.startswith(b"LOGIN") and b'"pass@word"' not in command:
            self.say(tag + b" NO [AUTHENTICATIONFAILED] wrong, said bounces:pass")
            return
        elif said.startswith(b"SELECT"):
            self.say(b"* %d EXISTS" % len(mails))
            if self.server.permanent_flags:
                self.say(b"* OK [PERMANENTFLAGS (" + self.server.permanent_flags + b")] Limited")
        elif said.startswith(b"UID SEARCH"):
            waiting = (uid for uid in mails if uid not in self.server.doomed)
            self.say(b"* SEARCH " + b" ".join(b"%d" % uid for uid in waiting))
        elif found := FETCH.match(command):
            uid = int(found.group(1))
            self.say(b"* 1 FETCH (UID %d BODY[]<0> {%d}" % (uid, len(mails[uid])))
            self.wfile.write(mails[uid] + b")\r\n")
        elif found := STORE.match(command):
            self.server.doomed.add(int(found.group(1)))
        elif said == b"EXPUNGE":
            for uid in self.server.doomed:
                mails.pop(uid, None)
        elif said == b"LOGOUT":
            self.say(b"* BYE")
        self.say(tag + b" OK done")

    def say(self, line: bytes) -> None:
        self.wfile.write(line + b"\r\n")


@contextmanager
def running(mailbox: Mailbox) -> Iterator[Mailbox]:
    thread = threading.Thread(target=mailbox.serve_forever, daemon=True)
    thread.start()
    try:
        yield mailbox
    finally:
        mailbox.released.set()
        mailbox.shutdown()
        mailbox.server_close()
        thread.join()
