"""robots.txt and security.txt, here since they name URLs of all apps."""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from core import languages
from core.http import ADMIN_PATH
from keys import tokens

TOKEN_PAGES = ("preview", "confirm", "letter", "preferences")
"""Views whose URL ends with a token."""
PLAIN = "text/plain; charset=utf-8"


@require_safe
def robots(request: HttpRequest) -> HttpResponse:
    """RFC 9309. The same under every host; the sitemaps are at SITE_URL."""
    private = [
        reverse(view, args=[code, "-"]).removesuffix("-/")
        for code in languages.codes()
        for view in TOKEN_PAGES
    ]
    maps = [tokens.absolute_url("sitemap_index")]
    maps += [tokens.absolute_url("news", code) for code in languages.codes()]
    lines = [
        "User-agent: *",
        *(f"Disallow: {path}" for path in [ADMIN_PATH, *private]),
        "",
        *(f"Sitemap: {address}" for address in maps),
    ]
    return HttpResponse("\n".join([*lines, ""]), content_type=PLAIN)


@require_safe
def security(request: HttpRequest) -> HttpResponse:
    """RFC 9116. Not found without SECURITY_CONTACT."""
    last = settings.SECURITY_EXPIRES
    if last is None:
        raise Http404
    expires = dt.datetime.combine(last, dt.time(), dt.UTC)
    lines = [
        *(f"Contact: {contact}" for contact in settings.SECURITY_CONTACT),
        f"Expires: {expires:%Y-%m-%dT%H:%M:%SZ}",
        f"Preferred-Languages: {', '.join(languages.codes())}",
        f"Canonical: {tokens.absolute_url('security')}",
    ]
    return HttpResponse("\n".join([*lines, ""]), content_type=PLAIN)
