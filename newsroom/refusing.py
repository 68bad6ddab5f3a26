"""What is said to a reader whose request cannot be taken: a page of its own, in one language.

It asks nothing of the database and names no host, since what was sent may be anything.
"""

from __future__ import annotations

from http import HTTPStatus

from django.http import HttpResponse
from django.template import loader
from django.utils import translation


def refusal(language: str, status: HTTPStatus, *, has_null: bool = False) -> HttpResponse:
    """400, 403, 411 or 413; `has_null` says why it is 400."""
    context = {"status": status, "language": language, "has_null": has_null}
    with translation.override(language):
        page = loader.render_to_string("refused.html", context)
    headers = {"Cache-Control": "no-store", "Content-Language": language}
    return HttpResponse(page, status=status, headers=headers)
