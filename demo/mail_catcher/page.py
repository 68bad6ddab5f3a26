"""The web page: the received letters, newest first, each as HTML, text and source.

Letters are untrusted: text is escaped, and HTML is in a sandboxed frame without scripts and without
external resources.
"""

from __future__ import annotations

import re
import socket
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from demo.mail_catcher.letters import Letter, LetterBox

MAX_LISTED = 200
PLAIN = "text/plain; charset=utf-8"
SANDBOX = "allow-popups allow-popups-to-escape-sandbox"
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; "
    "base-uri 'none'; frame-ancestors 'self'"
)
STYLE = mark_safe(Path(__file__).with_name("page.css").read_text(encoding="utf-8"))  # noqa: S308
ALLOWED_HOST = re.compile(r"(localhost|127\.0\.0\.1)(:\d+)?")
"""Against DNS rebinding."""
OPENING = re.compile(r"(?s)(\s*<!doctype[^>]*>)?(.*?<head(\s[^>]*)?>)?", re.IGNORECASE)


@dataclass(frozen=True)
class Answer:
    """An HTTP response."""

    body: str
    status: int = 200
    kind: str = "text/html; charset=utf-8"
    policy: str = f"frame-src 'self'; {POLICY}"


class PageServer:
    """An HTTP server on a listening socket, in threads."""

    def __init__(self, listener: socket.socket, box: LetterBox) -> None:
        handler = type("Handler", (_Handler,), {"box": box})
        self._server = ThreadingHTTPServer(listener.getsockname(), handler, False)
        self._server.socket.close()
        self._server.socket, self._server.block_on_close = listener, False
        # The argument is the poll interval in seconds.
        serve = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        serve.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    box: LetterBox
    timeout = 30

    def do_GET(self) -> None:
        if ALLOWED_HOST.fullmatch(self.headers.get("Host", "")):
            answer = respond(self.box, self.path)
        else:
            answer = problem("This page answers to 127.0.0.1 and localhost only.", 403)
        body = answer.body.encode("utf-8", "replace")
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", answer.policy)
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Logs nothing."""


def respond(box: LetterBox, path: str) -> Answer:
    """The response for a path."""
    steps = [step for step in path.split("/") if step]
    if not steps:
        return list_page(box)
    letter = box.get(steps[1]) if steps[0] == "letters" and len(steps) > 1 else None
    if letter:
        match steps[2:]:
            case []:
                return letter_page(letter)
            case ["html"]:
                html = in_new_tabs(letter.contents.html)
                return Answer(html, policy=f"sandbox {SANDBOX}; {POLICY}")
            case ["text"]:
                return Answer(letter.contents.text, kind=PLAIN)
            case ["source"]:
                return Answer(letter.raw.decode("utf-8", "replace"), kind=PLAIN)
    return problem("There is no such letter or page. It may have been removed.", 404)


def list_page(box: LetterBox) -> Answer:
    """The newest letters."""
    letters = box.letters()
    shown = letters[: -MAX_LISTED - 1 : -1]
    rows = format_html_join(
        "",
        '<li><a href="/letters/{}"><span class="subject">{}</span><span class="to">{}</span>'
        "<span>{}</span></a></li>",
        ((one.name, one.subject or "(no subject)", _to(one), _moment(one)) for one in shown),
    )
    nothing = mark_safe('<p class="empty sheet">Nothing has been caught yet.</p>')
    older = f"{len(letters)} letters; these are the newest." if len(letters) > len(shown) else ""
    return _page(
        "Caught letters",
        format_html(
            '<header><h1>Caught letters</h1><p class="soft small">{}</p></header><main>{}</main>',
            older,
            format_html('<ol class="list sheet">{}</ol>', rows) if shown else nothing,
        ),
    )


def letter_page(letter: Letter) -> Answer:
    """One letter: its HTML, its text or its source, in one frame."""
    contents = letter.contents
    there = [("html", "HTML")] * bool(contents.html) + [("text", "Text")] * bool(contents.text)
    there.append(("source", "Source"))
    links = [(letter.name, view, label) for view, label in there]
    return _page(
        letter.subject or "Letter",
        format_html(
            '<header><p class="small"><a href="/">All letters</a></p><h1>{}</h1>'
            '<dl class="facts small"><dt>From</dt><dd>{}</dd><dt>To</dt><dd>{}</dd>'
            '<dt>Caught</dt><dd>{}</dd></dl></header><main><nav class="views">{}</nav>'
            '<iframe class="sheet" name="view" src="/letters/{}/{}" sandbox="{}" '
            'title="The letter"></iframe></main>',
            letter.subject or "(no subject)",
            letter.sender or "<>",
            ", ".join(letter.recipients),
            _moment(letter),
            format_html_join(
                "", '<a class="sheet" href="/letters/{}/{}" target="view">{}</a>', links
            ),
            *links[0][:2],
            SANDBOX,
        ),
    )


def in_new_tabs(html: str) -> str:
    """The letter's HTML, with links that open in a new tab."""
    opening = OPENING.match(html)
    end = opening.end() if opening else 0
    return f'{html[:end]}<base target="_blank">{html[end:]}'


def problem(text: str, status: int) -> Answer:
    """An error page."""
    body = format_html('<header><h1>{}</h1><p><a href="/">All letters</a></p></header>', text)
    return _page("Mail catcher", body, status)


def _page(title: str, body: SafeString, status: int = 200) -> Answer:
    page = format_html(
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="data:,"><title>{}</title><style>{}</style></head>'
        "<body>{}</body></html>",
        title,
        STYLE,
        body,
    )
    return Answer(page, status)


def _to(letter: Letter) -> str:
    first, *more = letter.recipients
    return f"{first} and {len(more)} more" if more else first


def _moment(letter: Letter) -> str:
    return letter.envelope.caught_at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
