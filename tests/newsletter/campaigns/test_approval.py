"""Approving: exactly what was seen is frozen, by one person or by two."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from articles.editorial import workflow
from articles.editorial.coverage import save_gap_policies
from articles.editorial.digest_builder import build_digest
from articles.editorial.saving import save_article
from articles.models import Digest
from newsletter.campaigns import approval as approving
from newsletter.campaigns.approval import ApprovalError
from newsletter.models import Mailing
from staff.models import AuditAction, AuditEntry
from tests.articles.browser import change_url, visible_text
from tests.factories import MONDAY_MORNING, WEEK, make_article, make_edition, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def desk(client: Client) -> Client:
    client.force_login(make_user())
    return client


def approval(digest: Digest) -> str:
    return reverse("admin:articles_digest_do", args=[digest.pk, "approve"])


def shown(desk: Client, digest: Digest) -> dict[str, str]:
    page = desk.get(approval(digest)).content.decode()
    [found] = re.findall(r'name="shown" value="(\w+)"', page)
    return {"shown": found}


def texts_of(mailing: Mailing) -> str:
    return bytes(mailing.variants.get().content).decode()


def test_it_shows_what_each_edition_will_contain(desk: Client) -> None:
    make_edition(code="en", position=1)
    make_edition(code="be-ru", position=2)
    make_article(title="Both", published_in=("en", "ru"))
    make_article(title="Only", published_in=("en",))
    page = visible_text(desk.get(approval(build_digest(WEEK))))
    english, belarusian = page.split(" BE/RU ", 1)
    assert "Both en" in english
    assert "Only en" in english
    assert "Both ru руская" in belarusian, "labelled, since it is not the edition's first"
    assert "Left out, since this edition has no text to show: Only en" in belarusian
    assert "Leaves on 23 November 2026, 07:00." in page


def test_the_letter_that_is_looked_at_is_the_letter_that_is_frozen(desk: Client) -> None:
    edition = make_edition(discreet=True)
    make_article()
    digest = build_digest(WEEK)
    seen = {
        (kind, part): desk.get(
            reverse("admin:articles_digest_letter", args=[digest.pk, edition.pk, kind, part])
        )
        for kind, part in (("full", "html"), ("full", "text"), ("discreet", "text"))
    }
    for answer in seen.values():
        assert "The budget grows." in answer.content.decode()
        assert "01token" not in answer.content.decode()
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src" not in policy
    nobodys = f"letter/{edition.pk + 1}/full/html"
    assert desk.get(approval(digest).replace("do/approve", nobodys)).status_code == 404


def test_what_changed_since_it_was_looked_at_is_not_approved(desk: Client) -> None:
    make_edition()
    article = make_article()
    digest = build_digest(WEEK)
    sent = shown(desk, digest)
    article.title_en = "Changed"
    save_article(article, by=article.owner, now=MONDAY_MORNING)
    page = desk.post(approval(digest), sent, follow=True)
    assert "Something in it has changed since you looked." in visible_text(page)
    assert not Mailing.objects.exists()
    desk.post(approval(digest), shown(desk, digest))
    assert "Changed" in texts_of(Mailing.objects.get())
    assert AuditEntry.objects.filter(action=AuditAction.APPROVED, actor="editor").exists()


def test_a_held_digest_is_not_approved_and_says_what_it_waits_for(desk: Client) -> None:
    make_edition()
    article = make_article(published_in=("en",))
    digest = build_digest(WEEK)
    save_gap_policies(digest, [(article.topic_id or 0, "be", "hold")])
    told = visible_text(desk.get(approval(digest), follow=True))
    assert "The digest is held until these are published: elite en (Беларуская)." in told
    with pytest.raises(ApprovalError, match="held"):
        approving.approve(digest, make_user(), MONDAY_MORNING)


def test_a_gap_told_to_show_another_language_does_so_with_a_label() -> None:
    make_edition(code="en")
    article = make_article(published_in=("be",))
    digest = build_digest(WEEK)
    with pytest.raises(ApprovalError, match="empty"):
        approving.approve(digest, make_user(), MONDAY_MORNING)
    save_gap_policies(digest, [(article.topic_id or 0, "en", "show other")])
    [mailing] = approving.approve(digest, make_user(), MONDAY_MORNING)
    letter = texts_of(mailing)
    assert "Бюджэт be" in letter
    assert "Belarusian" in letter
    assert 'lang="be"' in letter


def test_where_approving_needs_two_the_second_approves_the_same(
    desk: Client, settings: Settings
) -> None:
    settings.SECOND_APPROVER = True
    make_edition()
    article = make_article()
    digest = build_digest(WEEK)
    second = Client()
    second.force_login(make_user(username="second"))

    def approve(who: Client) -> Any:
        return visible_text(who.post(approval(digest), shown(who, digest), follow=True))

    assert "Your approval is noted." in approve(desk)
    assert "Your approval is noted." in approve(desk), "twice the same person is one"
    assert "editor approved it on" in visible_text(second.get(change_url(digest)))
    article.title_en = "Changed"
    save_article(article, by=article.owner, now=MONDAY_MORNING)
    assert "Your approval is noted." in approve(second), "a change voids the first approval"
    assert not Mailing.objects.exists()
    assert "second has approved exactly this." in visible_text(desk.get(approval(digest)))
    assert "Approved and frozen" in approve(desk)
    assert Mailing.objects.get().approved_by == make_user()
    with pytest.raises(ApprovalError, match="approved already"):
        approving.approve(digest, make_user(), MONDAY_MORNING)


def test_a_command_is_no_second_person(settings: Settings) -> None:
    settings.SECOND_APPROVER = True
    make_edition()
    make_article()
    with pytest.raises(ApprovalError, match="two people"):
        approving.approve(build_digest(WEEK), None, MONDAY_MORNING)


def test_the_editor_sees_why_a_digest_is_open_again(desk: Client) -> None:
    make_edition()
    article = make_article()
    digest = build_digest(WEEK)
    approving.approve(digest, make_user(), MONDAY_MORNING)
    workflow.withdraw(article, MONDAY_MORNING)
    assert "Open again: “The budget en” was withdrawn." in visible_text(
        desk.get(change_url(digest))
    )


def test_before_withdrawing_it_says_what_becomes_of_letters(desk: Client) -> None:
    make_edition()
    article = make_article()
    ask = reverse("admin:articles_article_do", args=[article.pk, "withdraw-en"])
    digest = build_digest(WEEK)
    assert "is cancelled" not in visible_text(desk.get(ask))
    [mailing] = approving.approve(digest, make_user(), MONDAY_MORNING)
    cancelled = f"The mailing {mailing} is cancelled, and its digest opens again."
    assert cancelled in visible_text(desk.get(ask))
    assert "It vanishes from the digest of 16–22 November 2026." in visible_text(desk.get(ask))
    other = ask.replace("withdraw-en", "withdraw-be")
    assert "is cancelled" not in visible_text(desk.get(other)), "the letter shows English only"
    mailing.begin(MONDAY_MORNING)
    assert "pauses: 0 of 0 letters have gone" in visible_text(desk.get(ask))
    mailing.mark_sent(MONDAY_MORNING)
    assert "has gone: letters are not called back" in visible_text(desk.get(ask))
