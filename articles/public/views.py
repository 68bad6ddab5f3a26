"""The public pages. No view reads the session, and none sets a cookie."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone, translation
from django.views.decorators.http import require_safe
from django.views.static import serve

from articles.editorial import preview_links
from articles.editorial.preview_links import PreviewUnavailable
from articles.images import renditions
from articles.models import Article, Author, Topic
from articles.models.articles import ArticleQuerySet
from articles.public import selectors, social_metadata
from articles.public.page_cache import cached_page, canonical_redirect, private_response
from core import languages
from core.weeks import Week
from keys.tokens import InvalidToken

MEDIA_MAX_AGE_SECONDS = 7 * 24 * 3600
"""A changed picture has another name."""


@require_safe
@cached_page
def home(request: HttpRequest, language: str = "") -> HttpResponse:
    """The newest week and earlier ones."""
    language = language or languages.default()
    newest = selectors.newest_week(language)
    context = {
        "alternates": _alternates("home", language, Article.objects.all()),
        "week_page": selectors.week_page(newest, language) if newest else None,
        "latest": selectors.earlier_weeks(language, before=newest) if newest else [],
    }
    return render(request, "articles/home.html", context)


@require_safe
@cached_page
def article(request: HttpRequest, language: str, pk: int, slug: str = "") -> HttpResponse:
    """By id; another slug redirects. 410 if withdrawn; a missing language links to the others."""
    found = get_object_or_404(Article.objects.with_languages().select_related("cover"), pk=pk)
    public = found.public_languages
    if not public and found.first_published_at() is None:
        raise Http404
    context: dict[str, Any] = {
        "article": found,
        "text": found.text_in(language),
        "alternates": _article_alternates(found, language, public),
    }
    if not public or language in found.gone_languages:
        context["withdrawal_note"] = selectors.withdrawal_note(found, language)
        return render(request, "articles/withdrawn.html", context, status=410)
    path = found.public_path_in(language)
    if request.path_info != path:
        return canonical_redirect(path)
    if language not in public:
        return render(request, "articles/not_translated.html", context)
    context["corrections"] = selectors.get_corrections(found, language)
    context["authors"] = list(found.authors.all())
    context["social_metadata"] = social_metadata.build_social_metadata(
        found, language, context["corrections"], context["authors"]
    )
    return render(request, "articles/article.html", context)


def _alternates(
    view: str,
    language: str,
    shown: ArticleQuerySet,
    *args: object,
    page: int = 1,
    listed: str = "article",
) -> list[selectors.Alternate]:
    """A list page is available in the languages that have entries."""
    public = selectors.languages_with(shown, page=page, listed=listed)
    return selectors.alternates(view, language, *args, public=public, page=page)


def _article_alternates(
    article: Article, language: str, public: list[str]
) -> list[selectors.Alternate]:
    """With each language's slug, and no path where the text was withdrawn."""
    gone = article.gone_languages
    paths = {
        code: "" if code in gone else article.public_path_in(code) for code in languages.codes()
    }
    return selectors.alternates_from_paths(paths, language, public)


@require_safe
def preview(request: HttpRequest, language: str, token: str) -> HttpResponse:
    """An article before it is public, by a secret link."""
    try:
        found = preview_links.open_preview(token, timezone.now())
    except InvalidToken:
        raise Http404 from None
    except PreviewUnavailable:
        closed = {"alternates": selectors.alternates("preview", language, token)}
        return private_response(render(request, "articles/preview_closed.html", closed, status=410))
    paths = {code: reverse("preview", args=[code, token]) for code in languages.codes()}
    shown = selectors.preview_context(found, found.text_in(language), language, paths)
    return private_response(render(request, "articles/preview.html", shown))


@require_safe
@cached_page
def topic(request: HttpRequest, language: str, code: str, page: int = 1) -> HttpResponse:
    """A topic's articles in this language."""
    found = get_object_or_404(Topic, code=code)
    listed = selectors.topic_page(found, language, page)
    shown = Article.objects.filter(topic=found)
    context = {
        "topic": found,
        "is_first_page": page == 1,
        "pager": selectors.pager(listed, "topic", language, code),
        "items": selectors.items(list(listed), language),
        "alternates": _alternates("topic", language, shown, code, page=page),
    }
    return render(request, "articles/topic.html", context)


@require_safe
@cached_page
def author(request: HttpRequest, language: str, code: str, page: int = 1) -> HttpResponse:
    """An author's articles in this language. 404 without a public one."""
    found = get_object_or_404(Author, code=code)
    shown = Article.objects.filter(authors=found)
    if not shown.public().exists():
        raise Http404
    listed = selectors.author_page(found, language, page)
    context = {
        "author": found,
        "pager": selectors.pager(listed, "author", language, code),
        "items": selectors.items(list(listed), language),
        "alternates": _alternates("author", language, shown, code, page=page),
    }
    return render(request, "articles/author.html", context)


@require_safe
@cached_page
def week(request: HttpRequest, language: str, week: Week) -> HttpResponse:
    """The week's digest, which is also the web version of the newsletter."""
    found = selectors.week_page(week, language)
    if found is None:
        raise Http404
    of_week = Article.objects.of_week(week)
    context = {"week_page": found, "alternates": _alternates("week", language, of_week, week)}
    return render(request, "articles/week.html", context)


@require_safe
@cached_page
def weeks(request: HttpRequest, language: str, page: int = 1) -> HttpResponse:
    """All digests, newest first."""
    listed = selectors.weeks_page(language, page)
    shown = Article.objects.with_valid_week()
    alternates = _alternates("weeks", language, shown, page=page, listed="article__week")
    pager = selectors.pager(listed, "weeks", language)
    context = {"weeks": list(listed), "pager": pager, "alternates": alternates}
    return render(request, "articles/weeks.html", context)


@require_safe
def media(request: HttpRequest, path: str) -> HttpResponseBase:
    """Pictures; in production the web server may serve them.

    Other names are 404 at once: the file system raises errors for some.
    """
    if not renditions.FILE_PATTERN.fullmatch(path):
        raise Http404
    response = serve(request, path, document_root=str(settings.MEDIA_ROOT))
    response.headers["Cache-Control"] = f"public, max-age={MEDIA_MAX_AGE_SECONDS}"
    return response


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404, in the language of the path."""
    context = {"alternates": selectors.alternates("home", translation.get_language() or "")}
    return render(request, "404.html", context, status=404)
