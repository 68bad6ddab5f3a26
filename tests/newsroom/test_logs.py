"""No log carries a usable token."""

import logging

import pytest

from newsroom import links
from newsroom.links import Kind


@pytest.mark.parametrize("behind", ["", "x", "=="])
def test_a_token_in_a_path_is_masked(caplog: pytest.LogCaptureFixture, behind: str) -> None:
    token = links.make_token(Kind.LETTER, 1, 2)
    logging.getLogger("anybody").warning("Not Found: %s", f"/en/letter/{token}{behind}/")
    assert "/en/letter/[token]" in caplog.text
    assert token not in caplog.text
