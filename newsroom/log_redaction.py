"""What a log may say: nothing about a reader, whoever writes the line and whichever handler.

Each record is masked as it is made: its message, and the traceback of its exception with all
that it was caused by. Not in a formatter or a handler, since Django, Celery and granian bring
their own. A record keeps nothing else: neither its arguments nor the exception, so that nobody
can format them anew.

Who installs it: newsroom/web.py, before Django is there; Django itself, by LOGGING_CONFIG;
newsroom/celery.py, so that worker and beat use Django's configuration, for what they print too.

What masking cannot know: a name without its @, or what somebody puts into `extra`. So our own
lines say ids and the classes of exceptions, and no handler may be added that reads more of a
record than its message and its traceback. The mail catcher keeps letters on purpose: it is a
developer's tool and outside of this promise.
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

# Longer than a token, since a mail program may put something behind it, and shorter: of one that
# was cut the rest can be guessed. Thirteen characters less than a whole one are 64 bits.
TOKEN = re.compile(r"[a-z2-7]{32,}", re.IGNORECASE)
# Mail programs break links too, so that the pieces stand on one line: no piece of these paths.
PATH_WITH_TOKEN = re.compile(
    r"((?:/|%2F)(?:letter|confirm|preferences)(?:/|%2F))[^\n]+", re.IGNORECASE
)
# RFC 5322's atoms in any script, also percent-encoded or escaped; without the / ? & that stand
# before an address in a path. Looks behind, so that a long run of letters is read only once.
ATOM = r"\w.!#$%'*+=^`{|}~\\-"
ADDRESS = re.compile(rf"(?<![{ATOM}])('?)[{ATOM}]+(?:@|%(?:25)?40)(?:\[[^\]\s]*|[\w.%\\-]*)")
IPV4 = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?!\d|\.\d)")
MAYBE_IPV6 = re.compile(r"(?<![\da-f:.])[\da-f.]{0,4}:[\da-f.]{0,4}:[\da-f:.]{0,40}", re.IGNORECASE)
OF_THIS_MACHINE = frozenset({"127.0.0.1", "0.0.0.0", "::1", "::"})  # noqa: S104
"""Where our own servers listen. Every other IP address may be a reader's."""


def mask(text: str) -> str:
    """The text without tokens, e-mail addresses and IP addresses."""
    text = PATH_WITH_TOKEN.sub(r"\1[token]", text)
    text = TOKEN.sub("[token]", text)
    text = ADDRESS.sub(r"\1[address]", text)
    text = MAYBE_IPV6.sub(_masked_ipv6, text)
    return IPV4.sub(lambda found: found[0] if found[0] in OF_THIS_MACHINE else "[ip]", text)


def _masked_ipv6(found: re.Match[str]) -> str:
    """A sentence may have put a colon or a full stop at either end."""
    whole = found[0]
    for text in (whole, whole[:-1], whole[1:], whole[1:-1]):
        try:
            ipaddress.IPv6Address(text)
        except ValueError:
            continue
        return whole if text in OF_THIS_MACHINE else whole.replace(text, "[ip]")
    return whole


class MaskedRecord(logging.LogRecord):
    """Masked as it is made."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        try:
            message = self.getMessage()
        except Exception:
            # Logging would print the arguments as they are.
            message = f"{self.msg} (with arguments that do not fit)"
        self.msg, self.args = mask(message), ()
        if self.exc_info:
            self.exc_text = mask("".join(traceback.format_exception(*self.exc_info)).rstrip())
            self.exc_info = None


def install() -> None:
    """From now on this process masks every record, and what an exception says at its end."""
    logging.setLogRecordFactory(MaskedRecord)
    # A line that cannot be written is lost, rather than printed as it is.
    logging.raiseExceptions = False
    logging.captureWarnings(True)
    sys.excepthook = _print_masked
    threading.excepthook = _print_of_thread
    sys.unraisablehook = _print_unraisable


def configure(config: dict[str, Any]) -> None:
    """Django's LOGGING_CONFIG: the handlers, and the masking of every record."""
    logging.config.dictConfig(config)
    install()


def _print_masked(
    kind: type[BaseException], value: BaseException | None, at: TracebackType | None
) -> None:
    print(mask("".join(traceback.format_exception(kind, value, at))), end="", file=sys.stderr)


def _print_of_thread(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_type is not SystemExit:
        _print_masked(ended.exc_type, ended.exc_value, ended.exc_traceback)


def _print_unraisable(ignored: sys.UnraisableHookArgs) -> None:
    _print_masked(ignored.exc_type, ignored.exc_value, ignored.exc_traceback)
