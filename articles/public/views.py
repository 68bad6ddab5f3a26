"""Readers' pages. No view looks at who asks, and none sets a cookie."""

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
from articles.editorial.preview_links import PreviewClosed
from articles.images import renditions
from articles.models import Article, Author, Topic
from articles.models.articles import ArticleQuerySet
from articles.public import selectors, social_metadata
from articles.public.page_cache import cached_page, private_page, redirect
from core import languages
from core.weeks import Week
from keys.tokens import BadToken

MEDIA_AGE = 7 * 24 * 3600
"""Seconds that a browser may keep a picture; a changed one has another name."""


@require_safe
@cached_page
def home(request: HttpRequest, language: str = "") -> HttpResponse:
    """The newest week and what came before it."""
    language = language or languages.default()
    newest = selectors.newest_week(language)
    context = {
        "alternates": _alternates("home", language, Article.objects.all()),
        "week_page": selectors.week_page(newest, language) if newest else None,
        "latest": selectors.latest(language, before=newest) if newest else [],
    }
    return render(request, "articles/home.html", context)


@require_safe
@cached_page
def article(request: HttpRequest, language: str, pk: int, slug: str = "") -> HttpResponse:
    """By its id: any other slug leads to its own. A missing language is said to be missing."""
    found = get_object_or_404(Article.objects.with_languages().select_related("cover"), pk=pk)
    public = found.public_languages
    if not public and found.first_published_at() is None:
        raise Http404
    context: dict[str, Any] = {
        "article": found,
        "text": found.text_in(language),
        "alternates": _of_article(found, language, public),
    }
    if not public or language in found.gone_languages:
        context["note"] = selectors.note_on_withdrawal(found, language)
        return render(request, "articles/gone.html", context, status=410)
    path = found.public_path_in(language)
    if request.path_info != path:
        return redirect(path)
    if language not in public:
        return render(request, "articles/missing.html", context)
    context["corrections"] = selectors.corrections_of(found, language)
    context["authors"] = list(found.authors.all())
    context["card"] = social_metadata.card_of(
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
    """Only where a list has something to show is it a page in that language."""
    public = selectors.languages_of(shown, page=page, listed=listed)
    return selectors.alternates(view, language, *args, public=public, page=page)


def _of_article(article: Article, language: str, public: list[str]) -> list[selectors.Alternate]:
    """As any page's, but each language with its own slug, and no link to what was withdrawn."""
    gone = article.gone_languages
    paths = {
        code: "" if code in gone else article.public_path_in(code) for code in languages.codes()
    }
    return selectors.alternates_at(paths, language, public)


@require_safe
def preview(request: HttpRequest, language: str, token: str) -> HttpResponse:
    """One article before it is public, for whoever was sent the link."""
    try:
        found = preview_links.open_preview(token, timezone.now())
    except BadToken:
        raise Http404 from None
    except PreviewClosed:
        gone = {"alternates": selectors.alternates("preview", language, token)}
        return private_page(render(request, "articles/preview_closed.html", gone, status=410))
    paths = {code: reverse("preview", args=[code, token]) for code in languages.codes()}
    shown = selectors.preview_page(found, found.text_in(language), language, paths)
    return private_page(render(request, "articles/preview.html", shown))


@require_safe
@cached_page
def topic(request: HttpRequest, language: str, code: str, page: int = 1) -> HttpResponse:
    """A topic's articles in this language."""
    found = get_object_or_404(Topic, code=code)
    listed = selectors.page_of_topic(found, language, page)
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
    """What somebody signed, in this language. Who has signed nothing public is nobody."""
    found = get_object_or_404(Author, code=code)
    shown = Article.objects.filter(authors=found)
    if not shown.public().exists():
        raise Http404
    listed = selectors.page_of_author(found, language, page)
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
    """The week's digest: its page here and the letter's web version are one and the same."""
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
    listed = selectors.page_of_weeks(language, page)
    shown = Article.objects.of_any_week()
    alternates = _alternates("weeks", language, shown, page=page, listed="article__week")
    pager = selectors.pager(listed, "weeks", language)
    context = {"weeks": list(listed), "pager": pager, "alternates": alternates}
    return render(request, "articles/weeks.html", context)


@require_safe
def media(request: HttpRequest, path: str) -> HttpResponseBase:
    """Pictures; in production a web server may answer in our place.

    Nothing else is there, and no other name is looked for: the system refuses some with an error.
    """
    if not renditions.FILE.fullmatch(path):
        raise Http404
    response = serve(request, path, document_root=str(settings.MEDIA_ROOT))
    response.headers["Cache-Control"] = f"public, max-age={MEDIA_AGE}"
    return response


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """In the language of the path."""
    context = {"alternates": selectors.alternates("home", translation.get_language() or "")}
    return render(request, "404.html", context, status=404)
