"""Which pages are the admin's, by path and host, and how large a request's body may be."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from typing import Any, TypeVar

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest
from django.http.request import split_domain_port, validate_host

from core import languages

ADMIN_PATH = "/admin/"
PUBLIC_URLCONF = "newsroom.public_urls"
MAX_FORM_BYTES = 64 * 1024
"""Of any request, unless its view allows more."""
MAX_TEXT_FORM_BYTES = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
"""Of a form with texts or a picture: what is too long must reach the form, for a field error."""
MAX_UPLOAD_BYTES = 20 * 1024 * 1024
"""Of all files of one form together. The import of a list has an upload handler of its own."""
CHECKED_BY_VIEW = None
"""Of a view that checks Content-Length itself."""

RESERVED_TOP_LEVEL_NAMES = frozenset(
    {"localhost", "local", "internal", "lan", "test", "invalid", "example"}
)
"""Special-use (RFC 6761) and private names, which do not resolve on the internet."""

View = TypeVar("View", bound=Callable[..., Any])


def is_admin_request(request: HttpRequest) -> bool:
    """Whether the path is below /admin/ and the host is one of ADMIN_HOSTS."""
    return is_admin_path(request) and is_admin_host(request)


def is_admin_path(request: HttpRequest) -> bool:
    """Whether the path is below /admin/, whatever the host."""
    # Not `path`, which begins with SCRIPT_NAME: a header may set that.
    return f"{request.path_info}/".startswith(ADMIN_PATH)


def is_admin_host(request: HttpRequest) -> bool:
    """Whether the Host header is one of ADMIN_HOSTS."""
    try:
        host, _port = split_domain_port(request.get_host())
    except DisallowedHost:
        return False
    return validate_host(host, settings.ADMIN_HOSTS)


def language_from_path(request: HttpRequest) -> str:
    """The language of the path's first segment, else the default."""
    first = request.path_info.lstrip("/").partition("/")[0]
    return first if languages.is_language(first) else languages.default()


def max_body_bytes(limit: int | None) -> Callable[[View], View]:
    """Decorates a view of the admin that allows so much to whoever is logged in.

    The views of a ModelAdmin use its attribute `max_body_bytes`. RequestSizeLimitMiddleware reads
    both.
    """

    def decorate(view: View) -> View:
        view.max_body_bytes = limit  # type: ignore[attr-defined]
        return view

    return decorate


def is_public_hostname(host: str) -> bool:
    """A name with a dot that is no IP address and not reserved."""
    labels = host.rstrip(".").lower().split(".")
    return (
        len(labels) > 1 and labels[-1] not in RESERVED_TOP_LEVEL_NAMES and not is_ip_address(host)
    )


def is_ip_address(host: str) -> bool:
    """IPv4 or IPv6."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def is_local_network(host: str) -> bool:
    """Whether a connection stays on this host or in a private network."""
    if is_ip_address(host):
        return ip_address(host).is_private
    return "." not in host or host.rpartition(".")[2] in RESERVED_TOP_LEVEL_NAMES
