"""Which language a page speaks, decided by its path alone."""

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import translation

from newsroom import languages

GetResponse = Callable[[HttpRequest], HttpResponseBase]
STAFF_PATH = "/admin/"


class LanguageFromPath:
    """Readers' pages: the path's first segment, else the default; nothing is negotiated.

    The staff's pages name no language in their paths. They speak the one that was picked in
    the admin (a cookie that is sent to the admin only), else the browser's.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        staff = request.path.startswith(STAFF_PATH)
        language = translation.get_language_from_request(request) if staff else of_path(request)
        with translation.override(language):
            request.LANGUAGE_CODE = language
            response = self.get_response(request)
            response.headers.setdefault("Content-Language", language)
            return response


def of_path(request: HttpRequest) -> str:
    """The language that a reader's path names, else the default."""
    first = request.path.lstrip("/").partition("/")[0]
    return first if languages.is_language(first) else languages.default()
