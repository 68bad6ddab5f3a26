"""Autosave: the endpoint of static/autosave.js."""

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
from articles.editorial.autosave import move_draft_to_new_article, save_draft
from articles.models import Article, ArticleText, Draft
from articles.text import sanitizer
from core import languages
from core.http import MAX_TEXT_FORM_BYTES, max_body_bytes

MAX_DRAFT_CHARS = sanitizer.MAX_BODY_LENGTH + 50_000
"""Of one language's title, lead and body together. More than Save takes: markup goes there."""


def autosave_urls(admin_site: Any) -> list[URLPattern]:
    """URLs below the articles' changelist."""
    view = admin_site.admin_view
    return [
        path("draft/", view(autosave), name="articles_article_draft"),
        path(
            "draft/<int:pk>/<slug:verb>/", view(resolve_draft), name="articles_article_draft_action"
        ),
    ]


@max_body_bytes(MAX_TEXT_FORM_BYTES)
def autosave(request: HttpRequest) -> HttpResponse:
    """POST stores one language. GET returns a CSRF token: a new log-in rotates it."""
    if request.method != "POST":
        return JsonResponse({"token": get_token(request)})
    code, article_id = request.POST.get("language", ""), _number(request, "article")
    if not languages.is_language(code):
        return JsonResponse({"error": _("There is no such language.")}, status=400)
    article = Article.objects.with_related().filter(pk=article_id).first()
    # A text for a deleted article is stored all the same.
    is_deleted = article_id is not None and article is None
    if not is_deleted and not permissions.may_write(request.user, article, code):
        raise PermissionDenied
    text = ArticleText.from_form(code, request.POST)
    if len(text.title) + len(text.lead) + len(text.body) > MAX_DRAFT_CHARS:
        message = _("The text is too long to be kept: more than %(most)s characters.")
        return JsonResponse({"error": message % {"most": MAX_DRAFT_CHARS}}, status=413)
    now = timezone.now()
    draft = save_draft(request.user, article_id, text, _number(request, "base") or 0, now)
    return JsonResponse({"saved": date(timezone.localtime(now), "H:i"), "kept": draft is not None})


def resolve_draft(request: HttpRequest, pk: int, verb: str) -> HttpResponse:
    """Moves one's own draft to a new article, or deletes it."""
    if request.method != "POST":
        return HttpResponse(status=405, headers={"Allow": "POST"})
    draft = Draft.objects.filter(pk=pk, owner_id=request.user.pk).first()
    target = reverse("admin:index")
    if draft is not None and verb == "begin":
        move_draft_to_new_article(draft, timezone.now())
        target = reverse("admin:articles_article_add")
    elif draft is not None and verb == "discard":
        draft.delete()
    return HttpResponse(status=302, headers={"Location": target})


def _number(request: HttpRequest, name: str) -> int | None:
    text = request.POST.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
