"""Where a browser leaves what is being typed, while it is being typed."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.template.defaultfilters import date
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from articles.editorial import permissions
from articles.editorial.autosave import begin_again, keep_draft
from articles.models import Article, ArticleText, Draft
from articles.text import sanitizer
from core import languages
from core.http import LARGEST_TEXTS, takes_up_to

MOST = sanitizer.LONGEST + 50_000
"""Characters of one language's text; a longer one is a paste that went wrong."""


def draft_urls(admin_site: Any) -> list[URLPattern]:
    """Below the articles' address in the admin."""
    view = admin_site.admin_view
    return [
        path("draft/", view(keep), name="articles_article_draft"),
        path("draft/<int:pk>/<slug:verb>/", view(settle), name="articles_article_settle"),
    ]


@takes_up_to(LARGEST_TEXTS)
def keep(request: HttpRequest) -> HttpResponse:
    """POST keeps one language. GET gives a token to a page that outlived its log-in."""
    if request.method != "POST":
        return JsonResponse({"token": get_token(request)})
    code, article_id = request.POST.get("language", ""), _number(request, "article")
    if not languages.is_language(code):
        return JsonResponse({"error": _("There is no such language.")}, status=400)
    article = Article.objects.with_everything().filter(pk=article_id).first()
    # What is typed into an article that somebody deleted is kept all the same.
    is_gone = article_id is not None and article is None
    if not is_gone and not permissions.may_write(request.user, article, code):
        raise PermissionDenied
    text = ArticleText.typed(code, request.POST)
    if len(text.title) + len(text.lead) + len(text.body) > MOST:
        told = _("The text is too long to be kept: more than %(most)s characters.")
        return JsonResponse({"error": told % {"most": MOST}}, status=413)
    now = timezone.now()
    kept = keep_draft(request.user, article_id, text, _number(request, "base") or 0, now)
    return JsonResponse({"saved": date(timezone.localtime(now), "H:i"), "kept": kept is not None})


def settle(request: HttpRequest, pk: int, verb: str) -> HttpResponse:
    """Begins a new article with one's draft, or throws it away."""
    if request.method != "POST":
        return HttpResponse(status=405, headers={"Allow": "POST"})
    draft = Draft.objects.filter(pk=pk, owner_id=request.user.pk).first()
    where = reverse("admin:index")
    if draft is not None and verb == "begin":
        begin_again(draft, timezone.now())
        where = reverse("admin:articles_article_add")
    elif draft is not None and verb == "discard":
        draft.delete()
    return HttpResponse(status=302, headers={"Location": where})


def _number(request: HttpRequest, name: str) -> int | None:
    text = request.POST.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
