"""Keys of rate limits: keyed hashes of IP networks and user names."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from ipaddress import IPv6Address, ip_address, ip_network

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.http import HttpRequest

from keys.sealing import site_key

NETWORK_BITS = {4: 32, 6: 64}
"""Prefix lengths of one customer, by IP version."""
WIDE_NETWORK_BITS = {4: 24, 6: 48}
"""Prefix lengths of one organisation."""


def client_hash(address: str, day: dt.date, bits: dict[int, int] = NETWORK_BITS) -> str:
    """HMAC-SHA256 of a client's network and the day, in hex; `bits` by IP version.

    Keyed, since the IPv4 space is small; daily, so that nobody is tracked longer. Whatever is
    no IP address, such as a Unix socket's empty one, is one client.
    """
    message = f"{day.isoformat()} {_network(address, bits)}"
    return hmac.digest(site_key("client hash"), message.encode(), hashlib.sha256).hex()


def request_client_hash(request: HttpRequest) -> str:
    """The client's daily hash; empty where the proxy withholds visitors' addresses.

    That of deploy/nginx.conf does: it limits by itself and sends X-Sign-Up-Pace.
    """
    forwarded = request.headers.get("X-Forwarded-For", "").strip()
    if settings.ALLAUTH_TRUSTED_PROXY_COUNT and not forwarded:
        return ""
    return str(get_adapter(request).get_client_ip(request))


def username_hash(name: str) -> str:
    """HMAC-SHA256 of a user name, case-folded, in hex.

    Keyed, since a subscriber may type an address into the log-in form.
    """
    return hmac.digest(site_key("user name"), name.lower().encode(), hashlib.sha256).hex()


def _network(address: str, bits: dict[int, int]) -> str:
    try:
        found = ip_address(address)
    except ValueError:
        return ""
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return str(ip_network((found, bits[found.version]), strict=False))
