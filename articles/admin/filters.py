"""Filters of the articles' changelist."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as __
from django.utils.translation import gettext_lazy as _

from articles.models import Article, ArticleLanguage, Status
from articles.models.languages import UNPUBLISHED
from core import languages
from core.weeks import InvalidWeek, Week

MAX_WEEK_CHOICES = 26


class LanguageStatusFilter(admin.SimpleListFilter):
    """By the state of one language."""

    title = _("language")
    parameter_name = "language"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        states = (
            ("public", __("published in %(language)s")),
            ("stale", __("stale in %(language)s")),
            ("waiting", __("not published yet in %(language)s")),
            ("review", __("in review in %(language)s")),
            ("scheduled", __("scheduled in %(language)s")),
            ("withdrawn", __("withdrawn in %(language)s")),
            ("missing", __("missing in %(language)s")),
        )
        return [
            (f"{code}:{state}", label % {"language": languages.native_name(code)})
            for code in languages.codes()
            for state, label in states
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Article]) -> QuerySet[Article]:
        code, _colon, state = (self.value() or "").partition(":")
        if not languages.is_language(code):
            return queryset
        rows = ArticleLanguage.objects.filter(language=code)
        if state == "public":
            return queryset.filter(pk__in=Article.objects.in_language(code))
        if state == "missing":
            return queryset.exclude(pk__in=rows.values("article"))
        if state == "stale":
            rows = rows.stale()
        elif state == "waiting":
            rows = rows.filter(status__in=UNPUBLISHED)
        elif state in Status.values:
            rows = rows.filter(status=state)
        else:
            return queryset
        return queryset.filter(pk__in=rows.values("article"))


class StaleFilter(admin.SimpleListFilter):
    """Whether any of its translations is stale."""

    title = _("translations")
    parameter_name = "translations"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("stale", _("stale"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Article]) -> QuerySet[Article]:
        if self.value() != "stale":
            return queryset
        return queryset.filter(pk__in=ArticleLanguage.objects.stale().values("article"))


class WeekFilter(admin.SimpleListFilter):
    """The newest weeks; an older one by its Monday in the query string."""

    title = _("week")
    parameter_name = "week"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        weeks = (
            Article.objects.with_valid_week()
            .order_by("-week")
            .values_list("week", flat=True)
            .distinct()[:MAX_WEEK_CHOICES]
        )
        here = languages.current()
        return [
            ("none", __("without a week")),
            *((str(week), week.label(here)) for week in weeks if week),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Article]) -> QuerySet[Article]:
        chosen = self.value() or ""
        if chosen == "none":
            return queryset.filter(week__isnull=True)
        try:
            return queryset.filter(week=Week.parse(chosen)) if chosen else queryset
        except InvalidWeek:
            return queryset.none()
