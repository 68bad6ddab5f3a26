"""Revisions of one language: list, comparison, restoring."""

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
from articles.editorial.saving import restore_revision
from articles.models import Article, Revision
from articles.models.revisions import RevisionQuerySet
from articles.text.diff import count_changed_words, diff_texts
from core import languages

REVISIONS_PER_PAGE = 30


def revision_urls(model_admin: Any) -> list[URLPattern]:
    """URLs below an article's change page."""
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
    """GET lists and compares; POST restores one."""
    if not languages.is_language(language):
        raise Http404
    article = get_object_or_404(Article.objects.with_related(), pk=pk)
    user = request.user
    if not user.has_perm("articles.view_revision") and not permissions.may_open(user, article):
        raise PermissionDenied
    revisions_of_language = article.revisions.of(article, language).select_related("saved_by")
    if request.method == "POST":
        return _restore(request, article, language, revisions_of_language)
    page = Paginator(revisions_of_language, REVISIONS_PER_PAGE).get_page(request.GET.get("page"))
    shown = (
        _numbered(revisions_of_language, request.GET.get("show")) or revisions_of_language.first()
    )
    against = None
    if shown is not None:
        asked = _numbered(revisions_of_language, request.GET.get("against"))
        against = asked or revisions_of_language.filter(number__lt=shown.number).first()
    newest = revisions_of_language.first()
    context |= {
        "title": article,
        "opts": model_admin.opts,
        "original": article,
        "language": language,
        "language_name": languages.native_name(language),
        "page": page,
        "listed": _with_amounts(list(page.object_list), revisions_of_language),
        "others": revisions_of_language.exclude(number=shown.number).values("number", "saved_at")
        if shown
        else [],
        "shown": shown,
        "against": against,
        "difference": diff_texts(_parts(against), _parts(shown)) if shown else None,
        "may_restore": may_restore(user, article, language) and shown != newest,
    }
    return render(request, "admin/articles/revisions.html", context)


def may_restore(user: Any, article: Article, language: str) -> bool:
    """As any change of the text: of a public one only by who may publish."""
    may_write = permissions.may_write(user, article, language)
    return may_write and not permissions.needs_review(user, article, language)


@transaction.atomic
def _restore(
    request: HttpRequest, article: Article, language: str, revisions_of_language: RevisionQuerySet
) -> HttpResponse:
    revision = _numbered(revisions_of_language, request.POST.get("restore"))
    if revision is None:
        raise Http404
    article = get_object_or_404(Article.objects.locked().with_related(), pk=article.pk)
    if not may_restore(request.user, article, language):
        raise PermissionDenied
    row = article.language_rows.get(language)
    if row is not None and row.is_public_or_scheduled and not (revision.title and revision.body):
        messages.error(request, _("This language is public. Withdraw it before you empty it."))
    elif restore_revision(article, language, revision, by=request.user, now=timezone.now()):
        told = _("Revision %(number)s is back, as the newest one.")
        messages.success(request, told % {"number": revision.number})
    return HttpResponseRedirect(
        reverse("admin:articles_article_revisions", args=[article.pk, language])
    )


def _with_amounts(
    listed: list[Revision], revisions_of_language: RevisionQuerySet
) -> list[tuple[Revision, int, int]]:
    """Each with the numbers of words added and removed since the one before."""
    if not listed:
        return []
    first = revisions_of_language.filter(number__lt=listed[-1].number).first()
    before = [*listed[1:], first]
    return [
        (one, *count_changed_words(_parts(old), _parts(one)))
        for one, old in zip(listed, before, strict=True)
    ]


def _numbered(revisions_of_language: RevisionQuerySet, text: str | None) -> Revision | None:
    if not text or not text.isascii() or not text.isdigit() or len(text) > 9:
        return None
    return revisions_of_language.filter(number=int(text)).first()


def _parts(revision: Revision | None) -> tuple[str, str, str]:
    return (revision.title, revision.lead, revision.body) if revision else ("", "", "")
