"""What a log may say. No line carries a usable token, whichever handler writes it."""

from __future__ import annotations

import logging
import logging.config
import re
from typing import Any

from newsroom.links import TOKEN_LENGTH

# Longer runs too: a mail program may have put something behind a token that is still whole.
TOKEN = re.compile(rf"[a-z2-7]{{{TOKEN_LENGTH},}}", re.IGNORECASE)


class MaskedRecord(logging.LogRecord):
    """Writes [token] where a message has one: the paths of readers' pages carry them.

    At the record and not at a handler, because Celery and others bring handlers of their own.
    """

    def getMessage(self) -> str:  # noqa: N802 (logging's own name)
        return TOKEN.sub("[token]", super().getMessage())


def configure(config: dict[str, Any]) -> None:
    """Django's LOGGING_CONFIG: the handlers, and the masking of every record."""
    logging.config.dictConfig(config)
    logging.setLogRecordFactory(MaskedRecord)
