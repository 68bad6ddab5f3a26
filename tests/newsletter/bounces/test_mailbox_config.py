"""A mailbox's address in the environment."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

from newsletter.bounces.mailbox_config import Mailbox


@pytest.mark.parametrize(
    "url",
    ["", "imaps://", "http://a:secret@c/", "imaps://host/INBOX", "imap://[x", "imaps://a:b@c:x/"],
)
def test_an_invalid_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="imaps://user:password@host/INBOX") as told:
        Mailbox.parse(url)
    assert "secret" not in str(told.value)


def test_imaps_is_encrypted() -> None:
    mailbox = Mailbox.parse("imaps://bounces:pass%40word@mail.example")
    assert (mailbox.port, mailbox.folder, mailbox.is_encrypted) == (993, "INBOX", True)
    assert mailbox.password == "pass@word"
    assert "pass" not in f"{mailbox} {mailbox!r}"
    assert not Mailbox.parse("imap://bounces@localhost:1143/Bounces").is_encrypted
