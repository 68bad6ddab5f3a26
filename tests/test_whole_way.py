"""One story, from a written article to a subscriber who left.

Everything is done as people do it: in the admin, on the public pages and out of the letters.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import reverse

from articles.models import Article, Digest
from core.weeks import Week
from demo.mail_catcher.catcher import Catcher
from demo.mail_catcher.letters import Letter
from newsletter.models import Mailing, MailingStatus, Subscriber, SubscriberStatus
from newsletter.tasks import tick
from newsroom.celery import app
from tests.factories import make_edition, make_topic, make_user

pytestmark = pytest.mark.django_db(transaction=True)
MARYIA = "maryia@example.org"


@pytest.fixture(autouse=True)
def tasks_at_once() -> Iterator[None]:
    app.conf.task_always_eager = True
    yield
    app.conf.task_always_eager = False


def path_in(letter: Letter, pattern: str) -> str:
    """Follows a link out of the letter."""
    found = re.search(rf"https?://[^/]+({pattern})", letter.contents.text)
    assert found, letter.contents.text
    return found.group(1)


def test_from_a_written_article_to_a_reader_who_left(relay: Catcher, client: Client) -> None:
    week = Week.last_full(dt.datetime.now(dt.UTC).date())
    make_edition(code="be-ru")
    topic = make_topic()
    desk = Client()
    desk.force_login(make_user())

    # An analyst writes in Russian and publishes it; a colleague adds Belarusian.
    texts = {
        f"{name}_{code}": "" for name in ("title", "lead", "body") for code in ("en", "be", "ru")
    }
    written = {
        **texts,
        "topic": topic.pk,
        "week": str(week),
        "verdict": "worsened",
        "cover_credit": "",
        "title_ru": "Бюджет растёт",
        "body_ru": "<p>Текст о бюджете.</p>",
    }
    desk.post(reverse("admin:articles_article_add"), {**written, "_publish": "ru"})
    article = Article.objects.get()
    assert client.get(article.path_in("ru")).status_code == 200
    assert "Текст о бюджете" not in client.get(f"/be/{article.pk}/").content.decode()
    written |= {"title_be": "Бюджэт расце", "body_be": "<p>Тэкст пра бюджэт.</p>"}
    change = reverse("admin:articles_article_change", args=[article.pk])
    desk.post(change, {**written, "_publish": "be"})
    page = client.get(Article.objects.get().path_in("be")).content.decode()
    assert "Тэкст пра бюджэт." in page
    assert week.label("be") in page

    # Maryia signs up, gets a letter and confirms with the button behind its link.
    answer = client.post("/be/subscribe/", {"email": MARYIA, "edition": "be-ru"}, follow=True)
    assert answer.status_code == 200
    [confirmation] = relay.letters
    assert confirmation.recipients == (MARYIA,)
    path = path_in(confirmation, r"/be/confirm/[a-z2-7]+/")
    client.get(path)
    assert not Subscriber.objects.active().exists()
    assert "Вы паспяхова падпісаліся" in client.post(path).content.decode()
    # There is no digest yet to send at once, so a word says when the first one comes.
    [_confirmation, welcome] = relay.letters
    assert "Першы ліст прыйдзе" in welcome.contents.text

    # An editor gathers the week, approves it and sends it now.
    desk.post(reverse("admin:articles_digest_add"), {"week": str(week)})
    digest = Digest.objects.get()
    desk.post(reverse("admin:articles_digest_do", args=[digest.pk, "approve"]))
    mailing = Mailing.objects.get()
    desk.post(reverse("admin:newsletter_mailing_do", args=[mailing.pk, "send"]))
    mailing.refresh_from_db()
    assert mailing.status == MailingStatus.SENT
    letter = relay.letters[-1]
    assert letter.recipients == (MARYIA,)
    assert "Тэкст пра бюджэт." in letter.contents.text
    assert week.short_label("be") in letter.subject

    # A tick finds nothing more to do, and nobody gets it twice.
    tick.delay()
    assert len(relay.letters) == 3

    # The letter's web version is the week's page; its one link lets Maryia leave.
    assert client.get(path_in(letter, r"/be/weeks/[\d-]+/")).status_code == 200
    path = path_in(letter, r"/be/letter/[a-z2-7]+/")
    client.get(path)
    assert Subscriber.objects.active().exists()
    assert client.post(path).status_code == 200
    gone = Subscriber.objects.get()
    assert (gone.status, gone.sealed_address) == (SubscriberStatus.UNSUBSCRIBED, b"")
