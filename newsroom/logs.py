"""What a log may say. No line names a reader or carries a usable token."""

import logging
import re

from newsroom.links import TOKEN_LENGTH

TOKEN = re.compile(rf"(?<![a-z2-7])[a-z2-7]{{{TOKEN_LENGTH}}}(?![a-z2-7])", re.IGNORECASE)


class MaskTokens(logging.Filter):
    """Writes [token] where a message has one: the paths of readers' pages carry them."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        masked = TOKEN.sub("[token]", message)
        if masked != message:
            record.msg, record.args = masked, ()
        return True
