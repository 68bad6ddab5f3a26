"""What a mail at the return path is."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from keys.tokens import TOKEN_LENGTH
from newsletter.bounces.classify import UnreadableMail, classify
from tests.newsletter.bounces.mails import FORMS, nested, written

ROOT = Path(__file__).resolve().parents[3]
TOKEN = "a" * TOKEN_LENGTH
OTHER = "b" * TOKEN_LENGTH
TO = f"b-{TOKEN}@bounces.newsroom.example"


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_classified(form: str) -> None:
    assert classify(written(form, to=TO)).kind == FORMS[form][0]


@pytest.mark.parametrize("form", [form for form, (kind, _) in FORMS.items() if kind == "hard"])
def test_the_return_path_names_the_delivery(form: str) -> None:
    assert classify(written(form, to=TO)).return_paths == {TOKEN}


def test_the_envelope_recipient_counts_too() -> None:
    quoted = written("qmail", to="postmaster@newsroom.example")
    assert classify(quoted).return_paths == set()
    assert classify(quoted, TO.upper()).return_paths == {TOKEN}
    for header in ("Delivered-To", "X-Original-To", "Envelope-To"):
        assert classify(f"{header}: {TO}\r\n".encode() + quoted).return_paths == {TOKEN}


def test_what_a_bounce_quotes_is_not_trusted() -> None:
    claims = written("postfix: user unknown", to=TO).replace(
        b"Return-Path: <b-" + TOKEN.encode(), b"Return-Path: <b-" + OTHER.encode()
    )
    report = classify(claims)
    assert report.return_paths == {TOKEN}
    assert not report.letter_links
    assert not report.message_ids


def test_a_complaint_names_its_letter_by_the_returned_copy() -> None:
    report = classify(written("arf: abuse", to=TO, message=OTHER, letter="c" * TOKEN_LENGTH))
    assert report.return_paths == {TOKEN}
    assert report.message_ids == {OTHER}
    assert report.letter_links == {"c" * TOKEN_LENGTH}


def test_the_text_of_the_returned_letter_does_not_count() -> None:
    # It speaks of a user unknown to the police, of spam and of quotas.
    full = classify(written("exim: full", to=TO))
    assert full.kind == "soft"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00" * 1000,
        b"\xff\xfe\x00rubbish" * 100,
        b"Content-Type: multipart/mixed; boundary=\n\n--\n--\n",
        b"Content-Type: text/plain; charset=\xd0\xbf\n\nhello",
        b"Content-Type: text/plain; charset=no-such\nSubject: failure notice\n\nuser unknown",
        b"Content-Transfer-Encoding: base64\n\n!!!!",
        b"Subject: =?utf-8?b?////?=\n\nx",
        b"From: a\n" * 5000,
        nested(30),
        nested(400),
        b"Subject: failure notice\n\n" + b"user unknown " * 800_000,
    ],
    ids=lambda raw: f"{len(raw)} bytes of {raw[:12]!r}",
)
def test_rubbish_is_at_worst_unreadable(raw: bytes) -> None:
    try:
        report = classify(raw)
    except UnreadableMail:
        return
    assert report.return_paths == set()


@pytest.mark.long
def test_no_mail_keeps_a_worker_busy() -> None:
    """In a process of its own, which can be stopped; all of them take a few seconds."""
    done = subprocess.run(
        [sys.executable, "-c", READS_THEM_ALL], cwd=ROOT, capture_output=True, timeout=240
    )
    assert done.returncode == 0, done.stderr.decode()


READS_THEM_ALL = """
import os, django
os.environ["DJANGO_SETTINGS_MODULE"] = "newsroom.settings"
django.setup()
from newsletter.bounces.classify import UnreadableMail, classify
from tests.newsletter.bounces.mails import HOSTILE
for raw in HOSTILE.values():
    try:
        classify(raw)
    except UnreadableMail:
        pass
"""


def test_a_complaint_names_its_letter_by_its_headers_and_not_by_what_it_quotes() -> None:
    raw = written("arf: abuse", to=TO, message=OTHER, letter=OTHER).replace(
        b"The site is blocked", b"/letter/" + TOKEN.encode() + b"/ The site is blocked"
    )
    assert classify(raw).letter_links == {OTHER}


@pytest.mark.parametrize("form", FORMS)
def test_a_truncated_or_corrupt_mail_names_nobody_else(form: str) -> None:
    whole = written(form, to=TO, message=TOKEN, letter=TOKEN)
    dice = random.Random(form)
    for _again in range(40):
        bitten = bytearray(whole[: dice.randrange(len(whole))])
        for _bite in range(3):
            if bitten:
                bitten[dice.randrange(len(bitten))] = dice.randrange(256)
        try:
            report = classify(bytes(bitten))
        except UnreadableMail:
            continue
        # A bitten token is another string; that it is nobody's is for its seal to say.
        for token in report.return_paths | report.letter_links | report.message_ids:
            assert len(token) == TOKEN_LENGTH
