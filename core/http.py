"""What a request is, by its path and host, and how large its body may be."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from typing import Any, TypeVar

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest
from django.http.request import split_domain_port, validate_host

from core import languages

STAFF_PATH = "/admin/"
READERS_URLCONF = "newsroom.public_urls"
LARGEST_FORM = 64 * 1024
"""Bytes that a form may have, unless its view is made for more."""
LARGEST_TEXTS = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
"""Bytes of a form with texts or a picture: a paste that is far too long has to reach the form,
which says so at the field."""
MAX_UPLOAD_BYTES = 20 * 1024 * 1024
"""Of all files of one form together. The largest that any form takes is a picture; a list that is
brought in has a handler of its own."""
BOUNDS_ITSELF = None
"""Of a view that looks at the length before it reads, and says by itself what is too long."""

NOWHERE = frozenset({"localhost", "local", "internal", "lan", "test", "invalid", "example"})
"""Last labels of names that mean something on one machine or in one network only, or nothing."""

View = TypeVar("View", bound=Callable[..., Any])


def is_staff_page(request: HttpRequest) -> bool:
    """Whether it is below the admin's path and asked for under one of ADMIN_HOSTS."""
    return is_staff_path(request) and is_admin_host(request)


def is_staff_path(request: HttpRequest) -> bool:
    """Whatever the host."""
    # What the addresses are matched by. `path` has SCRIPT_NAME before it, which may be a header.
    return f"{request.path_info}/".startswith(STAFF_PATH)


def is_admin_host(request: HttpRequest) -> bool:
    """Whether the Host header is one of ADMIN_HOSTS."""
    try:
        host, _port = split_domain_port(request.get_host())
    except DisallowedHost:
        return False
    return validate_host(host, settings.ADMIN_HOSTS)


def of_path(request: HttpRequest) -> str:
    """The language that a public page's path names, else the default."""
    first = request.path_info.lstrip("/").partition("/")[0]
    return first if languages.is_language(first) else languages.default()


def takes_up_to(limit: int | None) -> Callable[[View], View]:
    """Decorates a view of the admin: so many bytes from whoever is logged in.

    A ModelAdmin's own pages have `largest_form` on the ModelAdmin.
    """

    def mark(view: View) -> View:
        view.largest_form = limit  # type: ignore[attr-defined]
        return view

    return mark


def is_public_name(host: str) -> bool:
    """Whether the whole world could find it: a name with a dot, no IP address, no reserved name."""
    labels = host.rstrip(".").lower().split(".")
    return len(labels) > 1 and labels[-1] not in NOWHERE and not is_ip(host)


def is_ip(host: str) -> bool:
    """IPv4 or IPv6."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def is_near(host: str) -> bool:
    """Whether the way there stays on this machine or in our own network."""
    if is_ip(host):
        return ip_address(host).is_private
    return "." not in host or host.rpartition(".")[2] in NOWHERE
