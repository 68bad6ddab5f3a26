"""Previews of saved and autosaved texts, and managing preview links."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path, reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from articles.editorial import permissions, preview_links
from articles.editorial.autosave import drafts_by_language
from articles.models import Article, PreviewLink
from articles.public import selectors
from articles.public.page_cache import private_response
from core import languages


def preview_urls(admin_site: Any) -> list[URLPattern]:
    """URLs below an article's change page."""
    return [
        path(
            "<int:pk>/preview/<slug:language>/",
            admin_site.admin_view(preview),
            name="articles_article_preview",
        ),
        path("<int:pk>/share/", admin_site.admin_view(share), name="articles_article_share"),
        path(
            "<int:pk>/share/<int:link>/revoke/",
            admin_site.admin_view(revoke),
            name="articles_article_revoke",
        ),
    ]


@require_safe
def preview(request: HttpRequest, pk: int, language: str) -> HttpResponse:
    """The public page with this user's draft, if any."""
    if not languages.is_language(language):
        raise Http404
    article = get_object_or_404(Article.objects.with_related(), pk=pk)
    if not request.user.has_perm("articles.view_article") and not permissions.may_open(
        request.user, article
    ):
        raise PermissionDenied
    draft = drafts_by_language(request.user, article).get(language)
    # A draft was not sanitised by Save.
    text = draft.text.cleaned() if draft else article.text_in(language)
    paths = {
        code: reverse("admin:articles_article_preview", args=[pk, code])
        for code in languages.codes()
    }
    with translation.override(language):
        shown = selectors.preview_context(article, text, language, paths)
        return private_response(render(request, "articles/preview.html", shown))


@require_POST
def share(request: HttpRequest, pk: int) -> HttpResponse:
    """Creates a preview link."""
    article = _own(request, pk)
    asked = request.POST.get("days", "")
    days = (
        int(asked)
        if asked in map(str, preview_links.LIFETIME_CHOICES_DAYS)
        else preview_links.LIFETIME_CHOICES_DAYS[0]
    )
    preview_links.create_preview_link(article, days, timezone.now(), by=request.user)
    messages.success(request, _("The link is made. Whoever has it reads this article only."))
    return _back(pk)


@require_POST
def revoke(request: HttpRequest, pk: int, link: int) -> HttpResponse:
    """Revokes a preview link."""
    article = _own(request, pk)
    get_object_or_404(PreviewLink, pk=link, article=article).revoke(timezone.now())
    messages.success(request, _("The link is closed."))
    return _back(pk)


def open_links(article: Article) -> list[tuple[PreviewLink, str]]:
    """Each with its URL in the article's first language."""
    texts = article.texts()
    language = texts[0].language if texts else languages.default()
    links = PreviewLink.objects.open(timezone.now()).filter(article=article)
    return [
        (link, preview_links.preview_url(link, language))
        for link in links.select_related("made_by")
    ]


def _own(request: HttpRequest, pk: int) -> Article:
    article: Article = get_object_or_404(Article, pk=pk)
    if not permissions.may_open(request.user, article):
        raise PermissionDenied
    return article


def _back(pk: int) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("admin:articles_article_change", args=[pk]))
