"""Logs in through the account pages, with codes as an authenticator app shows them."""

from __future__ import annotations

import base64
import time
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.urls import reverse

from tests.factories import PASSWORD, TOTP_SECRET

LOGIN, CODE, ENROL = (
    reverse(name) for name in ("account_login", "mfa_authenticate", "staff_enrol")
)
APP, FACTOR, NEW_PASSWORD, CODES = (
    reverse(name)
    for name in (
        "mfa_activate_totp",
        "mfa_index",
        "account_change_password",
        "mfa_view_recovery_codes",
    )
)
ADMIN_INDEX = "/admin/"


def code(secret: str = TOTP_SECRET, steps: int = 0) -> str:
    """The TOTP code now, or so many steps of 30 seconds later."""
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30 + steps))


def submit_password(
    client: Client, username: str = "editor", password: str = PASSWORD, **more: Any
) -> Any:
    return client.post(LOGIN, {"login": username, "password": password}, **more)


def log_in(username: str = "editor", password: str = PASSWORD, **more: Any) -> Client:
    """A client that is logged in, with a code if required; clears the cache of used codes."""
    client = Client(**more)
    answer = submit_password(client, username, password)
    if answer.headers.get("Location") == CODE:
        cache.clear()
        answer = client.post(CODE, {"code": code()})
    assert answer.status_code == 302, answer.content.decode()
    return client


def is_logged_in(client: Client) -> bool:
    """Whether the admin's index is accessible."""
    answer = client.get(ADMIN_INDEX)
    assert answer.status_code == 200 or answer.headers["Location"].startswith("/admin/login/")
    return answer.status_code == 200


def add_security_key(user: Any, name: str = "A key") -> Authenticator:
    """As after a registration, which test_webauthn.py tests."""
    return Authenticator.objects.create(
        user=user, type=Authenticator.Type.WEBAUTHN, data={"name": name, "credential": {}}
    )


def dump_database() -> bytes:
    """Every value of every row, also base64-decoded."""
    dump = bytearray()
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            for row in cursor.fetchall():
                for value in row:
                    raw = value if isinstance(value, bytes) else str(value).encode()
                    dump += raw + b"\n" + _decoded(raw) + b"\n"
    return bytes(dump)


def _decoded(raw: bytes) -> bytes:
    try:
        return base64.b64decode(raw + b"=" * (-len(raw) % 4), altchars=b"-_", validate=False)
    except ValueError:
        return b""
