"""What stands at the addresses that crawlers and finders of flaws try first.

At the house's root, since only here are both the articles' and the letters' addresses known.
"""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from core import languages
from core.http import STAFF_PATH
from keys import tokens

TOKEN_PAGES = ("preview", "confirm", "letter", "preferences")
"""Views whose address ends with what opens them: nobody's to fetch but its holder's."""
PLAIN = "text/plain; charset=utf-8"


@require_safe
def robots(request: HttpRequest) -> HttpResponse:
    """RFC 9309. The same under every name: sitemaps are the public host's."""
    private = [
        reverse(view, args=[code, "-"]).removesuffix("-/")
        for code in languages.codes()
        for view in TOKEN_PAGES
    ]
    maps = [tokens.absolute("sitemap_index")]
    maps += [tokens.absolute("news", code) for code in languages.codes()]
    lines = [
        "User-agent: *",
        *(f"Disallow: {path}" for path in [STAFF_PATH, *private]),
        "",
        *(f"Sitemap: {address}" for address in maps),
    ]
    return HttpResponse("\n".join([*lines, ""]), content_type=PLAIN)


@require_safe
def security(request: HttpRequest) -> HttpResponse:
    """RFC 9116: whom to tell of a flaw. Not found where nobody is named."""
    last = settings.SECURITY_EXPIRES
    if last is None:
        raise Http404
    expires = dt.datetime.combine(last, dt.time(), dt.UTC)
    lines = [
        *(f"Contact: {contact}" for contact in settings.SECURITY_CONTACT),
        f"Expires: {expires:%Y-%m-%dT%H:%M:%SZ}",
        f"Preferred-Languages: {', '.join(languages.codes())}",
        f"Canonical: {tokens.absolute('security')}",
    ]
    return HttpResponse("\n".join([*lines, ""]), content_type=PLAIN)
