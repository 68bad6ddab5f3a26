"""The page: what was caught, newest first, and each letter from every side.

A letter is foreign text. Everything of it is escaped; its HTML stands in a frame that may
run nothing and load nothing.
"""

from __future__ import annotations

import base64
import ipaddress
import re
import socket
import socketserver
import sys
import threading
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from newsroom.mailcatcher.letters import Contents, Letter, LetterBox

PAGE_LENGTH = 50
MOST_SHOWN = 500_000
"""Characters of a raw letter that the page shows; the download has them all."""
SANDBOX = "allow-popups allow-popups-to-escape-sandbox"
PAGE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
FRAME_POLICY = (
    f"sandbox {SANDBOX}; default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)
STYLE = mark_safe(Path(__file__).with_name("page.css").read_text(encoding="utf-8"))  # noqa: S308
NEW_TAB = '<base target="_blank">'
HEAD = re.compile(r"<head(\s[^>]*)?>", re.IGNORECASE)
DOCTYPE = re.compile(r"\s*<!doctype[^>]*>", re.IGNORECASE)
CONTENT_ID = re.compile(r"""(?<=["'(=])cid:([^"')\s>]+)""", re.IGNORECASE)
TABS = {"html": "HTML", "text": "Text", "headers": "Headers", "raw": "Raw"}


class NotFound(Exception):
    """There is nothing at this address."""


@dataclass(frozen=True)
class Answer:
    """What goes back to the browser."""

    body: bytes
    kind: str = "text/html; charset=utf-8"
    policy: str = PAGE_POLICY
    status: HTTPStatus = HTTPStatus.OK
    file_name: str = ""


class PageServer:
    """The page on a socket that listens already, in threads of its own."""

    def __init__(self, listener: socket.socket, box: LetterBox) -> None:
        self._server = _Server(listener, box)
        self._thread = threading.Thread(
            # Asked this often whether to stop.
            target=self._server.serve_forever,
            args=(0.05,),
            name="mail catcher: page",
            daemon=True,
        )

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, listener: socket.socket, box: LetterBox) -> None:
        address = listener.getsockname()
        super().__init__(address, _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.box = box
        self.for_this_machine = ipaddress.ip_address(address[0]).is_loopback

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A browser that goes away in the middle is no news.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            socketserver.BaseServer.handle_error(self, request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version, sys_version = "mailcatcher", ""
    timeout = 30

    def do_GET(self) -> None:
        if self.server.for_this_machine and not names_this_machine(self.headers.get("Host", "")):
            self._send(problem("This page answers to 127.0.0.1 and localhost only.", 403))
            return
        try:
            answer = respond(self.server.box, self.path)
        except (NotFound, FileNotFoundError):
            answer = problem("There is no such letter or page. It may have been removed.", 404)
        except OSError as error:
            answer = problem(f"The letters cannot be read: {error.strerror or error}.", 500)
        self._send(answer)

    do_HEAD = do_GET  # noqa: N815

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Content-Security-Policy", answer.policy)
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")
        if answer.file_name:
            self.send_header("Content-Disposition", f'attachment; filename="{answer.file_name}"')
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing: addresses of pages can carry a reader's address."""


def names_this_machine(host: str) -> bool:
    """Whether a Host header is ours. A name that merely leads here may be an attacker's."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def respond(box: LetterBox, address: str) -> Answer:
    """The page at a path. Raises NotFound, or OSError where the disk fails."""
    parts = urlsplit(address)
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    steps = [step for step in parts.path.split("/") if step]
    if not steps:
        return list_page(box, query.get("to", "").strip(), query.get("page", ""))
    if steps[0] != "letters" or not 2 <= len(steps) <= 3:
        raise NotFound
    letter = box.get(steps[1])
    if letter is None:
        raise NotFound
    match steps[2:]:
        case []:
            return letter_page(letter, query.get("view", ""))
        case ["frame"]:
            return Answer(framed(letter.contents).encode(), policy=FRAME_POLICY)
        case ["raw"]:
            return Answer(letter.raw, kind="message/rfc822", file_name=f"{letter.name}.eml")
    raise NotFound


def list_page(box: LetterBox, to: str, page: str) -> Answer:
    """The letters, newest first, perhaps only those to a recipient."""
    letters = [letter for letter in reversed(box.letters()) if is_to(letter, to)]
    pages = max(1, -(-len(letters) // PAGE_LENGTH))
    number = min(int(page), pages) if page.isdecimal() and len(page) < 10 else 1
    start = max(0, number - 1) * PAGE_LENGTH
    shown = letters[start : start + PAGE_LENGTH]
    if shown:
        rows = format_html(
            '<ol class="list sheet">{}</ol>',
            mark_safe("".join(map(_row, shown))),  # noqa: S308
        )
        count = f"{start + 1}\N{EN DASH}{start + len(shown)} of {len(letters)}, newest first"
    else:
        nothing = "No letter to this recipient." if to else "Nothing has been caught yet."
        rows, count = format_html('<p class="empty sheet">{}</p>', nothing), ""
    return _page(
        "Caught letters",
        format_html(
            '<header><h1>Caught letters</h1><p class="soft small">{}</p></header><main>{}{}{}'
            "</main>",
            count,
            _filter(to),
            rows,
            _pager(number, pages, to),
        ),
    )


def is_to(letter: Letter, to: str) -> bool:
    """Whether a recipient's address contains what was asked for."""
    wanted = to.casefold()
    return not wanted or any(wanted in recipient.casefold() for recipient in letter.recipients)


def _row(letter: Letter) -> SafeString:
    return format_html(
        '<li><a href="/letters/{}"><span class="subject">{}</span><span class="to">{}</span>'
        '<span>{}</span><span class="size">{}</span></a></li>',
        quote(letter.name),
        letter.subject or "(no subject)",
        _shortened(letter.recipients),
        _moment(letter),
        _size(letter.size),
    )


def _filter(to: str) -> SafeString:
    everything = mark_safe('<a href="/">Show all</a>') if to else ""
    return format_html(
        '<form class="filter" action="/"><label>Recipient<input name="to" value="{}" '
        'type="search" autocomplete="off" spellcheck="false"></label>'
        "<button>Filter</button>{}</form>",
        to,
        everything,
    )


def _pager(number: int, pages: int, to: str) -> SafeString:
    if pages == 1:
        return SafeString()
    links = []
    for label, page in (("Newer", number - 1), ("Older", number + 1)):
        if 1 <= page <= pages:
            query = urlencode({"to": to, "page": page} if to else {"page": page})
            links.append((query, label))
    return format_html(
        '<nav class="pager" aria-label="Pages">{}<span class="soft small">Page {} of {}</span>'
        "</nav>",
        format_html_join("", '<a href="/?{}">{}</a>', links),
        number,
        pages,
    )


def letter_page(letter: Letter, view: str) -> Answer:
    """One letter: its HTML, its text, its headers or its source."""
    contents = letter.contents
    there = [
        tab
        for tab in TABS
        if not (tab == "html" and not contents.html) and not (tab == "text" and not contents.text)
    ]
    # A letter that cannot be taken apart is shown as it came.
    best = next(tab for tab in ("html", "text", "raw") if tab in there)
    chosen = view if view in there else best
    tabs = format_html_join(
        "",
        '<a href="?view={}"{}>{}</a>',
        [
            (tab, mark_safe(' aria-current="page"' if tab == chosen else ""), TABS[tab])  # noqa: S308
            for tab in there
        ],
    )
    body = format_html(
        '<header><p class="trail small"><a href="/">All letters</a>'
        '<a href="/letters/{}/raw">Download</a></p><h1>{}</h1>{}</header><main>'
        '<nav class="tabs" aria-label="Views">{}</nav><section class="view sheet">{}</section>'
        "</main>",
        quote(letter.name),
        letter.subject or "(no subject)",
        _facts(letter, contents),
        tabs,
        _view(letter, contents, chosen),
    )
    return _page(letter.subject or "Letter", body)


def _facts(letter: Letter, contents: Contents) -> SafeString:
    facts = [
        ("From", letter.sender or "<>"),
        ("To", ", ".join(letter.recipients) or "unknown"),
        ("Caught", f"{_moment(letter)}, {_size(letter.size)}"),
    ]
    if contents.attachments:
        facts.append(("Attached", ", ".join(contents.attachments)))
    return format_html(
        '<dl class="facts small">{}</dl>',
        format_html_join("", "<dt>{}</dt><dd>{}</dd>", facts),
    )


def _view(letter: Letter, contents: Contents, chosen: str) -> SafeString:
    if chosen == "html":
        return format_html(
            '<iframe src="/letters/{}/frame" sandbox="{}" title="The letter’s HTML"></iframe>',
            quote(letter.name),
            SANDBOX,
        )
    if chosen == "text":
        return format_html("<pre>{}</pre>", contents.text)
    if chosen == "headers":
        return format_html(
            "<table>{}</table>",
            format_html_join("", "<tr><th>{}</th><td>{}</td></tr>", letter.headers),
        )
    source = letter.raw.decode("utf-8", "replace")
    cut = "\n\N{HORIZONTAL ELLIPSIS} the download has the rest" if len(source) > MOST_SHOWN else ""
    return format_html("<pre>{}{}</pre>", source[:MOST_SHOWN], cut)


def framed(contents: Contents) -> str:
    """The letter's HTML for its frame: links open in a new tab, its own pictures are in it."""

    def picture(match: re.Match[str]) -> str:
        if match[1] not in contents.images:
            return match[0]
        kind, content = contents.images[match[1]]
        return f"data:{kind};base64,{base64.b64encode(content).decode()}"

    html = CONTENT_ID.sub(picture, contents.html)
    place = HEAD.search(html) or DOCTYPE.match(html)
    end = place.end() if place else 0
    return html[:end] + NEW_TAB + html[end:]


def problem(text: str, status: int) -> Answer:
    """A page that says what is wrong."""
    body = format_html('<header><h1>{}</h1><p><a href="/">All letters</a></p></header>', text)
    return _page("Mail catcher", body, HTTPStatus(status))


def _page(title: str, body: SafeString, status: HTTPStatus = HTTPStatus.OK) -> Answer:
    page = format_html(
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="data:,"><title>{}</title><style>{}</style></head>'
        "<body>{}</body></html>",
        title,
        STYLE,
        body,
    )
    return Answer(page.encode("utf-8", "replace"), status=status)


def _shortened(recipients: tuple[str, ...]) -> str:
    if len(recipients) > 2:
        return f"{recipients[0]} and {len(recipients) - 1} more"
    return ", ".join(recipients) or "unknown"


def _moment(letter: Letter) -> str:
    return letter.caught_at.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _size(size: int) -> str:
    if size < 1000:
        return f"{size} B"
    return f"{size / 1000:.0f} kB" if size < 1_000_000 else f"{size / 1_000_000:.1f} MB"
