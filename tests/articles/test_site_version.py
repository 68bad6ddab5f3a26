"""The site's version grows with every change of what pages show, whatever path it takes."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, models, transaction
from django.db.models.signals import post_migrate
from pytest_django import DjangoAssertNumQueries

from articles import site_version
from articles.editorial import workflow
from articles.editorial.saving import save_article
from articles.models import (
    Article,
    ArticleLanguage,
    Author,
    Correction,
    Digest,
    DigestEntry,
    Page,
    Picture,
    SiteSettings,
    SiteVersion,
    Topic,
    VerdictChange,
)
from newsletter.models import Edition, Mailing
from tests.articles.newsrooms import Newsroom, make_newsroom
from tests.factories import MONDAY_MORNING, WEEK, make_article, make_subscriber, make_user
from tests.visitor import Visitor

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
COLUMN: dict[type[models.Model], str] = {
    Article: "title_be",
    ArticleLanguage: "gone_note",
    Author: "name_be",
    Correction: "note",
    Digest: "introduction_be",
    DigestEntry: "position",
    Edition: "name",
    SiteSettings: "name_be",
    Page: "title_be",
    Picture: "credit",
    Topic: "position",
    VerdictChange: "was",
}
"""What is changed of each model that pages show."""
SHOWN = sorted(COLUMN, key=lambda model: model.__name__)
Path = Callable[[models.Model, str, Any], object]


def by_hand(sql: str, *values: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)


def save(row: models.Model, column: str, value: Any) -> None:
    setattr(row, column, value)
    row.save()


def bulk_update(row: models.Model, column: str, value: Any) -> None:
    setattr(row, column, value)
    type(row)._base_manager.bulk_update([row], [column])


def bulk_create(row: models.Model, *_about: Any) -> None:
    delete_by_hand(row)
    grow()
    with grows():
        type(row)._base_manager.bulk_create([row])


def delete_by_hand(row: models.Model, *_about: Any) -> None:
    by_hand(f"DELETE FROM {row._meta.db_table} WHERE id = %s", row.pk)


PATHS: dict[str, Path] = {
    "save": save,
    "update": lambda row, column, value: (
        type(row)._base_manager.filter(pk=row.pk).update(**{column: value})
    ),
    "bulk update": bulk_update,
    "SQL": lambda row, column, value: by_hand(
        f"UPDATE {row._meta.db_table} SET {column} = %s WHERE id = %s", value, row.pk
    ),
    "bulk create": bulk_create,
    "deletion by SQL": delete_by_hand,
}


def our_constraints() -> str:
    """PostgreSQL's triggers are due at the commit, as constraints are."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT conname FROM pg_constraint WHERE conname LIKE 'site_version_%'")
        return ", ".join(name for (name,) in cursor.fetchall())


def grow() -> None:
    """Does now what is due at the commit."""
    if connection.vendor == "postgresql":
        by_hand(f"SET CONSTRAINTS {our_constraints()} IMMEDIATE")
        by_hand(f"SET CONSTRAINTS {our_constraints()} DEFERRED")


def number() -> int:
    # In a savepoint of its own: of a transaction the number grows once.
    with transaction.atomic():
        grow()
    return SiteVersion.objects.get().number


@contextmanager
def grows() -> Iterator[None]:
    before = number()
    with transaction.atomic():
        yield
        grow()
    assert number() > before


@contextmanager
def rolled_back() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.fixture
def newsroom() -> Newsroom:
    """With a row of every model that pages show."""
    made = make_newsroom()
    Correction.objects.create(
        article=made.new, language="be", corrected_at=MONDAY_MORNING, note="Лічба."
    )
    VerdictChange.objects.create(
        article=made.new, topic=made.elite, week=WEEK, changed_at=MONDAY_MORNING
    )
    return made


def test_these_are_the_models_that_pages_show() -> None:
    """A new one gets a column here, and every path is tried on it."""
    tables = {model._meta.db_table for model in COLUMN} | {"articles_article_authors"}
    assert set(site_version.tracked_tables()) == tables


def test_every_change_of_every_model_grows_it(
    newsroom: Newsroom, subtests: pytest.Subtests
) -> None:
    for model, (path, change) in itertools.product(SHOWN, PATHS.items()):
        row = model._base_manager.order_by("-pk")[0]
        field = model._meta.get_field(COLUMN[model])
        value = 77 if isinstance(field, models.PositiveSmallIntegerField) else "improved"
        # Whatever still points to a row that went is no matter: it comes back.
        with subtests.test(model=model.__name__, path=path), rolled_back(), grows():
            change(row, COLUMN[model], value)


def test_links_and_cascades_grow_it(newsroom: Newsroom) -> None:
    for change in (
        lambda: newsroom.new.authors.add(newsroom.anton),
        lambda: newsroom.new.authors.remove(newsroom.anton),
        lambda: newsroom.anton.articles.add(newsroom.early),
        lambda: newsroom.last.authors.set([newsroom.anton]),
        lambda: newsroom.other.authors.clear(),
        lambda: newsroom.draft.delete(),
        lambda: Mailing.objects.all().delete() and Digest.objects.all().delete(),
    ):
        with grows():
            change()


def test_a_table_that_is_emptied_grows_it() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite empties a table by deleting its rows")
    with grows():
        by_hand("TRUNCATE articles_correction")


def test_what_no_page_shows_leaves_it(newsroom: Newsroom) -> None:
    before = number()
    make_user(username="somebody")
    make_subscriber(edition=newsroom.edition)
    assert number() == before


def test_a_change_that_is_rolled_back_leaves_it(newsroom: Newsroom) -> None:
    before = number()
    with rolled_back():
        SiteSettings.objects.update(name_be="Іншая")
        assert number() > before
    assert number() == before


def test_no_number_ever_comes_back(newsroom: Newsroom, visitor: Visitor) -> None:
    """A page was stored; it was withdrawn; a thousand changes later it is still gone.

    Before, a page whose tags had no rows in a log had (0, None); a withdrawal added rows, later
    ones trimmed them away, and (0, None) was there again.
    """
    path = newsroom.new.path_in("be")
    visitor.number = number()
    assert visitor.get(path).status_code == 200
    workflow.withdraw(newsroom.new, MONDAY_MORNING)
    seen = {visitor.number}
    for later in range(1000):
        Topic.objects.filter(pk=newsroom.media.pk).update(position=later % 7 + 1)
        if later % 100 == 0:
            visitor.number = number()
            assert visitor.number not in seen
            assert visitor.get(path).status_code == 410
            seen.add(visitor.number)


def test_a_restored_backup_has_no_number_that_was_there(newsroom: Newsroom) -> None:
    with transaction.atomic():
        SiteVersion.objects.update(number=5)
    with grows():
        Topic.objects.update(position=3)
    # Not the sixth, which there was before the backup was restored.
    assert number() > 1_000_000


def test_whatever_migrate_lost_comes_back() -> None:
    """SQLite drops the triggers of a table that a migration makes anew."""
    topic = make_newsroom().media
    with connection.cursor() as cursor:
        names = dict(_triggers(cursor))
        for name, table in names.items():
            on = f" ON {table}" if connection.vendor == "postgresql" else ""
            if table == "articles_topic":
                cursor.execute(f"DROP TRIGGER {name}{on}")
        before = number()
        Topic.objects.filter(pk=topic.pk).update(position=9)
        assert number() == before
        with transaction.atomic():
            post_migrate.send(
                apps.get_app_config("articles"),
                app_config=apps.get_app_config("articles"),
                verbosity=0,
                interactive=False,
                using="default",
            )
        assert dict(_triggers(cursor)) == names
    assert number() > before
    with grows():
        Topic.objects.filter(pk=topic.pk).update(position=8)


def _triggers(cursor: Any) -> list[tuple[str, str]]:
    cursor.execute(site_version._EXISTING[connection.vendor])
    return list(cursor.fetchall())


def test_a_changed_title_costs_few_queries(
    newsroom: Newsroom, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    article = Article.objects.get(pk=newsroom.new.pk)
    article.title_be = "Іншы"
    user = make_user()
    with django_assert_max_num_queries(30):
        save_article(article, by=user, now=MONDAY_MORNING)


@pytest.mark.django_db(transaction=True)
def test_two_editors_do_not_wait_for_each_other() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer")
    first, second = make_article(), make_article(title="Other")
    before = site_version.current()

    def write_meanwhile() -> None:
        try:
            Article.objects.filter(pk=second.pk).update(title_be="Другі")
        finally:
            connection.close()

    with transaction.atomic():
        Article.objects.filter(pk=first.pk).update(title_be="Першы")
        other = threading.Thread(target=write_meanwhile)
        other.start()
        other.join(20)
        assert not other.is_alive()
    after = site_version.current()
    assert before is not None
    assert after is not None
    assert after > before
