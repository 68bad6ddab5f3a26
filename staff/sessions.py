"""SESSION_ENGINE: sessions that a stolen database does not reveal."""

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
from keys.sealing import DecryptionError, site_key
from staff.models import Session


def stored_session_key(session_key: str) -> str:
    """The primary key of a session: HMAC-SHA256 of the cookie's value, in hex."""
    return _digest("session row", session_key).hex()


def _digest(purpose: str, session_key: str) -> bytes:
    return hmac.digest(site_key(purpose), session_key.encode(), hashlib.sha256)


class SessionStore(DatabaseStore):
    """Django's database store, with a hashed key and encrypted data.

    During a log-in the data holds who has passed the password, and during an enrolment the TOTP
    secret.
    """

    @classmethod
    def get_model_class(cls) -> type[Session]:
        return Session

    def encode(self, session_dict: dict[str, Any]) -> str:
        key = self._own_key()
        return seal(
            self.serializer().dumps(session_dict), self._data_key(key), stored_session_key(key)
        )

    def decode(self, session_data: str) -> dict[str, Any]:
        """Empty if it does not decrypt: another SECRET_KEY, or a tampered row."""
        key = self._own_key()
        try:
            decrypted = unseal(session_data, self._data_key(key), stored_session_key(key))
        except DecryptionError:
            return {}
        decoded: dict[str, Any] = self.serializer().loads(decrypted)
        return decoded

    def _own_key(self) -> str:
        return str(self._get_or_create_session_key())  # type: ignore[attr-defined]

    @staticmethod
    def _data_key(session_key: str) -> bytes:
        return _digest("session data", session_key)

    def create_model_instance(self, data: dict[str, Any]) -> Session:
        return Session(
            session_key=stored_session_key(self._own_key()),
            session_data=self.encode(data),
            expire_date=self.get_expiry_date(),
            user_id=data.get(SESSION_KEY) or data.get(HALF_LOGGED_IN),
        )

    def _get_session_from_db(self) -> Session | None:
        stored = Session.objects.filter(
            session_key=stored_session_key(str(self.session_key)), expire_date__gt=timezone.now()
        ).first()
        if stored is None:
            self._session_key = None
        return stored

    def exists(self, session_key: str) -> bool:
        return super().exists(stored_session_key(session_key))

    def delete(self, session_key: str | None = None) -> None:
        session_key = session_key or self.session_key
        if session_key is not None:
            super().delete(stored_session_key(session_key))

    # Django's asynchronous methods would use the unhashed key.
    _aget_session_from_db = sync_to_async(_get_session_from_db)
    acreate_model_instance = sync_to_async(create_model_instance)  # type: ignore[arg-type]
    aexists = sync_to_async(exists)  # type: ignore[arg-type]
    adelete = sync_to_async(delete)  # type: ignore[arg-type]
