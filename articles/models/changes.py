"""What changed that readers' pages show, written down in the change's own transaction.

So a kept page is found out of date by every process from the commit on, whoever was killed
when: there is no message that could be lost. Rows are only added, since a counter would make
two editors wait for each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

from django.db import connection, models, transaction
from django.db.models import Max

Facts = dict[str, Any]
"""A row as far as pages show it, "pk" and all; see Shown.SHOWN."""
M = TypeVar("M", bound="Shown", covariant=True)
KEPT = 1000
"""Rows. A page that needs an older one is made anew."""


class Generation(NamedTuple):
    """How often something changed. Of two that are equal nothing has changed in between.

    By count and sum of the rows and not by the last one: of two transactions the one that began
    first may end last, and its row then comes in below.
    """

    rows: int
    total: int | None


class PageChangeQuerySet(models.QuerySet["PageChange"]):
    """The log."""

    def note(self, tags: Iterable[str]) -> None:
        """Says that these are no longer as they were. In the transaction that changed them."""
        self.bulk_create(PageChange(tag=tag) for tag in sorted(tags))

    def generation(self, tags: Iterable[str] | None = None) -> Generation:
        """Of these together, or of everything."""
        # In plain SQL, since each kept page costs this question.
        if tags is None:
            return Generation(*_one_row("SELECT COUNT(*), SUM(id) FROM articles_pagechange", ()))
        asked = tuple(tags)
        marks = ", ".join(["%s"] * len(asked))
        found = f"SELECT COUNT(*), SUM(id) FROM articles_pagechange WHERE tag IN ({marks})"  # noqa: S608
        return Generation(*_one_row(found, asked))

    def generations(self, tags: Iterable[str]) -> tuple[Generation, Generation]:
        """Of everything, and of these: unless the first is what it was, nobody knows the second."""
        of_these = self.generation(tags)
        return self.generation(), of_these

    def trim(self) -> int:
        """Forgets all but the last ones. Returns how many rows went."""
        last = self.aggregate(last=Max("pk"))["last"] or 0
        deleted, _by_model = self.filter(pk__lte=last - KEPT).delete()
        return deleted


def _one_row(sql: str, values: tuple[str, ...]) -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        found: tuple[Any, ...] = cursor.fetchone()
        return found


class PageChange(models.Model):
    """One thing that pages show has changed."""

    tag = models.CharField(max_length=80)

    objects = PageChangeQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        indexes = [models.Index(fields=["tag", "id"])]

    def __str__(self) -> str:
        return self.tag


@contextmanager
def noting_changes(model: type[Shown], pks: Iterable[Any]) -> Iterator[list[Any]]:
    """Compares rows before and after, in one transaction; new ones are added to what it gives."""
    rows = [pk for pk in pks if pk is not None]
    with transaction.atomic():
        before = model.facts(rows)
        yield rows
        after = model.facts(rows)
        tags: set[str] = set()
        for pk in dict.fromkeys(rows):
            was, now = before.get(pk), after.get(pk)
            if was != now:
                tags |= model.tags_of_change(was, now)
        if tags:
            PageChange.objects.note(tags)


class ShownQuerySet(models.QuerySet[M]):
    """Many rows at once change what pages show as one row does."""

    def _pks(self) -> list[Any]:
        return list(self.order_by().values_list("pk", flat=True))

    def update(self, **values: Any) -> int:
        with noting_changes(self.model, self._pks()):
            return super().update(**values)

    update.alters_data = True  # type: ignore[attr-defined]

    def delete(self) -> tuple[int, dict[str, int]]:
        with noting_changes(self.model, self._pks()):
            return super().delete()

    delete.alters_data = True  # type: ignore[attr-defined]
    delete.queryset_only = True  # type: ignore[attr-defined]

    def bulk_create(self, objs: Iterable[Any], *args: Any, **options: Any) -> list[M]:
        made = list(objs)
        with noting_changes(self.model, [row.pk for row in made]) as rows:
            created = super().bulk_create(made, *args, **options)
            rows += [row.pk for row in created]
        return created


class Shown(models.Model):
    """A row that readers' pages show. Its manager is made of a ShownQuerySet."""

    SHOWN: tuple[str, ...] = ()
    """The columns, or paths to others', that pages show or are chosen by."""

    class Meta:
        abstract = True

    @classmethod
    def facts(cls, pks: Sequence[Any]) -> dict[Any, Facts]:
        """What pages show of these rows, by key."""
        rows = cls._base_manager.filter(pk__in=pks).values("pk", *cls.SHOWN) if pks else ()
        return {row["pk"]: row for row in rows}

    @classmethod
    def tags_of_change(cls, before: Facts | None, after: Facts | None) -> set[str]:
        """What is no longer as it was. None is a row that is not there."""
        raise NotImplementedError

    def save(self, *args: Any, **options: Any) -> None:
        with noting_changes(type(self), [self.pk]) as rows:
            super().save(*args, **options)
            rows.append(self.pk)

    save.alters_data = True  # type: ignore[attr-defined]

    def delete(self, *args: Any, **options: Any) -> tuple[int, dict[str, int]]:
        with noting_changes(type(self), [self.pk]):
            return super().delete(*args, **options)

    delete.alters_data = True  # type: ignore[attr-defined]


def differ(before: Facts | None, after: Facts | None, names: Iterable[str]) -> bool:
    """Whether any of these is another one now; all of them are where one row is not there."""
    if before is None or after is None:
        return True
    return any(before[name] != after[name] for name in names)
