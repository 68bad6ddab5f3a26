"""No page of the admin shows an English word to whoever reads Belarusian or Russian."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib import admin
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from core import languages
from newsletter.models import Mailing, MailingStatus, Subscriber
from tests.articles.browser import ADD, LIST, analyst_client, change_url, form_data, form_data_of
from tests.factories import MONDAY_MORNING, make_user
from tests.languages.conftest import Newsroom
from tests.languages.visible_text import untranslated_texts

pytestmark = pytest.mark.django_db
# One language shows which words no template asks for; a catalogue that lacks one is found by
# newsroom.catalogues.
TRANSLATED = [
    pytest.param(code, marks=[] if code == "be" else pytest.mark.long)
    for code in languages.codes()
    if code != "en"
]
# What is the same in every language: names, codes, keys of the keyboard, the tests' own data.
ALLOWED = frozenset(
    [
        *("English", "EN", "BE", "RU", "en", "be", "ru", "be-ru", "UTC", "List-Id", "CSV", "email"),
        *("esc", "Ctrl", "Control", "Mac", "Command", "Single", "Sign-On", "LDAP"),
        *("Mailchimp", "Substack", "Ghost", "listmonk"),
        *("JPEG", "PNG", "WebP", "AVIF", "GIF"),
        *("PIN", "Aegis", "FreeOTP", "USB", "NFC", "QR", "JavaScript", "https"),
        *("news", "example", "org", "Europe", "Vilnius"),
        *("editor", "Editor", "analyst", "Analyst", "elite", "zubr", "newsroom", "md"),
    ]
)


DOORS = (
    *("account_change_password", "account_reauthenticate", "mfa_index", "mfa_activate_totp"),
    *("mfa_add_webauthn", "mfa_view_recovery_codes", "mfa_generate_recovery_codes"),
    *("staff_enrol", "account_logout"),
)
WRONG_EDITION = {"languages": "[1]", "time_zone": "Minsk", "code": "ы", "list_id": "ы"}


def new_user(name: str, password: str, again: str) -> dict[str, str]:
    return {
        "username": name,
        "usable_password": "true",
        "password1": password,
        "password2": again,
    }


def admin_pages() -> Iterator[str]:
    """Each model's list, form, history and deletion, and the pages of the admin itself."""
    yield from (reverse("admin:index"), reverse("admin:password_change"))
    for app in ("articles", "newsletter", "auth"):
        yield reverse("admin:app_list", args=[app])
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        if model is Subscriber:
            # Numbers, and no page of anybody.
            yield reverse(f"{name}_changelist")
            continue
        yield from (reverse(f"{name}_changelist"), reverse(f"{name}_add"))
        # There are as many entries of the audit as things were done above, and one is like another.
        for row in model._default_manager.all()[:6]:
            for page in ("change", "history", "delete"):
                yield reverse(f"{name}_{page}", args=[row.pk])
    yield from (reverse(name) for name in DOORS)
    yield reverse("admin:auth_user_password_change", args=[make_user().pk])
    yield f"{LIST}?q=нічога"
    yield f"{LIST}?language=be:waiting"
    yield f"{reverse('admin:search')}?s=артыкул"
    yield f"{reverse('admin:search')}?s=нічога"
    yield "/admin/no-such-page/"


def english_on(answer: HttpResponse, language: str) -> list[str]:
    assert answer.headers["Content-Language"] == language
    found = untranslated_texts(answer.content.decode(), language, ALLOWED)
    return [text for text in found if "***" not in text]  # A masked salt may be any letters.


@pytest.fixture(params=TRANSLATED)
def speak(desk: Client, request: pytest.FixtureRequest) -> str:
    """The language that the desk's user picked."""
    language = str(request.param)
    desk.post(reverse("set_language"), {"language": language})
    return language


@pytest.mark.long
def test_on_no_page(desk: Client, newsroom: Newsroom, speak: str) -> None:
    found = {path: english_on(desk.get(path, follow=True), speak) for path in admin_pages()}
    assert len(found) > 50
    assert {path: words for path, words in found.items() if words} == {}


def test_not_in_what_it_answers(desk: Client, newsroom: Newsroom, speak: str) -> None:
    article = change_url(newsroom.draft)
    digest = reverse("admin:articles_digest_change", args=[newsroom.open_digest.pk])
    selected = {"_selected_action": [newsroom.draft.pk]}
    topic = newsroom.published.topic_id
    second_verdict = {"topic": topic, "week": "2026-11-16", "verdict": "improved"}
    answers = [
        desk.post(path, data, follow=True)
        for path, data in (
            (ADD, form_data(lead_be="Без загалоўка")),
            (ADD, form_data(title_be="Яшчэ", week="учора")),
            (ADD, form_data(title_be="Яшчэ", _publish="be")),
            (ADD, form_data(title_be="Яшчэ", **second_verdict)),
            (article, form_data_of(newsroom.draft, title_be="Новы", verdict="improved")),
            (article, form_data_of(newsroom.draft, title_be="Новы", _continue="1")),
            (article, form_data_of(newsroom.draft, title_be="Новы", _publish="be")),
            (
                change_url(newsroom.published),
                form_data_of(newsroom.published, body_be="", topic=""),
            ),
            (f"{change_url(newsroom.published).removesuffix('change/')}do/withdraw-ru/", {}),
            (LIST, {"action": "delete_selected", **selected}),
            (LIST, {"action": "", **selected}),
            (LIST, {"action": "delete_selected"}),
            (reverse("admin:articles_digest_add"), {"week": "2020-01-01"}),
            (digest.replace("change", "do/gather"), {}),
            (digest.replace("change", "do/approve"), {}),
            (digest.replace("change", "do/reopen"), {}),
            (reverse("admin:newsletter_edition_add"), WRONG_EDITION),
            (reverse("admin:auth_user_add"), new_user("editor", "1234", "1")),
            (reverse("admin:auth_user_add"), new_user("zubr", "12345", "12345")),
            (reverse("admin:staff_role_add"), {"name": "Аналітыкі"}),
            (reverse("admin:password_change"), {"old_password": "x", "new_password1": "a"}),
        )
    ]
    for answer in answers:
        assert english_on(answer, speak) == [], answer.request["PATH_INFO"]
    # What was changed above is told by the histories.
    for row in (newsroom.draft, newsroom.published, newsroom.open_digest):
        history = desk.get(change_url(row).replace("change", "history"))
        assert english_on(history, speak) == []


def test_not_on_a_mailing_in_any_state(desk: Client, newsroom: Newsroom, speak: str) -> None:
    for status in MailingStatus.values:
        Mailing.objects.update(status=status, launched_at=MONDAY_MORNING)
        page = desk.get(reverse("admin:newsletter_mailing_change", args=[newsroom.mailing.pk]))
        assert english_on(page, speak) == [], status


def test_not_at_the_door_nor_to_whoever_may_not_enter(
    client: Client, newsroom: Newsroom, speak: str
) -> None:
    analyst = analyst_client()
    for visitor in (client, analyst):
        visitor.post(reverse("set_language"), {"language": speak})
    log_in = reverse("admin:login")
    assert english_on(client.get(log_in), speak) == []
    wrong = client.post(log_in, {"username": "editor", "password": "wrong"})
    assert english_on(wrong, speak) == []
    refused = analyst.get(reverse("admin:auth_user_changelist"))
    assert refused.status_code == 403
    assert english_on(refused, speak) == []
    assert english_on(analyst.get(change_url(newsroom.published)), speak) == []
    assert english_on(analyst.post(reverse("admin:logout")), speak) == []
