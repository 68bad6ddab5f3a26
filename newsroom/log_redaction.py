"""Redacts addresses, IP addresses and tokens from every log record.

In the record factory, not in a formatter or handler, since Django, Celery and granian have their
own. The record's arguments and exception are dropped, so that nobody can format them again.

Installed by newsroom/web.py before Django is loaded, by LOGGING_CONFIG, and by newsroom/celery.py
for worker and beat.

Names without an address and values in `extra` are not recognised. So the project logs ids and the
classes of exceptions only, and no handler may read more than message and traceback. The mail
catcher, a developer's tool, is exempt.
"""

from __future__ import annotations

import ipaddress
import logging
import logging.config
import re
import sys
import threading
import traceback
from types import TracebackType
from typing import Any

# Also longer, where something was appended, and truncated: 13 missing characters are 64 bits.
TOKEN = re.compile(r"[a-z2-7]{32,}", re.IGNORECASE)
# The rest of the line, since mail programs may break a link into pieces.
PATH_WITH_TOKEN = re.compile(
    r"((?:/|%2F)(?:letter|confirm|preferences)(?:/|%2F))[^\n]+", re.IGNORECASE
)
# RFC 5322's atoms in any script, also percent-encoded or escaped, without / ? &. The look-behind
# keeps the match linear.
ATOM = r"\w.!#$%'*+=^`{|}~\\-"
ADDRESS = re.compile(rf"(?<![{ATOM}])('?)[{ATOM}]+(?:@|%(?:25)?40)(?:\[[^\]\s]*|[\w.%\\-]*)")
IPV4 = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?!\d|\.\d)")
MAYBE_IPV6 = re.compile(r"(?<![\da-f:.])[\da-f.]{0,4}:[\da-f.]{0,4}:[\da-f:.]{0,40}", re.IGNORECASE)
LOCAL_ADDRESSES = frozenset({"127.0.0.1", "0.0.0.0", "::1", "::"})  # noqa: S104
"""Where servers listen. Every other IP address may be a visitor's."""


def redact(text: str) -> str:
    """The text without tokens, e-mail addresses and IP addresses."""
    text = PATH_WITH_TOKEN.sub(r"\1[token]", text)
    text = TOKEN.sub("[token]", text)
    text = ADDRESS.sub(r"\1[address]", text)
    text = MAYBE_IPV6.sub(_redacted_ipv6, text)
    return IPV4.sub(lambda found: found[0] if found[0] in LOCAL_ADDRESSES else "[ip]", text)


def _redacted_ipv6(found: re.Match[str]) -> str:
    """A colon or full stop at either end may be punctuation."""
    whole = found[0]
    for text in (whole, whole[:-1], whole[1:], whole[1:-1]):
        try:
            ipaddress.IPv6Address(text)
        except ValueError:
            continue
        return whole if text in LOCAL_ADDRESSES else whole.replace(text, "[ip]")
    return whole


class RedactedLogRecord(logging.LogRecord):
    """Redacted on creation."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        try:
            message = self.getMessage()
        except Exception:
            # logging would print the arguments.
            message = f"{self.msg} (with arguments that do not fit)"
        self.msg, self.args = redact(message), ()
        if self.exc_info:
            self.exc_text = redact("".join(traceback.format_exception(*self.exc_info)).rstrip())
            self.exc_info = None


def install() -> None:
    """Redacts all records and uncaught exceptions of this process."""
    logging.setLogRecordFactory(RedactedLogRecord)
    # Else logging prints a record that it cannot write.
    logging.raiseExceptions = False
    logging.captureWarnings(True)
    sys.excepthook = _print_redacted
    threading.excepthook = _print_thread_exception
    sys.unraisablehook = _print_unraisable


def configure(config: dict[str, Any]) -> None:
    """LOGGING_CONFIG."""
    logging.config.dictConfig(config)
    install()


def _print_redacted(
    kind: type[BaseException], value: BaseException | None, at: TracebackType | None
) -> None:
    print(redact("".join(traceback.format_exception(kind, value, at))), end="", file=sys.stderr)


def _print_thread_exception(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_type is not SystemExit:
        _print_redacted(ended.exc_type, ended.exc_value, ended.exc_traceback)


def _print_unraisable(ignored: sys.UnraisableHookArgs) -> None:
    _print_redacted(ignored.exc_type, ignored.exc_value, ignored.exc_traceback)
