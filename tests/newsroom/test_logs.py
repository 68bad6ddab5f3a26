"""No log carries a usable token."""

import logging

from newsroom import links
from newsroom.links import Kind
from newsroom.logs import MaskTokens


def test_a_token_in_a_path_is_masked() -> None:
    token = links.make_token(Kind.LETTER, 1, 2)
    record = logging.LogRecord(
        "django.request", logging.WARNING, "", 0, "Not Found: %s", (f"/en/letter/{token}/",), None
    )
    assert MaskTokens().filter(record)
    assert record.getMessage() == "Not Found: /en/letter/[token]/"
