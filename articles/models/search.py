"""What a search looks at: the stems of each public text, and how either database finds them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models.lookups import Lookup
from django.utils.translation import gettext_lazy as _

from articles.fields import WeekField
from articles.models.languages import ArticleLanguage
from articles.models.site_settings import Topic
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
    """Stems with spaces between them; see articles.search.stemming."""


@StemsField.register_lookup
class Have(AnyLookup):
    """`stems__have=[…]`: all of these stems, by the index that the migration made."""

    lookup_name = "have"
    prepare_rhs = False

    def as_postgresql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper
    ) -> tuple[str, list[Any]]:
        """The expression is the index's, to the letter."""
        column, params = self.process_lhs(compiler, connection)
        return f"string_to_array({column}, ' ') @> %s::text[]", [*params, list(self.rhs)]

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper
    ) -> tuple[str, list[Any]]:
        """A stem has no quotation mark, so that quoted it is a word and never an operator."""
        quote = connection.ops.quote_name
        words = " AND ".join(f'"{stem}"' for stem in self.rhs)
        # The FTS5 table that triggers of the migration keep in step with this one.
        found = "SELECT rowid FROM articles_search WHERE articles_search MATCH %s"
        query = f"{self.lhs.target.column} : ({words})"
        return f"{quote(self.lhs.alias)}.{quote('id')} IN ({found})", [query]


class SearchEntryQuerySet(models.QuerySet["SearchEntry"]):
    """Adjectives filter."""

    def in_language(self, code: str) -> SearchEntryQuerySet:
        return self.filter(language=code)

    def having(self, stems: list[str]) -> SearchEntryQuerySet:
        """All of them, anywhere in the text; nothing where none is asked for."""
        return self.filter(stems__have=stems) if stems else self.none()

    def best_first(self, stems: list[str]) -> SearchEntryQuerySet:
        """Those that have all of them in the title, then the newest."""
        # Both databases ask their index once; a comparison would be made for each row.
        titles = SearchEntry.objects.filter(title_stems__have=stems).values("pk")
        in_title = models.ExpressionWrapper(
            models.Q(pk__in=titles), output_field=models.BooleanField()
        )
        return self.annotate(in_title=in_title).order_by(
            "-in_title", models.F("week").desc(nulls_last=True), "-article_id"
        )

    def part(self, start: int, end: int) -> tuple[list[int], int]:
        """The articles' ids from one place to another; and of how many, if there are any."""
        # By a window's count the database goes through the entries once, not twice.
        counted = self.annotate(total=models.Window(models.Count("*")))
        rows = list(counted.values_list("article_id", "total")[start:end])
        return [article_id for article_id, _total in rows], rows[0][1] if rows else 0

    def outdated(self) -> SearchEntryQuerySet:
        """What is not public any more."""
        public = ArticleLanguage.objects.public().of_living_articles()
        return self.exclude(row__in=public)


class SearchEntry(models.Model):
    """One public text, ready to be found. Only articles.search.indexing writes it.

    It repeats what a search filters and sorts by, so that a common word does not make the
    database open thousands of long articles. A migration that makes SQLite copy this table has
    to make the triggers of 0009 anew.
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
