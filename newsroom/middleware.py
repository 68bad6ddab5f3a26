"""Which language a page speaks, decided by its path alone, and where the staff's pages are."""

from collections.abc import Callable
from http import HTTPStatus

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest
from django.http.request import split_domain_port, validate_host
from django.http.response import HttpResponseBase
from django.utils import translation

from newsroom import languages, refusing

GetResponse = Callable[[HttpRequest], HttpResponseBase]
STAFF_PATH = "/admin/"
LARGEST_FORM = 64 * 1024
"""Bytes that a reader's form may have."""
READERS_URLCONF = "newsroom.readers"


def is_staff_page(request: HttpRequest) -> bool:
    """Whether it is below the staff's path and asked for under one of ADMIN_HOSTS."""
    return _is_staff_path(request) and _is_admin_host(request)


def _is_staff_path(request: HttpRequest) -> bool:
    # What the addresses are matched by. `path` has SCRIPT_NAME before it, which may be a header.
    return f"{request.path_info}/".startswith(STAFF_PATH)


def _is_admin_host(request: HttpRequest) -> bool:
    try:
        host, _port = split_domain_port(request.get_host())
    except DisallowedHost:
        return False
    return validate_host(host, settings.ADMIN_HOSTS)


class AdminOnItsHosts:
    """Under any other name the site has readers' pages only: /admin/ is like any unknown page."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if _is_staff_path(request) and not _is_admin_host(request):
            request.urlconf = READERS_URLCONF
        return self.get_response(request)


class SmallForms:
    """Strangers post addresses and buttons; nobody fills the memory with more."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        length = request.headers.get("Content-Length") or "0"
        if not is_staff_page(request) and length.isdigit() and int(length) > LARGEST_FORM:
            return refusing.refusal(of_path(request), HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return self.get_response(request)


class LanguageFromPath:
    """Readers' pages: the path's first segment, else the default; nothing is negotiated.

    The staff's pages name no language in their paths. They speak the one that was picked in
    the admin (a cookie that is sent to the admin only), else the browser's.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        staff = is_staff_page(request)
        language = translation.get_language_from_request(request) if staff else of_path(request)
        with translation.override(language):
            request.LANGUAGE_CODE = language
            response = self.get_response(request)
            response.headers.setdefault("Content-Language", language)
            return response


def of_path(request: HttpRequest) -> str:
    """The language that a reader's path names, else the default."""
    first = request.path_info.lstrip("/").partition("/")[0]
    return first if languages.is_language(first) else languages.default()
