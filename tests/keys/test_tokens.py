"""Tokens: nothing stored, nothing guessed."""

import pytest

from keys import tokens
from keys.tokens import InvalidToken, TokenKind


def test_a_token_is_deterministic_short_and_survives_folding_of_case() -> None:
    token = tokens.make_token(TokenKind.LETTER, 2**63 - 1, 2**32 - 1)
    assert token == tokens.make_token(TokenKind.LETTER, 2**63 - 1, 2**32 - 1)
    assert len(token) == tokens.TOKEN_LENGTH
    assert len(f"b-{token}") <= 64  # RFC 5321, 4.5.3.1.1: the local part of a return path
    assert tokens.read_token(TokenKind.LETTER, token.upper()) == (2**63 - 1, 2**32 - 1)


def test_a_token_of_another_kind_is_invalid() -> None:
    token = tokens.make_token(TokenKind.CONFIRM, 1, 2)
    for kind in set(TokenKind) - {TokenKind.CONFIRM}:
        with pytest.raises(InvalidToken):
            tokens.read_token(kind, token)


def test_a_truncated_changed_or_foreign_token_is_invalid() -> None:
    token = tokens.make_token(TokenKind.LETTER, 1, 2)
    other = "b" if token[3] == "a" else "a"
    for broken in (
        "",
        token[:-1],
        token + token,
        token[:3] + other + token[4:],
        "!" * len(token),
        "ж" * len(token),
        "0" * len(token),
    ):
        with pytest.raises(InvalidToken):
            tokens.read_token(TokenKind.LETTER, broken)
