"""The search index: stems of each public text, and the lookup on either database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models.lookups import Lookup
from django.utils.translation import gettext_lazy as _

from articles.fields import WeekField
from articles.models.languages import ArticleLanguage
from articles.models.topics import Topic
from core import languages

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.models.sql.compiler import SQLCompiler

    StemsColumn = models.TextField[Any, Any]
    AnyLookup = Lookup[Any]
else:
    StemsColumn = models.TextField
    AnyLookup = Lookup


class StemsField(StemsColumn):
    """Stems separated by spaces; see articles.search.stemming."""


@StemsField.register_lookup
class HasStems(AnyLookup):
    """`stems__has_stems=[…]`: all of these stems, by the index of migration 0009."""

    lookup_name = "has_stems"
    prepare_rhs = False

    def as_postgresql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper
    ) -> tuple[str, list[Any]]:
        """Exactly the expression of the GIN index."""
        column, params = self.process_lhs(compiler, connection)
        return f"string_to_array({column}, ' ') @> %s::text[]", [*params, list(self.rhs)]

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper
    ) -> tuple[str, list[Any]]:
        """Quoted, a stem is no FTS5 operator; it contains no quotation mark."""
        quote = connection.ops.quote_name
        words = " AND ".join(f'"{stem}"' for stem in self.rhs)
        # The FTS5 table that triggers of migration 0009 keep in step.
        found = "SELECT rowid FROM articles_search WHERE articles_search MATCH %s"
        query = f"{self.lhs.target.column} : ({words})"
        return f"{quote(self.lhs.alias)}.{quote('id')} IN ({found})", [query]


class SearchEntryQuerySet(models.QuerySet["SearchEntry"]):
    """Adjectives filter."""

    def in_language(self, code: str) -> SearchEntryQuerySet:
        return self.filter(language=code)

    def matching(self, stems: list[str]) -> SearchEntryQuerySet:
        """With all of these stems anywhere in the text; empty for no stems."""
        return self.filter(stems__has_stems=stems) if stems else self.none()

    def best_first(self, stems: list[str]) -> SearchEntryQuerySet:
        """Title matches first, then the newest."""
        # A subquery uses the index once; a comparison would be made for each row.
        titles = SearchEntry.objects.filter(title_stems__has_stems=stems).values("pk")
        in_title = models.ExpressionWrapper(
            models.Q(pk__in=titles), output_field=models.BooleanField()
        )
        return self.annotate(in_title=in_title).order_by(
            "-in_title", models.F("week").desc(nulls_last=True), "-article_id"
        )

    def part(self, start: int, end: int) -> tuple[list[int], int]:
        """The articles' ids of a slice, and the total (0 for an empty slice)."""
        # A window count saves the second query.
        counted = self.annotate(total=models.Window(models.Count("*")))
        rows = list(counted.values_list("article_id", "total")[start:end])
        return [article_id for article_id, _total in rows], rows[0][1] if rows else 0

    def outdated(self) -> SearchEntryQuerySet:
        """Entries of texts that are no longer public."""
        public = ArticleLanguage.objects.public().article_not_withdrawn()
        return self.exclude(row__in=public)


class SearchEntry(models.Model):
    """One public text in the index. Only articles.search.indexing writes it.

    Repeats what a search filters and sorts by, so that a common word does not load thousands
    of articles. A migration that makes SQLite rebuild this table has to recreate the triggers
    of 0009.
    """

    row = models.OneToOneField(ArticleLanguage, models.CASCADE, related_name="search_entry")
    article = models.ForeignKey("articles.Article", models.CASCADE, related_name="search_entries")
    language = models.CharField(_("language"), max_length=12, choices=languages.choices)
    topic = models.ForeignKey(Topic, models.SET_NULL, null=True)
    week = WeekField(null=True)
    title_stems = StemsField()
    stems = StemsField()

    objects = SearchEntryQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        indexes = [models.Index(fields=["language", "-week"])]

    def __str__(self) -> str:
        return f"{self.article_id} {self.language}"
