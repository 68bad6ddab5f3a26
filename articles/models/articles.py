"""Articles and their queryset."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from articles import old_paths
from articles.fields import BodyField, LeadField, OldPathField, WeekField, week_in_range
from articles.models.authors import Author
from articles.models.languages import ArticleLanguage
from articles.models.pictures import Picture
from articles.models.texts import TEXT_FIELDS, ArticleText, article_path, article_slug
from articles.models.topics import Topic
from articles.site_version import bumps_site_version
from core import languages, weeks
from core.languages import LocalizedContent

if TYPE_CHECKING:
    from core.weeks import Week


class Verdict(models.TextChoices):
    """How the topic's situation changed that week."""

    IMPROVED = "improved", _("Improved")
    UNCHANGED = "unchanged", _("Has not changed")
    WORSENED = "worsened", _("Got worse")


class ArticleQuerySet(models.QuerySet["Article"]):
    """Adjectives filter, `with_*` fetches."""

    def not_withdrawn(self) -> ArticleQuerySet:
        return self.filter(withdrawn_at__isnull=True)

    def in_language(self, *codes: str) -> ArticleQuerySet:
        """Published in at least one of these languages."""
        public = ArticleLanguage.objects.public().filter(
            article=models.OuterRef("pk"), language__in=codes
        )
        return self.not_withdrawn().filter(models.Exists(public))

    def public(self) -> ArticleQuerySet:
        """Published in at least one language."""
        return self.in_language(*languages.codes())

    def of_week(self, week: Week) -> ArticleQuerySet:
        return self.filter(week=week)

    def with_valid_week(self) -> ArticleQuerySet:
        """With a week inside core.weeks' bounds; leaves out what got past the constraint."""
        return self.filter(week__range=(weeks.FIRST_MONDAY, weeks.LAST_MONDAY))

    def naming(self, words: str) -> ArticleQuerySet:
        """Whose body contains these words, in any language."""
        found = models.Q()
        for code in languages.codes():
            found |= models.Q(**{f"body_{code}__contains": words})
        return self.filter(found)

    def newest_first(self) -> ArticleQuerySet:
        return self.order_by("-week", "topic__position", "-pk")

    def in_topic_order(self) -> ArticleQuerySet:
        return self.order_by("topic__position", "topic__code", "pk")

    def with_related(self) -> ArticleQuerySet:
        """With what a page of articles shows, in a fixed number of queries."""
        return self.select_related("topic", "cover").prefetch_related(
            "article_languages", "authors"
        )

    def with_languages(self) -> ArticleQuerySet:
        """With what a list shows: neither cover nor authors."""
        return self.select_related("topic").prefetch_related("article_languages")

    def with_text_in(self, code: str) -> ArticleQuerySet:
        """Loads one language's columns only."""
        texts = [f"{field}_{code}" for field in TEXT_FIELDS]
        return self.select_related("topic").only("topic", "week", "verdict", *texts)

    def locked(self) -> ArticleQuerySet:
        """SELECT … FOR UPDATE of the articles alone. Only in a transaction."""
        return self.select_for_update(of=("self",))


@bumps_site_version
class Article(models.Model):
    """One commentary: topic, week, verdict, and title, lead and body in each language."""

    topic = models.ForeignKey(Topic, models.PROTECT, verbose_name=_("topic"), null=True, blank=True)
    week = WeekField(
        _("week"),
        null=True,
        blank=True,
        help_text=_("Any day of it; the week is named by its Monday."),
    )
    verdict = models.CharField(_("verdict"), max_length=10, choices=Verdict, blank=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        verbose_name=_("owner"),
        related_name="articles",
    )
    authors = models.ManyToManyField(
        Author, verbose_name=_("authors"), blank=True, related_name="articles"
    )
    title = models.CharField(_("title"), max_length=200, blank=True)
    lead = LeadField(_("lead"), blank=True)
    body = BodyField(_("body"), blank=True)
    cover = models.ForeignKey(
        Picture,
        models.PROTECT,
        verbose_name=_("cover"),
        null=True,
        blank=True,
        related_name="articles",
    )
    old_path = OldPathField(
        _("old path"),
        max_length=old_paths.MAX_OLD_PATH_CHARS,
        blank=True,
        help_text=_("Where it stood before it came here: /2019/05/12/. It leads here."),
    )
    imported_as = models.CharField(max_length=200, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), editable=False)
    withdrawn_at = models.DateTimeField(_("withdrawn"), null=True, blank=True, editable=False)

    objects = ArticleQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("article"), _("articles")
        ordering = ["-week", "topic__position", "-pk"]
        permissions = [
            ("change_others_article", _("Can write in articles of others")),
            ("translate_article", _("Can translate any article")),
            ("publish_article", _("Can publish, correct and withdraw")),
        ]
        constraints = [
            week_in_range("an_articles_week_is_near"),
            models.UniqueConstraint(
                fields=["topic", "week"],
                condition=models.Q(withdrawn_at__isnull=True) & ~models.Q(verdict=""),
                name="one_verdict_per_topic_and_week",
                violation_error_message=_(
                    "Another article already gives the verdict on this topic for this week."
                ),
            ),
            models.UniqueConstraint(
                fields=["imported_as"],
                condition=~models.Q(imported_as=""),
                name="nothing_imported_twice",
            ),
            models.UniqueConstraint(
                fields=["old_path"],
                condition=~models.Q(old_path=""),
                name="an_old_path_leads_to_one_article",
                violation_error_message=_("Another article has this old path."),
            ),
        ]
        indexes = [models.Index(fields=["week"]), models.Index(fields=["topic", "-week"])]

    def __str__(self) -> str:
        return self.any_text().title or str(_("Untitled"))

    def get_absolute_url(self) -> str:
        """In the active language."""
        return self.path_in(languages.current())

    def path_in(self, language: str) -> str:
        """`/be/307/slug/`, the slug being that language's title's."""
        # Reads the title alone, so that a sitemap need not load the texts.
        slug = article_slug(language, self.title_in(language)) or self.any_text().slug
        return article_path(language, self.pk, slug)

    def public_path_in(self, language: str) -> str:
        """The canonical path. Without a slug where the language is not public."""
        if language in self.public_languages:
            return self.path_in(language)
        return article_path(language, self.pk)

    # --- Texts ---------------------------------------------------------------------

    title_in = languages.translated_field_getter("title")
    lead_in = languages.translated_field_getter("lead")
    body_in = languages.translated_field_getter("body")

    def text_in(self, language: str) -> ArticleText:
        """One language's text; empty where there is none, never another language's."""
        return ArticleText(
            language, self.title_in(language), self.lead_in(language), self.body_in(language)
        )

    def texts(self) -> list[ArticleText]:
        """Every text that is not empty, in the order of the languages."""
        every = [self.text_in(code) for code in languages.codes()]
        return [text for text in every if not text.is_empty]

    def any_text(self) -> ArticleText:
        """A text to name the article by: in the active language if there is one."""
        here = self.text_in(languages.current())
        return here if here.title else next(iter(self.texts()), here)

    @property
    def public_languages(self) -> list[str]:
        """Languages it is published in, in order."""
        if self.withdrawn_at is not None:
            return []
        public = {row.language for row in self.article_languages.all() if row.is_public}
        return [code for code in languages.codes() if code in public]

    @property
    def language_rows(self) -> dict[str, ArticleLanguage]:
        """Each language's row, by code."""
        return {row.language: row for row in self.article_languages.all()}

    @property
    def stale_languages(self) -> list[str]:
        """Languages whose translation is stale, in order."""
        rows = self.language_rows
        stale = {code for code, row in rows.items() if row.is_stale(rows.get(row.source_language))}
        return [code for code in languages.codes() if code in stale]

    @property
    def original_languages(self) -> list[str]:
        """Languages written and not translated: usually the first one."""
        rows = self.language_rows
        return [
            code for code in languages.codes() if code in rows and not rows[code].source_language
        ]

    @property
    def gone_languages(self) -> list[str]:
        """Languages it was published in and no longer is, in order: their pages answer 410."""
        once = {code for code, row in self.language_rows.items() if row.was_public}
        public = self.public_languages
        return [code for code in languages.codes() if code in once and code not in public]

    def set_text(self, text: ArticleText) -> None:
        """Sets one language's columns; save them with articles.editorial.saving.save_article."""
        for field in TEXT_FIELDS:
            setattr(self, f"{field}_{text.language}", getattr(text, field))

    def public_text(self, preferences: list[str]) -> ArticleText | None:
        """The first published of the languages asked for; None where none is."""
        public = self.public_languages
        return next((self.text_in(code) for code in preferences if code in public), None)

    # --- States --------------------------------------------------------------------

    def first_published_at(self) -> dt.datetime | None:
        """The earliest publication of any language, withdrawn or not; None for a draft."""
        dates = [row.published_at for row in self.article_languages.all()]
        return min((date for date in dates if date), default=None)

    def mark_withdrawn(self, now: dt.datetime) -> bool:
        """Withdraws every language. False if it was withdrawn already."""
        changed = type(self).objects.not_withdrawn().filter(pk=self.pk).update(withdrawn_at=now)
        self.refresh_from_db(fields=["withdrawn_at"])
        return bool(changed)


@dataclass(frozen=True)
class ListedArticle(LocalizedContent):
    """An article in a list."""

    article: Article
    text: ArticleText

    @property
    def path(self) -> str:
        """Of that text, which is not always in the page's language."""
        return self.article.path_in(self.text.language)
