"""The first page's panels on articles: the week, what waits, what is stale, what was typed."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _

from articles.editorial import permissions
from articles.editorial.coverage import matrix
from articles.models import Article, ArticleLanguage, Digest, Draft, Status
from core import languages
from core.weeks import Week
from staff.dashboard import MOST, Panel, panel

READ = "articles.view_article"


@panel(10)
def the_week(request: HttpRequest, now: dt.datetime) -> Panel | None:
    """The week that is being written, and the last one until its digest is approved."""
    if not request.user.has_perm(READ):
        return None
    current = Week.containing(now.date())
    weeks = [current]
    before = Digest.objects.filter(week=current.previous()).first()
    if before is None or not before.is_approved:
        weeks.insert(0, current.previous())
    shown = []
    for week in weeks:
        digest = before if week != current else Digest.objects.filter(week=week).first()
        shown.append(
            {"week": week, "label": week.label(languages.current()), "rows": matrix(week, digest)}
        )
    context = {
        "weeks": shown,
        "languages": [(code, languages.own_name(code)) for code in languages.codes()],
    }
    return Panel(_("The week"), "admin/articles/panels/week.html", context, is_wide=True)


@panel(0)
def waiting(request: HttpRequest, now: dt.datetime) -> Panel | None:
    """What this person is asked for."""
    user = request.user
    if not user.has_perm(READ):
        return None
    rows = ArticleLanguage.objects.of_living_articles().select_related("article", "article__owner")
    mine = rows.filter(article__owner_id=user.pk) | rows.filter(translator_id=user.pk)
    back = mine.filter(status=Status.DRAFT).exclude(remark="").order_by("-pk")
    context: dict[str, Any] = {"back": list(back[:MOST])}
    if permissions.may_publish(user):
        reviews = rows.filter(status=Status.REVIEW).order_by("article__week", "pk")
        context["reviews"] = list(reviews[: MOST + 1])
        handed = Draft.objects.handed_in().with_article().order_by("handed_in_at")
        context["handed"] = list(handed[:MOST])
        for row in context["reviews"]:
            row.reasons = row.obstacles(row.article.text_in(row.language)) if row.missed_at else []
    context["more"] = len(context.get("reviews", [])) > MOST
    context["reviews"] = context.get("reviews", [])[:MOST]
    context["is_empty"] = not any(context.get(kind) for kind in ("reviews", "handed", "back"))
    return Panel(_("Waits for you"), "admin/articles/panels/waiting.html", context)


@panel(20)
def stale(request: HttpRequest, now: dt.datetime) -> Panel | None:
    """Translations whose source has changed: one's own, or all of them for who may publish."""
    user = request.user
    if not user.has_perm(READ):
        return None
    rows = ArticleLanguage.objects.of_living_articles().stale().select_related("article")
    if not permissions.may_publish(user):
        rows = rows.filter(translator_id=user.pk)
    found = list(rows.order_by("-article__week", "pk")[: MOST + 1])
    if not found:
        return None
    context = {"rows": found[:MOST], "more": len(found) > MOST}
    return Panel(_("Stale translations"), "admin/articles/panels/stale.html", context)


@panel(30)
def typed(request: HttpRequest, now: dt.datetime) -> Panel | None:
    """What this person has typed and not saved, and what lost its article."""
    own = Draft.objects.filter(owner_id=request.user.pk)
    lost = list(own.without_article()[:MOST])
    kept = own.being_typed().exclude(pk__in=[draft.pk for draft in lost]).order_by("-saved_at")
    drafts = list(kept[:MOST])
    if not drafts and not lost:
        return None
    titles = Article.objects.in_bulk([draft.article_id for draft in drafts if draft.article_id])
    context = {"drafts": [(one, titles.get(one.article_id or 0)) for one in drafts], "lost": lost}
    return Panel(_("Typed and not saved"), "admin/articles/panels/typed.html", context)
