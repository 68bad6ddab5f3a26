"""The guarantees of DESIGN.md, section 6, each a test named after it."""

from __future__ import annotations

import ast
import datetime as dt
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.core import mail
from django.db import connection
from django.test import Client
from django.utils import timezone

from articles.editorial import workflow
from articles.models import Article
from articles.text import sanitizer
from core import languages
from demo.mail_catcher.catcher import Catcher
from keys import sealing, tokens
from keys.sealing import KeyNotFound
from keys.tokens import TokenKind
from newsletter.campaigns import lifecycle
from newsletter.delivery import batch, ledger
from newsletter.delivery.lanes import run_lane
from newsletter.models import (
    Delivery,
    MailingStatus,
    SignUp,
    Subscriber,
    SubscriberStatus,
    Suppression,
)
from newsletter.subscribers import sign_up
from tests.articles.requests import submit_search
from tests.factories import (
    A_RELAY,
    MONDAY_MORNING,
    WEEK,
    make_article,
    make_edition,
    make_mailing,
    make_page,
    make_subscriber,
    make_topic,
)
from tests.newsletter import transactional_mails
from tests.newsletter.relays import ScriptedRelay, once, to

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
NOW = MONDAY_MORNING
ROOT = Path(__file__).resolve().parents[1]
PUBLIC_PAGES = (
    *("/", "/en/", "/be/", "/ru/", f"/be/weeks/{WEEK}/", "/be/weeks/", "/be/subscribe/"),
    *("/be/barometer/", "/be/barometer/2026/", "/be/barometer/all.csv", "/be/about/"),
    *("/be/search/", "/be/search/?q=бюджэт"),
)


def test_guarantee_1_the_ledger_balances(relay: Catcher) -> None:
    mailing = make_mailing(readers=6)
    lifecycle.launch(mailing, NOW)
    keys = sealing.worker_keys()
    # Ids are random: the rejected one must not be the one who left.
    leaver, rejected, *_others = Subscriber.objects.all()
    leaver.end(SubscriberStatus.UNSUBSCRIBED, NOW)
    ScriptedRelay.replies["RCPT"] = to(rejected.address(keys), "550 5.1.1 unknown")
    ScriptedRelay.replies["MAIL"] = once(lambda _server, _about: "451 4.3.0 later")
    for minutes in (0, 1, 10, 20):
        run_lane(mailing.pk, 0, lambda at=minutes: NOW + dt.timedelta(minutes=at))
        counts = lifecycle.ledger(mailing)
        assert counts.balances
        assert counts.audience == 6
    assert (counts.sent, counts.failed, counts.excluded) == (4, 1, 1)
    uncertain = Delivery.objects.uncertain()
    assert counts.uncertain == uncertain.count()


def test_guarantee_2_kill_anything_lose_nobody(relay: Catcher) -> None:
    """The kills are in newsletter/delivery/test_killed_lanes.py; here a lane's lease expires."""
    mailing = make_mailing(readers=4)
    lifecycle.launch(mailing, NOW)
    lane = ledger.open_lane(mailing, 0, NOW)
    assert lane is not None
    first, *_ = ledger.claim(lane, A_RELAY, NOW, 10).letters
    batch.commit(lane, [], [first.pk], "relay", NOW)
    later = NOW + 2 * ledger.lease_duration()
    ledger.reap_expired(later)
    run_lane(mailing.pk, 0, lambda: later)
    mailing.refresh_from_db()
    assert mailing.status == MailingStatus.SENT
    counts = lifecycle.ledger(mailing)
    assert (counts.sent, counts.uncertain) == (3, 1)
    recipients = [letter.recipients for letter in relay.letters]
    assert len(recipients) == len(set(recipients)) == 3


def test_guarantee_4_a_get_changes_nothing(client: Client) -> None:
    edition = make_edition(code="be-ru")
    subscriber = make_subscriber(edition=edition)
    pending = make_subscriber(edition=edition)
    Subscriber.objects.filter(pk=pending.pk).update(status=SubscriberStatus.PENDING)
    confirm = tokens.make_token(TokenKind.CONFIRM, pending.pk, pending.sign_up_timestamp)
    paths = [
        f"/be/letter/{tokens.make_token(TokenKind.LETTER, subscriber.pk, 1)}/",
        f"/be/confirm/{confirm}/",
        *PUBLIC_PAGES,
    ]
    before = list(Subscriber.objects.order_by("pk").values())
    for path in paths * 2:
        client.get(path)
        client.head(path)
    assert list(Subscriber.objects.order_by("pk").values()) == before
    assert not SignUp.objects.exists()
    assert not Suppression.objects.exists()


def test_guarantee_5_the_web_process_cannot_read_the_list(
    client: Client, without_worker_key: None
) -> None:
    """In a process with the web process's environment of the Procfile."""
    procfile = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())
    for role in ("web", "beat"):
        assert procfile[role].startswith("env WORKER_KEY_FILE=none ")
    process = subprocess.run(
        [
            sys.executable,
            "manage.py",
            "shell",
            "-c",
            "from keys import sealing as s; s.worker_keys()",
        ],
        cwd=ROOT,
        env={**os.environ, "WORKER_KEY_FILE": "none"},
        capture_output=True,
        text=True,
    )
    assert "This process was not given the worker's key" in process.stderr
    make_edition(code="be-ru")
    answer = client.post("/be/subscribe/", {"email": "new@example.org", "edition": "be-ru"})
    assert answer.status_code == 302
    with pytest.raises(KeyNotFound):
        sign_up.process_sign_up(SignUp.objects.get().pk, NOW)


def test_guarantee_6_a_seized_disk_shows_no_subscriber(
    relay: Catcher,
    client: Client,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The database and the log of one process.

    tests/test_seizure.py searches everything that real processes leave on disk.
    """
    planted = ["planted.one@example.org", "planted.two@example.org", "planted.three@example.org"]
    mailing = make_mailing(readers=0)
    for address in planted[:2]:
        make_subscriber(edition=mailing.edition, address=address)
    client.post(
        "/en/subscribe/", {"email": planted[2], "edition": "en"}, REMOTE_ADDR="198.51.100.7"
    )
    subscriber_id = sign_up.process_sign_up(SignUp.objects.get().pk, NOW)
    assert subscriber_id is not None
    transactional_mails.send_confirmation(subscriber_id, NOW)
    client.post(
        "/en/subscribe/", {"email": planted[2], "edition": "en"}, REMOTE_ADDR="198.51.100.7"
    )
    lifecycle.launch(mailing, NOW)
    ScriptedRelay.replies["RCPT"] = to(planted[0], f"550 5.1.1 <{planted[0]}> unknown")
    run_lane(mailing.pk, 0, lambda: NOW)
    sent_tokens = {
        found for letter in relay.letters for found in re.findall(rb"[a-z2-7]{45}", letter.raw)
    }
    assert len(sent_tokens) >= 2
    client.get("/en/letter/" + min(sent_tokens).decode() + "x/")
    seized = caplog.text.encode() + everything_in_the_database()
    assert b"newsroom.example" in seized
    for secret in (*planted, "planted", "198.51.100.7"):
        assert secret.encode() not in seized
    for token in sent_tokens:
        assert token not in seized


def everything_in_the_database() -> bytes:
    """Every value of every row."""
    dump = bytearray()
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            for row in cursor.fetchall():
                for value in row:
                    dump += value if isinstance(value, bytes) else str(value).encode()
    return bytes(dump)


def test_guarantee_8_public_pages_set_no_cookie_and_load_nothing_from_elsewhere(
    client: Client,
) -> None:
    make_edition(code="be-ru")
    article = make_article(verdict="worsened")
    make_page(code="about")
    for path in (*PUBLIC_PAGES, article.path_in("be"), "/be/topics/elite/", "/be/none/"):
        for host in ("localhost", "mirror.example"):
            answer = client.get(path, headers={"host": host, "accept-language": "ru"}, follow=True)
            assert answer.status_code in {200, 404}
            assert not answer.cookies
            page = answer.content.decode()
            # JSON-LD is data, which no browser executes.
            assert "<script" not in page.replace('<script type="application/ld+json">', "")
            assert host not in page
            for address in re.findall(r'(?:src|href|action)="([^"]*)"', page):
                local = address.startswith(("/", "#", "mailto:")) and not address.startswith("//")
                assert local or address.startswith(settings.SITE_URL)
            for loaded in re.findall(r'(?:src|srcset|action)="([^"]*)"', page):
                assert loaded.startswith("/")
    root = client.get("/", headers={"accept-language": "ru"})
    assert root.status_code == 200
    assert f'<html lang="{languages.default()}"' in root.content.decode()


def test_guarantee_9_no_foreign_text_under_a_languages_label(client: Client) -> None:
    make_edition(code="be-ru")
    article = make_article(published_in=("ru",), written_in=("ru",), verdict="improved")
    text = article.text_in("ru")
    for path in ("/be/", f"/be/weeks/{WEEK}/", f"/be/{article.pk}/"):
        page = client.get(path).content.decode()
        assert '<html lang="be"' in page
        assert text.body not in page
        for found in re.finditer(re.escape(text.title), page):
            # The nearest `lang` before its title is its own.
            assert re.findall(r'lang="(\w+)"', page[: found.start()])[-1] == "ru"
        assert 'hreflang="be"' not in alternates(page)
    assert f'href="{article.path_in("ru")}"' in client.get("/be/barometer/").content.decode()
    assert text.title not in client.get("/be/barometer/").content.decode()
    make_page(code="about", written_in=("ru",))
    about = client.get("/be/about/").content.decode()
    assert 'href="/ru/about/" lang="ru"' in about
    assert "Что говорит бюджет." not in about
    assert 'hreflang="be"' not in alternates(about)


def alternates(page: str) -> str:
    return "".join(re.findall(r'<link rel="alternate"[^>]*>', page))


def test_guarantee_10_what_is_withdrawn_is_gone_everywhere(
    client: Client,
    relay: Catcher,
) -> None:
    mailing = make_mailing(readers=2)
    article = mailing.digest.articles.get()
    Article.objects.filter(pk=article.pk).update(verdict="worsened")
    make_article(topic=make_topic(code="west"), published_in=("en",), title="Another")
    title = article.text_in("en").title
    paths = ["/", "/en/", f"/en/weeks/{WEEK}/", "/en/weeks/", "/en/topics/elite/"]
    paths += [submit_search(client, "budget", "en"), submit_search(client, "grows", "en")]
    assert title in client.get(paths[-1]).content.decode().partition("<main")[2]
    assert any(title in client.get(path).content.decode() for path in paths)
    of_verdicts = ["/en/barometer/", "/en/barometer/all.csv", "/en/barometer/2026.json"]
    assert all(title in client.get(path).content.decode() for path in of_verdicts)
    paths += ["/en/barometer/", "/en/barometer/all.csv", "/en/barometer/all.json"]
    lifecycle.launch(mailing, NOW)
    workflow.withdraw(article, timezone.now())
    for path in paths:
        assert title not in client.get(path).content.decode()
    gone = client.get(article.path_in("en"))
    assert gone.status_code == 410
    assert title not in gone.content.decode()
    run_lane(mailing.pk, 0, lambda: NOW)
    assert relay.letters == []


def test_guarantee_12_bad_input_gets_a_clear_error_and_nothing_is_lost(client: Client) -> None:
    make_edition(code="be-ru")
    answer = client.post("/be/subscribe/", {"email": "чытач@пошта", "edition": "be-ru"})
    page = answer.content.decode()
    assert answer.status_code == 400
    assert "чытач@пошта" in page
    assert "errorlist" in page
    for path in (
        "/be/999999/",
        "/be/weeks/2026-11-17/",
        "/be/topics/none/",
        "/xx/",
        "/be/confirm/x/",
    ):
        assert client.get(path).status_code == 404


def test_guarantee_13_what_you_can_type_is_what_survives() -> None:
    """At save, for the site and letters alike."""
    typed = '<p>kept <strong>bold</strong></p><script>alert(1)</script><p onclick="x()">also</p>'
    article = make_article()
    Article.objects.get(pk=article.pk)
    article.body_en = typed
    article.save()
    article.refresh_from_db()
    assert article.body_en == "<p>kept <strong>bold</strong></p><p>also</p>"
    assert article.body_en == sanitizer.clean(article.body_en)
    # The editor's toolbar is made from the same table.
    assert settings.CKEDITOR_CONFIGS["default"]["toolbar"] == sanitizer.toolbar()


def test_a_confirmation_is_sent_by_the_same_rules() -> None:
    edition = make_edition(code="be-ru")
    row = sign_up.sign_up("reader@example.org", edition, "be", NOW)
    subscriber_id = sign_up.process_sign_up(row.pk, NOW)
    assert subscriber_id is not None
    transactional_mails.send_confirmation(subscriber_id, NOW)
    [message] = mail.outbox
    assert message.extra_headers["Auto-Submitted"] == "auto-generated"
    assert settings.SITE_URL in message.body
    assert not re.search(r"<img|src=|url\(", str(message.alternatives[0].content))


def test_only_entry_points_read_the_clock() -> None:
    """Time is an argument."""
    entry_points = re.compile(
        r"/(\w*views|tasks|admin|management|demo)(/|\.py)|(newsroom|core)/health\.py"
        r"|staff/(adapters|sessions|receivers)\.py"
    )
    for app in ("core", "keys", "staff", "articles", "newsletter", "newsroom", "demo"):
        for path in (ROOT / app).rglob("*.py"):
            if entry_points.search(str(path)) or "migrations" in path.parts:
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                called = node.func if isinstance(node, ast.Call) else None
                if isinstance(called, ast.Attribute) and called.attr in {"now", "today", "utcnow"}:
                    pytest.fail(f"{path.relative_to(ROOT)}:{node.lineno} reads the clock")
