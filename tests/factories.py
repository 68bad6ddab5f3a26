"""Small makers of rows, built on the project's own verbs. Keyword-only, typed."""

from __future__ import annotations

import datetime as dt
import functools
import io
import itertools
from typing import Any

from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from PIL import Image

from articles.editorial import workflow
from articles.editorial.digest_builder import build_digest
from articles.editorial.image_uploads import store_picture
from articles.editorial.saving import save_article
from articles.images import image_decoder
from articles.images.decoder_process import ProcessedImage
from articles.models import Article, Page, Picture, Topic
from articles.public.static_pages import save_page
from core.weeks import Week
from keys import sealing
from newsletter.campaigns import approval
from newsletter.delivery.relays.config import Relay
from newsletter.models import Edition, Mailing, Subscriber, VariantKind
from newsletter.subscribers import sign_up
from staff.second_factor import needs_second_factor

PASSWORD = "pass"
TOTP_SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
WEEK = Week.parse("2026-11-16")
MONDAY_MORNING = dt.datetime(2026, 11, 23, 7, 0, tzinfo=dt.UTC)
"""The hour after WEEK at which an edition of 9:00 in Vilnius is due."""
A_RELAY = Relay.parse("smtp://127.0.0.1:25")
"""Without limits; nobody connects to it."""
WORDS = {
    "en": ("The budget", "What the budget says.", "<p>The budget grows.</p>"),
    "be": ("Бюджэт", "Што кажа бюджэт.", "<p>Бюджэт расце.</p>"),
    "ru": ("Бюджет", "Что говорит бюджет.", "<p>Бюджет растёт.</p>"),
}
_numbers = itertools.count(1)


def make_user(*, username: str = "editor", enrolled: bool = True, **fields: Any) -> Any:
    """A superuser unless said otherwise; one of each name, with the second factor they need."""
    users = get_user_model().objects
    known = users.filter(username=username).first()
    if known is not None:
        return known
    user = users.create_user(
        username, password=PASSWORD, **{"is_staff": True, "is_superuser": True, **fields}
    )
    if enrolled and needs_second_factor(user):
        enrol(user)
    return user


def enrol(user: User) -> None:
    """Gives an authenticator app and recovery codes to a user, as the enrolment does."""
    TOTP.activate(user, TOTP_SECRET)
    RecoveryCodes.activate(user)


def make_topic(*, code: str = "elite", position: int = 1) -> Topic:
    """One of each code, named after it in every language."""
    names = {f"name_{language}": f"{code} {language}" for language in WORDS}
    return Topic.objects.get_or_create(code=code, defaults={"position": position, **names})[0]


def make_article(
    *,
    topic: Topic | None = None,
    week: Week | None = WEEK,
    written_in: tuple[str, ...] = ("en", "be", "ru"),
    published_in: tuple[str, ...] | None = None,
    verdict: str = "",
    title: str = "",
    owner: Any = None,
    now: dt.datetime = MONDAY_MORNING,
    **fields: Any,
) -> Article:
    """Written in these languages and published in those (all of them by default)."""
    article = Article(
        topic=topic or make_topic(),
        week=week,
        verdict=verdict,
        owner=owner or make_user(),
        **fields,
    )
    for language in written_in:
        words = WORDS[language]
        setattr(article, f"title_{language}", f"{title or words[0]} {language}")
        setattr(article, f"lead_{language}", words[1])
        setattr(article, f"body_{language}", words[2])
    save_article(article, by=article.owner, now=now)
    for language in written_in if published_in is None else published_in:
        workflow.publish(article, language, now)
    return article


def make_page(
    *,
    code: str = "about",
    written_in: tuple[str, ...] = ("en", "be", "ru"),
    title: str = "",
    now: dt.datetime = MONDAY_MORNING,
) -> Page:
    """One that stands for years, with the code as its title in each of these languages."""
    page = Page(code=code)
    for language in written_in:
        setattr(page, f"title_{language}", f"{title or code} {language}")
        setattr(page, f"body_{language}", f"<p>{WORDS[language][1]}</p>")
    save_page(page, by=make_user(), now=now)
    return page


def a_jpeg(width: int = 800, height: int = 450) -> bytes:
    """A picture as somebody uploads it."""
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(buffer, "JPEG")
    return buffer.getvalue()


@functools.cache
def _opened(width: int, height: int) -> ProcessedImage:
    """A process is started for each picture, which is enough once for each size."""
    return image_decoder.process_upload(a_jpeg(width, height))


def make_picture(*, width: int = 640, height: int = 360, **fields: Any) -> Picture:
    """One that came through the door; `fields` as the form sets them."""
    picture = store_picture(_opened(width, height), Picture(), by=make_user(), now=MONDAY_MORNING)
    for name, value in fields.items():
        setattr(picture, name, value)
    picture.save()
    return picture


def make_edition(*, code: str = "en", discreet: bool = False, **fields: Any) -> Edition:
    """EN or BE/RU, due on Mondays at nine in Vilnius."""
    neutral = {
        "discreet_subject": "Notes",
        "discreet_sender_name": "Notes",
        "discreet_sender_address": "notes@neutral.example",
        "discreet_list_id": "notes.neutral.example",
        "discreet_site_url": "https://neutral.example",
    }
    return Edition.objects.create(
        **{
            "code": code,
            "name": code.upper().replace("-", "/"),
            "languages": code.split("-"),
            "time_zone": "Europe/Vilnius",
            "sender_name": "Рэдакцыя" if code == "be-ru" else "The newsroom",
            "sender_address": f"{code}@newsroom.example",
            "list_id": f"{code}.newsroom.example",
            **(neutral if discreet else {}),
            **fields,
        }
    )


def make_subscriber(
    *,
    edition: Edition,
    address: str = "",
    now: dt.datetime = MONDAY_MORNING,
    variant: str = VariantKind.FULL,
) -> Subscriber:
    """An active one."""
    subscriber = sign_up.add_confirmed(
        address or f"reader{next(_numbers)}@example.org", edition, now, sealing.worker_keys()
    )
    assert subscriber is not None
    subscriber.variant = variant
    subscriber.save()
    return subscriber


def make_mailing(*, readers: int = 3, now: dt.datetime = MONDAY_MORNING) -> Mailing:
    """An EN mailing of WEEK with one article, approved and waiting, with so many readers."""
    edition = make_edition()
    for _ in range(readers):
        make_subscriber(edition=edition, now=now)
    make_article(published_in=("en",))
    [mailing] = approval.approve(build_digest(WEEK), make_user(), now)
    return mailing
