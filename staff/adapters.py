"""django-allauth's adapters."""

from __future__ import annotations

import datetime as dt
import logging
import math
import time
from typing import Any

from allauth.account import app_settings
from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.authentication import get_authentication_records
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured, PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from keys.fields import seal, unseal
from keys.sealing import DecryptionError, site_key
from staff import known_devices, login_throttle, password_guessing, second_factor
from staff.rate_limit_keys import WIDE_NETWORK_BITS, client_hash, username_hash

log = logging.getLogger(__name__)
FACTOR_PURPOSE = "second factor"


class AccountAdapter(DefaultAccountAdapter):
    """Log-in and password; without sign-up and without mail."""

    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "enter_current_password": _("This is not your present password."),
        "incorrect_code": _("This code is not right. Each code works once."),
        "incorrect_password": _("This is not your password."),
        "rate_limited": _("Too many attempts. Try again in a few minutes."),
        "too_many_login_attempts": _("Too many attempts. Try again in a few minutes."),
        "username_password_mismatch": _("User name and password do not fit together."),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def is_safe_url(self, url: str) -> bool:
        """Relative URLs only, whatever ALLOWED_HOSTS says."""
        return bool(url_has_allowed_host_and_scheme(url, allowed_hosts=None))

    def get_client_ip(self, request: HttpRequest) -> str:
        """A hash, so that no IP address is stored."""
        return client_hash(self._address(request), timezone.now().date())

    def _address(self, request: HttpRequest) -> str:
        """Empty behind a Unix socket, or where too few proxies are named."""
        try:
            return str(super().get_client_ip(request))
        except PermissionDenied:  # Behind a Unix socket.
            return ""
        except ImproperlyConfigured:
            log.warning(
                "X-Forwarded-For names fewer proxies than TRUSTED_PROXIES, so all who come this "
                "way count as one client. Set TRUSTED_PROXIES to how many of yours add to it."
            )
            return ""

    def get_login_stages(self) -> list[str]:
        """The second factor only."""
        return ["allauth.mfa.stages.AuthenticateStage"]

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return reverse("mfa_index")

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """Not right after the log-in, such as at the first enrolment."""
        required: bool = super().is_reauthentication_required(app=app, **kwargs)
        return required and not _has_just_logged_in(self.request)

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Limits of our own: with allauth's a stranger could lock an account."""
        now, address = timezone.now(), self._address(request)
        username = credentials.get("username", "")
        self._attempt = login_throttle.begin_attempt(
            # Hashed here, since allauth's hash is not keyed.
            username_hash(username),
            device=known_devices.device_key(request, username, now.date()),
            network=client_hash(address, now.date()),
            wide_network=client_hash(address, now.date(), WIDE_NETWORK_BITS),
            now=now,
        )
        if self._attempt.wait:
            raise ValidationError(too_many_attempts(self._attempt.wait))

    def authenticate(self, request: HttpRequest, **credentials: Any) -> AbstractBaseUser | None:
        user: AbstractBaseUser | None = super().authenticate(request, **credentials)
        if user is not None:
            self._attempt.succeeded()
        return user

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        """Records persistent guessing in the audit."""
        if self._attempt.failed():
            password_guessing.audit_password_guessing(
                credentials.get("username", ""), timezone.now()
            )

    def post_login(
        self, request: HttpRequest, user: AbstractBaseUser, **about: Any
    ) -> HttpResponse:
        """Remembers the browser and warns the user of guesses."""
        response: HttpResponse = super().post_login(request, user, **about)
        assert isinstance(user, User)
        known_devices.remember(response, user, timezone.now().date())
        password_guessing.warn_account_owner(request, user)
        return response


def too_many_attempts(wait: dt.timedelta) -> str:
    """An error message with the time to wait."""
    minutes = math.ceil(wait.total_seconds() / 60)
    text = ngettext(
        "Too many attempts. Try again in %(minutes)s minute.",
        "Too many attempts. Try again in %(minutes)s minutes.",
        minutes,
    )
    return text % {"minutes": minutes}


def _has_just_logged_in(request: HttpRequest) -> bool:
    records = get_authentication_records(request, request.user)
    age = time.time() - max((record["at"] for record in records), default=0.0)
    return bool(age < app_settings.REAUTHENTICATION_TIMEOUT)


class SecondFactorAdapter(DefaultMFAAdapter):
    """Authenticator apps, security keys and recovery codes."""

    error_messages = {
        **DefaultMFAAdapter.error_messages,
        "cannot_delete_authenticator": _(
            "This is your only second factor, and you need one. Add another one first."
        ),
        "cannot_generate_recovery_codes": _("Recovery codes need a second factor first."),
        "incorrect_code": _("This code is not right. Each code works once."),
        "sealed": _(
            "Your second factor cannot be read, since the site's secret key has changed. Ask an "
            "administrator to reset it."
        ),
    }

    def encrypt(self, text: str) -> str:
        return seal(text.encode(), site_key(FACTOR_PURPOSE), FACTOR_PURPOSE)

    def decrypt(self, encrypted_text: str) -> str:
        try:
            return unseal(encrypted_text, site_key(FACTOR_PURPOSE), FACTOR_PURPOSE).decode()
        except DecryptionError:
            # Not an empty secret: anybody could compute its codes.
            raise self.validation_error("sealed") from None

    def can_delete_authenticator(self, authenticator: Authenticator) -> bool:
        return second_factor.may_remove(authenticator)

    def get_totp_label(self, user: AbstractBaseUser) -> str:
        return user.get_username()

    def build_totp_svg(self, url: str) -> str:
        """Inline SVG, without the XML declaration."""
        svg: str = super().build_totp_svg(url)
        return svg[svg.index("<svg") :]

    def generate_authenticator_name(self, user: AbstractBaseUser, type: Authenticator.Type) -> str:
        number = Authenticator.objects.filter(user_id=user.pk, type=type).count() + 1
        return gettext("Security key {number}").format(number=number)

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        """The relying party's id is the host, one of ADMIN_HOSTS."""
        return {**super().get_public_key_credential_rp_entity(), "name": self.get_totp_issuer()}

    def get_public_key_credential_user_entity(self, user: AbstractBaseUser) -> dict[str, Any]:
        name = user.get_username()
        entity: dict[str, Any] = super().get_public_key_credential_user_entity(user)
        return {**entity, "name": name, "display_name": name}
