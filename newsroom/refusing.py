"""What is said to a reader whose request cannot be taken: a page of its own, in one language.

It asks nothing of the database and names no host, since what was sent may be anything.
"""

from __future__ import annotations

from http import HTTPStatus

from django.http import HttpResponse
from django.template import loader
from django.utils import translation


def refusal(language: str, status: HTTPStatus) -> HttpResponse:
    """400, 403 or 413."""
    with translation.override(language):
        page = loader.render_to_string("refused.html", {"status": status, "language": language})
    headers = {"Cache-Control": "no-store", "Content-Language": language}
    return HttpResponse(page, status=status, headers=headers)
