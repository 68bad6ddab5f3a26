"""The address of what was withdrawn, and the note that an editor may write there."""

from __future__ import annotations

import pytest
from django.test import Client

from articles.editorial import workflow
from articles.models import Article
from staff.models import AuditEntry
from tests.articles.browser import LIST, analyst_client, visible_text
from tests.factories import MONDAY_MORNING, make_article
from tests.html_pages import normalize_html

pytestmark = pytest.mark.django_db
WHY = "Крыніца памылілася."


def gone(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 410
    return normalize_html(answer.content.decode())


def test_a_language_that_was_withdrawn_is_gone_and_says_where_the_text_still_is(
    client: Client,
) -> None:
    article = make_article()
    workflow.withdraw_language(article, "be", MONDAY_MORNING, note=WHY)
    text = gone(client, f"/be/{article.pk}/")
    main = text.partition("<main")[2].partition("</main>")[0]
    assert WHY in main
    assert article.path_in("ru") in main
    assert article.title_be not in text
    assert "noindex" in text
    # The other languages stay, and lead nobody to what is gone.
    english = client.get(article.path_in("en"))
    assert english.status_code == 200
    assert f"/be/{article.pk}/" not in english.content.decode()


def test_a_language_that_never_was_public_is_missing_and_not_gone(client: Client) -> None:
    article = make_article(published_in=("en", "ru"))
    workflow.withdraw_language(article, "ru", MONDAY_MORNING)
    assert client.get(f"/be/{article.pk}/").status_code == 200
    gone(client, f"/ru/{article.pk}/")


def test_a_note_in_another_language_says_so(client: Client) -> None:
    article = make_article()
    workflow.withdraw(article, MONDAY_MORNING, notes={"be": WHY})
    assert f"</span> {WHY}" in gone(client, f"/ru/{article.pk}/")
    english = gone(client, f"/en/{article.pk}/")
    assert '<p class="note" lang="be">' in english
    assert "Language: Belarusian" in english


def test_what_is_published_again_has_no_note(client: Client) -> None:
    article = make_article()
    workflow.withdraw_language(article, "be", MONDAY_MORNING, note=WHY)
    workflow.publish(article, "be", MONDAY_MORNING)
    workflow.withdraw_language(article, "be", MONDAY_MORNING)
    assert WHY not in gone(client, f"/be/{article.pk}/")


def test_markup_in_a_note_is_text(client: Client) -> None:
    article = make_article()
    workflow.withdraw(article, MONDAY_MORNING, notes={"be": "<b>так</b>"})
    assert "&lt;b&gt;так&lt;/b&gt;" in gone(client, f"/be/{article.pk}/")


# --- At the desk -------------------------------------------------------------------------


def test_withdrawing_asks_for_a_note_in_each_language_that_was_public(desk: Client) -> None:
    article = make_article(published_in=("be", "ru"))
    asked = desk.get(f"{LIST}{article.pk}/do/withdraw/").content.decode()
    assert 'name="note_be"' in asked
    assert 'name="note_en"' not in asked
    desk.post(f"{LIST}{article.pk}/do/withdraw/", {"note_be": WHY, "note_en": "Nobody asked."})
    rows = Article.objects.get().language_rows
    assert {code: row.gone_note for code, row in rows.items()} == {"en": "", "be": WHY, "ru": ""}


def test_a_note_can_be_written_later_and_the_audit_knows(desk: Client, client: Client) -> None:
    article = make_article()
    desk.post(f"{LIST}{article.pk}/do/withdraw-be/")
    assert 'name="note_be"' in desk.get(f"{LIST}{article.pk}/do/note/").content.decode()
    told = desk.post(f"{LIST}{article.pk}/do/note/", {"note_be": WHY}, follow=True)
    assert "Readers see it" in visible_text(told)
    assert WHY in gone(client, f"/be/{article.pk}/")
    entry = AuditEntry.objects.order_by("-pk")[0]
    assert (entry.language, entry.detail) == ("be", workflow.WITHDRAWAL_NOTE_DETAIL)


def test_a_note_that_is_too_long_withdraws_nothing(desk: Client) -> None:
    article = make_article()
    told = desk.post(f"{LIST}{article.pk}/do/withdraw-be/", {"note_be": "а" * 501}, follow=True)
    assert "500" in visible_text(told)
    assert "be" in Article.objects.get().public_languages


def test_who_may_not_publish_writes_no_note() -> None:
    article = make_article()
    workflow.withdraw(article, MONDAY_MORNING)
    assert (
        analyst_client().post(f"{LIST}{article.pk}/do/note/", {"note_be": WHY}).status_code == 403
    )
