"""Where a body is sanitised: in the form's field and before the column, and nowhere else."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import nh3
import pytest
from django.core import serializers
from django.test import Client

from articles.editorial.importing import ImportOptions, import_articles
from articles.editorial.saving import restore_revision
from articles.models import Article, Page, Revision
from tests.articles.browser import ADD, change_url, form_data, form_data_of
from tests.factories import MONDAY_MORNING, make_article, make_page, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

EVIL = '<p onclick="x()">kept</p><script>alert(1)</script>'
KEPT = "<p>kept</p>"


@pytest.fixture
def sanitised(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often the sanitiser was given each text."""
    given: Counter[str] = Counter()
    real = nh3.clean

    def counted(text: str, **rules: Any) -> str:
        given[text] += 1
        return real(text, **rules)

    monkeypatch.setattr(nh3, "clean", counted)
    return given


def saved(article: Article) -> None:
    article.body_en = EVIL
    article.save()


def saved_in_part(article: Article) -> None:
    article.body_en = EVIL
    article.save(update_fields=["body_en"])


def updated(article: Article) -> None:
    Article.objects.filter(pk=article.pk).update(body_en=EVIL)


def updated_in_bulk(article: Article) -> None:
    article.body_en = EVIL
    Article.objects.bulk_update([article], ["body_en"])


def created_in_bulk(article: Article) -> None:
    twin = Article(owner=article.owner, created_at=MONDAY_MORNING, title_en="Twin", body_en=EVIL)
    article.delete()
    Article.objects.bulk_create([twin])


def updated_or_created(article: Article) -> None:
    Article.objects.update_or_create(pk=article.pk, defaults={"body_en": EVIL})


def loaded_as_a_fixture(article: Article) -> None:
    [row] = json.loads(serializers.serialize("json", [article]))
    row["fields"]["body_en"] = EVIL
    for loaded in serializers.deserialize("json", json.dumps([row])):
        loaded.save()


def restored(article: Article) -> None:
    Revision.objects.update(body=EVIL)
    restore_revision(
        article, "en", article.revisions.get(language="en"), by=None, now=MONDAY_MORNING
    )


@pytest.mark.parametrize(
    "path",
    [
        saved,
        saved_in_part,
        updated,
        updated_in_bulk,
        created_in_bulk,
        updated_or_created,
        loaded_as_a_fixture,
        restored,
    ],
)
def test_no_path_into_the_column_passes_the_sanitiser_by(path: Callable[[Article], None]) -> None:
    article = make_article(written_in=("en",), published_in=())
    path(article)
    assert list(Article.objects.values_list("body_en", flat=True)) == [KEPT]


def test_an_import_is_sanitised(sanitised: Counter[str]) -> None:
    line = json.dumps({"id": "1", "en": ["Title", "Lead", "a", "b", EVIL]})
    report = import_articles([line], ImportOptions(owner=make_user(), now=MONDAY_MORNING))
    assert not report.bad
    assert "<script" not in Article.objects.get().body_en
    assert sanitised.most_common(1)[0][1] == 1


def test_what_is_looked_for_is_not_sanitised() -> None:
    make_page()
    Page.objects.update(body_en="<p>Made with <em>care</em>.</p>")
    assert Page.objects.naming("with <em>care").count() == 1


def test_a_save_at_the_desk_sanitises_what_is_typed_once(
    desk: Client, sanitised: Counter[str]
) -> None:
    bodies = {f"body_{code}": f"<p>{code}</p><script>x</script>" for code in ("en", "be", "ru")}
    desk.post(ADD, form_data(title_en="Title", **bodies))
    article = Article.objects.get()
    assert article.body_be == "<p>be</p>"
    assert [sanitised[body] for body in bodies.values()] == [1, 1, 1]

    sanitised.clear()
    desk.post(change_url(article), form_data_of(article, body_ru="<p>anew</p>"))
    article.refresh_from_db()
    assert article.body_ru == "<p>anew</p>"
    assert max(sanitised.values()) <= 2


def test_a_page_shows_its_columns_as_they_are(client: Client, sanitised: Counter[str]) -> None:
    article = make_article()
    make_page()
    sanitised.clear()
    for path in (article.path_in("en"), "/en/", "/en/about/", "/en/feed.xml"):
        assert client.get(path, follow=True).status_code == 200, path
    assert not sanitised
