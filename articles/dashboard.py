"""Dashboard panels: coverage of the week, review queue, stale translations, drafts."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _

from articles.editorial import permissions
from articles.editorial.coverage import coverage_matrix
from articles.models import Article, ArticleLanguage, Digest, Draft, Status
from core import languages
from core.weeks import Week
from staff.dashboard import MAX_PANEL_ROWS, Panel, register_panel

READ = "articles.view_article"


@register_panel(10)
def week_panel(request: HttpRequest, now: dt.datetime) -> Panel | None:
    """The present week, and the last one until its digest is approved."""
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
            {
                "week": week,
                "label": week.label(languages.current()),
                "rows": coverage_matrix(week, digest),
            }
        )
    context = {
        "weeks": shown,
        "languages": [(code, languages.native_name(code)) for code in languages.codes()],
    }
    return Panel(_("The week"), "admin/articles/panels/week.html", context, is_wide=True)


@register_panel(0)
def review_panel(request: HttpRequest, now: dt.datetime) -> Panel | None:
    """Remarks on this user's texts; for who may publish, what waits for review."""
    user = request.user
    if not user.has_perm(READ):
        return None
    rows = ArticleLanguage.objects.article_not_withdrawn().select_related(
        "article", "article__owner"
    )
    mine = rows.filter(article__owner_id=user.pk) | rows.filter(translator_id=user.pk)
    back = mine.filter(status=Status.DRAFT).exclude(remark="").order_by("-pk")
    context: dict[str, Any] = {"back": list(back[:MAX_PANEL_ROWS])}
    if permissions.may_publish(user):
        reviews = rows.filter(status=Status.REVIEW).order_by("article__week", "pk")
        context["reviews"] = list(reviews[: MAX_PANEL_ROWS + 1])
        handed = Draft.objects.submitted().with_article().order_by("handed_in_at")
        context["handed"] = list(handed[:MAX_PANEL_ROWS])
        for row in context["reviews"]:
            row.reasons = (
                row.publish_errors(row.article.text_in(row.language)) if row.missed_at else []
            )
    context["more"] = len(context.get("reviews", [])) > MAX_PANEL_ROWS
    context["reviews"] = context.get("reviews", [])[:MAX_PANEL_ROWS]
    context["is_empty"] = not any(context.get(kind) for kind in ("reviews", "handed", "back"))
    return Panel(_("Waits for you"), "admin/articles/panels/review.html", context)


@register_panel(20)
def stale_panel(request: HttpRequest, now: dt.datetime) -> Panel | None:
    """One's own stale translations; all of them for who may publish."""
    user = request.user
    if not user.has_perm(READ):
        return None
    rows = ArticleLanguage.objects.article_not_withdrawn().stale().select_related("article")
    if not permissions.may_publish(user):
        rows = rows.filter(translator_id=user.pk)
    found = list(rows.order_by("-article__week", "pk")[: MAX_PANEL_ROWS + 1])
    if not found:
        return None
    context = {"rows": found[:MAX_PANEL_ROWS], "more": len(found) > MAX_PANEL_ROWS}
    return Panel(_("Stale translations"), "admin/articles/panels/stale.html", context)


@register_panel(30)
def drafts_panel(request: HttpRequest, now: dt.datetime) -> Panel | None:
    """This user's drafts, and those whose article was deleted."""
    own = Draft.objects.filter(owner_id=request.user.pk)
    lost = list(own.without_article()[:MAX_PANEL_ROWS])
    kept = own.unsubmitted().exclude(pk__in=[draft.pk for draft in lost]).order_by("-saved_at")
    drafts = list(kept[:MAX_PANEL_ROWS])
    if not drafts and not lost:
        return None
    titles = Article.objects.in_bulk([draft.article_id for draft in drafts if draft.article_id])
    context = {"drafts": [(one, titles.get(one.article_id or 0)) for one in drafts], "lost": lost}
    return Panel(_("Typed and not saved"), "admin/articles/panels/drafts.html", context)
