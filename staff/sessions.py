"""Sessions that a stolen database does not open (SESSION_ENGINE)."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from allauth.account.internal.flows.login import (
    _AUTHENTICATION_METHODS_USER_SESSION_KEY as HALF_LOGGED_IN,
)
from asgiref.sync import sync_to_async
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.utils import timezone

from keys.fields import seal, unseal
from keys.sealing import SealBroken, site_key
from staff.models import Session


def row_of(session_key: str) -> str:
    """Under which key a session is stored: HMAC-SHA256 of what the cookie says, in hex."""
    return _digest("session row", session_key).hex()


def _digest(purpose: str, session_key: str) -> bytes:
    return hmac.digest(site_key(purpose), session_key.encode(), hashlib.sha256)


class SessionStore(DatabaseStore):
    """Django's, but the row has a hash for a key and data that only the cookie opens.

    The data is worth sealing: during a log-in it holds who has passed the password, and
    during an enrolment the secret of the second factor.
    """

    @classmethod
    def get_model_class(cls) -> type[Session]:
        return Session

    def encode(self, session_dict: dict[str, Any]) -> str:
        key = self._own_key()
        return seal(self.serializer().dumps(session_dict), self._data_key(key), row_of(key))

    def decode(self, session_data: str) -> dict[str, Any]:
        """An empty session where it does not open: another SECRET_KEY, a tampered row."""
        key = self._own_key()
        try:
            opened = unseal(session_data, self._data_key(key), row_of(key))
        except SealBroken:
            return {}
        decoded: dict[str, Any] = self.serializer().loads(opened)
        return decoded

    def _own_key(self) -> str:
        return str(self._get_or_create_session_key())  # type: ignore[attr-defined]

    @staticmethod
    def _data_key(session_key: str) -> bytes:
        return _digest("session data", session_key)

    def create_model_instance(self, data: dict[str, Any]) -> Session:
        return Session(
            session_key=row_of(self._own_key()),
            session_data=self.encode(data),
            expire_date=self.get_expiry_date(),
            user_id=data.get(SESSION_KEY) or data.get(HALF_LOGGED_IN),
        )

    def _get_session_from_db(self) -> Session | None:
        stored = Session.objects.filter(
            session_key=row_of(str(self.session_key)), expire_date__gt=timezone.now()
        ).first()
        if stored is None:
            self._session_key = None
        return stored

    def exists(self, session_key: str) -> bool:
        return super().exists(row_of(session_key))

    def delete(self, session_key: str | None = None) -> None:
        session_key = session_key or self.session_key
        if session_key is not None:
            super().delete(row_of(session_key))

    # Django's asynchronous twins would go to the table with the key as it is.
    _aget_session_from_db = sync_to_async(_get_session_from_db)
    acreate_model_instance = sync_to_async(create_model_instance)  # type: ignore[arg-type]
    aexists = sync_to_async(exists)  # type: ignore[arg-type]
    adelete = sync_to_async(delete)  # type: ignore[arg-type]
