"""What a language said before: who changed it, when, how; and bringing it back."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from articles.editorial import permissions
from articles.editorial.saving import restore
from articles.models import Article, Revision
from articles.models.revisions import RevisionQuerySet
from articles.text.diff import amount, difference
from core import languages

ON_A_PAGE = 30


def revision_urls(model_admin: Any) -> list[URLPattern]:
    """Below an article's address in the admin."""
    site = model_admin.admin_site

    def view(request: HttpRequest, pk: int, language: str) -> HttpResponse:
        return revisions(request, pk, language, site.each_context(request), model_admin)

    return [
        path(
            "<int:pk>/revisions/<slug:language>/",
            site.admin_view(view),
            name="articles_article_revisions",
        )
    ]


def revisions(
    request: HttpRequest, pk: int, language: str, context: dict[str, Any], model_admin: Any
) -> HttpResponse:
    """GET lists them and compares two; POST brings one back."""
    if not languages.is_language(language):
        raise Http404
    article = get_object_or_404(Article.objects.with_everything(), pk=pk)
    user = request.user
    if not user.has_perm("articles.view_revision") and not permissions.may_open(user, article):
        raise PermissionDenied
    all_of_it = article.revisions.of(article, language).select_related("saved_by")
    if request.method == "POST":
        return _restore(request, article, language, all_of_it)
    page = Paginator(all_of_it, ON_A_PAGE).get_page(request.GET.get("page"))
    shown = _numbered(all_of_it, request.GET.get("show")) or all_of_it.first()
    against = None
    if shown is not None:
        asked = _numbered(all_of_it, request.GET.get("against"))
        against = asked or all_of_it.filter(number__lt=shown.number).first()
    newest = all_of_it.first()
    context |= {
        "title": article,
        "opts": model_admin.opts,
        "original": article,
        "language": language,
        "language_name": languages.own_name(language),
        "page": page,
        "listed": _with_amounts(list(page.object_list), all_of_it),
        "others": all_of_it.exclude(number=shown.number).values("number", "saved_at")
        if shown
        else [],
        "shown": shown,
        "against": against,
        "difference": difference(_parts(against), _parts(shown)) if shown else None,
        "may_restore": may_restore(user, article, language) and shown != newest,
    }
    return render(request, "admin/articles/revisions.html", context)


def may_restore(user: Any, article: Article, language: str) -> bool:
    """As for any change of the text: what readers see only by who may publish."""
    may_write = permissions.may_write(user, article, language)
    return may_write and not permissions.needs_review(user, article, language)


@transaction.atomic
def _restore(
    request: HttpRequest, article: Article, language: str, all_of_it: RevisionQuerySet
) -> HttpResponse:
    revision = _numbered(all_of_it, request.POST.get("restore"))
    if revision is None:
        raise Http404
    article = get_object_or_404(Article.objects.locked().with_everything(), pk=article.pk)
    if not may_restore(request.user, article, language):
        raise PermissionDenied
    row = article.language_rows.get(language)
    if row is not None and row.is_answered_for and not (revision.title and revision.body):
        messages.error(request, _("This language is public. Withdraw it before you empty it."))
    elif restore(article, language, revision, by=request.user, now=timezone.now()):
        told = _("Revision %(number)s is back, as the newest one.")
        messages.success(request, told % {"number": revision.number})
    return HttpResponseRedirect(
        reverse("admin:articles_article_revisions", args=[article.pk, language])
    )


def _with_amounts(
    listed: list[Revision], all_of_it: RevisionQuerySet
) -> list[tuple[Revision, int, int]]:
    """Each with how many words came and went since the one before it."""
    if not listed:
        return []
    first = all_of_it.filter(number__lt=listed[-1].number).first()
    before = [*listed[1:], first]
    return [
        (one, *amount(_parts(old), _parts(one))) for one, old in zip(listed, before, strict=True)
    ]


def _numbered(all_of_it: RevisionQuerySet, text: str | None) -> Revision | None:
    if not text or not text.isascii() or not text.isdigit() or len(text) > 9:
        return None
    return all_of_it.filter(number=int(text)).first()


def _parts(revision: Revision | None) -> tuple[str, str, str]:
    return (revision.title, revision.lead, revision.body) if revision else ("", "", "")
