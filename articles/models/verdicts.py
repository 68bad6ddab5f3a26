"""Changes of published verdicts, which the barometer shows."""

from __future__ import annotations

import datetime as dt

from django.db import models
from django.utils.translation import gettext_lazy as _

from articles.fields import WeekField, week_in_range
from articles.models.articles import Article, Verdict
from articles.models.topics import Topic
from articles.site_version import bumps_site_version
from core.weeks import Week


class VerdictChangeQuerySet(models.QuerySet["VerdictChange"]):
    """Adjectives filter."""

    def of_public_articles(self) -> VerdictChangeQuerySet:
        """Of articles that are still public."""
        return self.filter(article__in=Article.objects.public())


@bumps_site_version
class VerdictChange(models.Model):
    """Until `changed_at` the verdict on this topic and week was `was`; empty is none.

    Written by articles.editorial.saving only, for articles that were published once. The
    present verdict is the article's own.
    """

    article = models.ForeignKey(Article, models.CASCADE, related_name="verdict_changes")
    topic = models.ForeignKey(Topic, models.CASCADE, verbose_name=_("topic"), related_name="+")
    week = WeekField(_("week"))
    was = models.CharField(_("verdict"), max_length=10, choices=Verdict, blank=True)
    changed_at = models.DateTimeField(_("corrected"))

    objects = VerdictChangeQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("change of a verdict"), _("changes of verdicts")
        ordering = ["changed_at", "pk"]
        default_permissions = ()
        indexes = [models.Index(fields=["week"])]
        constraints = [week_in_range("a_verdicts_week_is_near")]

    def __str__(self) -> str:
        return f"{self.article_id}: {self.was} {self.changed_at:%Y-%m-%d %H:%M}"


def build_verdict_changes(
    article: Article, before: tuple[int | None, Week | None, str], now: dt.datetime
) -> list[VerdictChange]:
    """Unsaved rows. `before` is topic, week and verdict as they were.

    An article that moved to another topic or week changes both places.
    """
    after = (article.topic_id, article.week, article.verdict)
    if before[:2] == after[:2]:
        places = [(*before[:2], before[2])] if before[2] != after[2] else []
    else:
        places = [before] if before[2] else []
        places += [(*after[:2], "")] if after[2] else []
    return [
        VerdictChange(article=article, topic_id=topic_id, week=week, was=was, changed_at=now)
        for topic_id, week, was in places
        if topic_id is not None and week is not None
    ]
