"""Whom the limits count: never by an IP address or a name, only by keyed hashes of them."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from ipaddress import IPv6Address, ip_address, ip_network

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.http import HttpRequest

from keys.sealing import site_key

NETWORK = {4: 32, 6: 64}
"""Bits that a provider gives to one customer, who may change the rest at will."""
WIDE_NETWORK = {4: 24, 6: 48}
"""Bits of what one organisation, or a customer who asks for more, has at once."""


def client_hash(address: str, day: dt.date, bits: dict[int, int] = NETWORK) -> str:
    """HMAC-SHA256 of a client's network and the day, in hex; `bits` by version of IP.

    Keyed, since all IPv4 addresses are soon tried; daily, so that nobody is followed longer.
    What is no IP address, such as a Unix socket's empty one, is one client.
    """
    counted = f"{day.isoformat()} {_network(address, bits)}"
    return hmac.digest(site_key("client hash"), counted.encode(), hashlib.sha256).hex()


def reader_of(request: HttpRequest) -> str:
    """The daily hash of a reader who asks; empty where our proxy keeps readers' addresses.

    The proxy of deploy/nginx.conf does: it counts by itself, and tells only who is too fast.
    """
    forwarded = request.headers.get("X-Forwarded-For", "").strip()
    if settings.ALLAUTH_TRUSTED_PROXY_COUNT and not forwarded:
        return ""
    return str(get_adapter(request).get_client_ip(request))


def name_hash(name: str) -> str:
    """HMAC-SHA256 of a name that somebody typed at the door, in any case, in hex.

    Keyed, since a reader who takes the door for theirs types an address.
    """
    return hmac.digest(site_key("name at the door"), name.lower().encode(), hashlib.sha256).hex()


def _network(address: str, bits: dict[int, int]) -> str:
    try:
        found = ip_address(address)
    except ValueError:
        return ""
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return str(ip_network((found, bits[found.version]), strict=False))
