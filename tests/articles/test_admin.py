"""The desk: writing and publishing in the admin."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from articles.models import Article, Digest
from articles.publishing import publish
from newsletter.models import Mailing
from tests.factories import (
    MONDAY_MORNING,
    WEEK,
    make_article,
    make_edition,
    make_topic,
    make_user,
)

pytestmark = pytest.mark.django_db
ADD = "admin:articles_article_add"
CHANGE = "admin:articles_article_change"


@pytest.fixture
def desk(client: Client) -> Client:
    client.force_login(make_user())
    return client


def form(**fields: Any) -> dict[str, Any]:
    """What the browser sends: every field, most of them empty."""
    texts = {
        f"{name}_{code}": "" for name in ("title", "lead", "body") for code in ("en", "be", "ru")
    }
    return {**texts, "verdict": "", "cover_credit": "", **fields}


def russian(**fields: Any) -> dict[str, Any]:
    written = {
        "topic": make_topic().pk,
        "week": "2026-11-18",
        "title_ru": "Бюджет",
        "lead_ru": "Лид.",
        "body_ru": "<p>Текст</p><script>alert(1)</script>",
    }
    return form(**{**written, **fields})


def page(answer: Any) -> str:
    return str(answer.content.decode())


def test_an_analyst_starts_in_any_one_language(desk: Client) -> None:
    answer = desk.post(reverse(ADD), russian())
    assert answer.status_code == 302, page(answer)
    article = Article.objects.get()
    assert (article.owner, article.week) == (make_user(), WEEK)
    assert article.body_ru == "<p>Текст</p>"
    assert [row.language for row in article.article_languages.all()] == ["ru"]


def test_saving_and_publishing_is_one_button(desk: Client) -> None:
    answer = desk.post(reverse(ADD), russian(_publish="ru"), follow=True)
    assert "Published in Русский." in page(answer)
    assert Article.objects.in_language("ru").count() == 1
    article = Article.objects.get()
    desk.post(
        reverse(CHANGE, args=[article.pk]),
        russian(title_be="Бюджэт", body_be="<p>Тэкст</p>", _publish="be"),
    )
    assert Article.objects.in_language("be").count() == 1


def test_what_is_not_fit_to_be_published_is_saved_all_the_same(desk: Client) -> None:
    answer = desk.post(reverse(ADD), form(title_ru="Бюджет", _publish="ru"), follow=True)
    said = page(answer)
    assert "The body in Русский is missing." in said
    assert "The article has no topic. Choose one." in said
    assert Article.objects.get().title_ru == "Бюджет"


def test_who_may_not_publish_saves_only(client: Client) -> None:
    analyst = make_user(username="analyst", is_superuser=False)
    analyst.user_permissions.set(
        Permission.objects.filter(codename__in=["add_article", "change_article", "view_article"])
    )
    client.force_login(analyst)
    answer = client.post(reverse(ADD), russian(_publish="ru"), follow=True)
    assert Article.objects.count() == 1
    assert not Article.objects.public().exists()
    assert "_publish" not in page(answer)


def test_an_article_without_any_title_is_refused_and_keeps_what_was_typed(desk: Client) -> None:
    answer = desk.post(reverse(ADD), form(lead_ru="Только лид"))
    assert answer.status_code == 200
    assert "Write one in any one language" in page(answer)
    assert "Только лид" in page(answer)
    assert not Article.objects.exists()


def test_a_second_verdict_is_refused_at_the_form(desk: Client) -> None:
    make_article(verdict="improved")
    answer = desk.post(reverse(ADD), russian(verdict="worsened"))
    assert "already gives the verdict" in page(answer)
    assert Article.objects.count() == 1


def test_a_public_language_is_not_emptied_by_mistake(desk: Client) -> None:
    article = make_article(written_in=("ru",))
    answer = desk.post(reverse(CHANGE, args=[article.pk]), russian(body_ru=""))
    assert "Withdraw it before you empty it" in page(answer)
    article.refresh_from_db()
    assert article.body_ru


def test_withdrawing_takes_a_post_and_the_right(desk: Client, client: Client) -> None:
    article = make_article()
    path = reverse("admin:articles_article_do", args=[article.pk, "withdraw-ru"])
    assert desk.get(path).status_code == 405
    assert Article.objects.in_language("ru").exists()
    assert desk.post(path).status_code == 302
    assert not Article.objects.in_language("ru").exists()
    client.force_login(make_user(username="other", is_superuser=False))
    assert client.post(path.replace("withdraw-ru", "withdraw")).status_code == 403


def test_what_was_public_cannot_be_deleted(desk: Client) -> None:
    published, draft = make_article(), make_article(published_in=())
    delete = "admin:articles_article_delete"
    assert desk.post(reverse(delete, args=[published.pk]), {"post": "yes"}).status_code == 403
    assert desk.post(reverse(delete, args=[draft.pk]), {"post": "yes"}).status_code == 302


def test_the_list_never_queries_per_row(
    desk: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    make_article()
    desk.get(reverse("admin:articles_article_changelist"))
    for number in range(8):
        make_article(topic=make_topic(code=f"t{number}"))
    with django_assert_max_num_queries(12):
        answer = desk.get(reverse("admin:articles_article_changelist"))
    assert page(answer).count('class="chip published"') == 27


@pytest.mark.parametrize("search", ["бюджет", "БЮДЖЕТ", "Бюджет"])
def test_a_title_is_found_whatever_its_case(desk: Client, search: str) -> None:
    make_article(written_in=("ru",), published_in=())
    answer = desk.get(reverse("admin:articles_article_changelist"), {"q": search})
    assert "Бюджет" in page(answer)


@pytest.mark.parametrize(
    ("chosen", "number"),
    [("ru:public", 1), ("be:waiting", 1), ("be:missing", 1), ("en:missing", 2)],
)
def test_the_list_filters_by_the_state_of_a_language(
    desk: Client, chosen: str, number: int
) -> None:
    make_article(written_in=("ru",))
    make_article(written_in=("be", "ru"), published_in=())
    answer = desk.get(reverse("admin:articles_article_changelist"), {"language": chosen})
    assert page(answer).count('class="chip ') == 3 * number


def test_every_page_of_the_desk_opens(desk: Client) -> None:
    make_edition()
    article = make_article()
    publish(article, "en", MONDAY_MORNING)
    for model in ("article", "author", "digest", "topic"):
        for verb in ("changelist", "add"):
            path = reverse(f"admin:articles_{model}_{verb}")
            assert desk.get(path).status_code == 200, path
    assert desk.get(reverse("admin:articles_masthead_changelist"), follow=True).status_code == 200
    for path in ("newsletter_edition", "newsletter_mailing", "auth_user", "auth_group"):
        assert desk.get(reverse(f"admin:{path}_changelist")).status_code == 200
    assert desk.get(reverse(CHANGE, args=[article.pk])).status_code == 200


# --- Digests and mailings ------------------------------------------------------------


def test_a_digest_is_gathered_by_naming_a_day_of_its_week(desk: Client) -> None:
    article = make_article()
    answer = desk.post(reverse("admin:articles_digest_add"), {"week": "2026-11-20"})
    assert answer.status_code == 302, page(answer)
    assert Digest.objects.get().ordered_articles() == [article]


def test_a_week_without_articles_is_refused_at_the_form(desk: Client) -> None:
    answer = desk.post(reverse("admin:articles_digest_add"), {"week": "2026-11-20"})
    assert "Publish one first" in page(answer)
    assert not Digest.objects.exists()


def test_an_editor_orders_introduces_approves_and_sends(desk: Client) -> None:
    make_edition()
    first = make_article(topic=make_topic(code="elite", position=1))
    second = make_article(topic=make_topic(code="west", position=2))
    desk.post(reverse("admin:articles_digest_add"), {"week": "2026-11-20"})
    digest = Digest.objects.get()
    entries = list(digest.entries.all())
    rows = {
        "introduction_en": "A quiet week.",
        "introduction_be": "",
        "introduction_ru": "",
        "entries-TOTAL_FORMS": "2",
        "entries-INITIAL_FORMS": "2",
    }
    for number, (entry, position) in enumerate(zip(entries, (2, 1), strict=True)):
        rows |= {
            f"entries-{number}-id": str(entry.pk),
            f"entries-{number}-digest": str(digest.pk),
            f"entries-{number}-article": str(entry.article_id),
            f"entries-{number}-position": str(position),
        }
    change = reverse("admin:articles_digest_change", args=[digest.pk])
    assert desk.post(change, rows).status_code == 302
    assert digest.ordered_articles() == [second, first]

    assert "would carry 2 articles" in page(desk.get(change))
    approve = reverse("admin:articles_digest_do", args=[digest.pk, "approve"])
    assert desk.get(approve).status_code == 405
    assert "Approved and frozen: EN" in page(desk.post(approve, follow=True))
    mailing = Mailing.objects.get()
    assert "A quiet week." in bytes(mailing.variants.get().content).decode()
    # Frozen: the form is read-only now.
    assert desk.post(change, rows).status_code == 403

    send = reverse("admin:newsletter_mailing_do", args=[mailing.pk, "send"])
    assert "The sending has begun. Readers: 0." in page(desk.post(send, follow=True))


def test_approving_an_empty_digest_says_what_is_wrong(desk: Client) -> None:
    make_edition(code="be-ru")
    make_article(published_in=("en",))
    desk.post(reverse("admin:articles_digest_add"), {"week": "2026-11-20"})
    approve = reverse("admin:articles_digest_do", args=[Digest.objects.get().pk, "approve"])
    assert "The digest is empty" in page(desk.post(approve, follow=True))
    assert not Mailing.objects.exists()
