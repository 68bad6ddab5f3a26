"""Validation and normalisation of e-mail addresses, and the provider of a mailbox."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _

MAX_ADDRESS_LENGTH = 254
"""RFC 5321, section 4.5.3.1.3, less the angle brackets of a path."""
OTHER_PROVIDER = "other"


class InvalidAddress(ValueError):
    """Not a deliverable address; the message says why, without repeating it."""


def normalise(text: str) -> str:
    """The form that is sealed and hashed: lower case, the domain as A-labels (IDNA).

    Raises InvalidAddress.
    """
    local, at, domain = text.strip().rpartition("@")
    if not at or not local or not domain:
        raise InvalidAddress(
            _("This is not an e-mail address. It should look like name@example.org.")
        )
    if not local.isascii():
        raise InvalidAddress(
            _("Addresses with letters other than a–z before the @ are not supported.")
        )
    try:
        ascii_domain = domain.rstrip(".").encode("idna").decode("ascii")
    except UnicodeError:
        raise InvalidAddress(_("The part after the @ is not a domain.")) from None
    address = f"{local}@{ascii_domain}".lower()
    try:
        validate_email(address)
    except ValidationError:
        raise InvalidAddress(
            _("This is not an e-mail address. It should look like name@example.org.")
        ) from None
    if len(address) > MAX_ADDRESS_LENGTH or local.startswith('"'):
        raise InvalidAddress(_("This address is too long or too unusual for us to write to."))
    return address


def provider_of(address: str) -> str:
    """The provider's code from settings.PROVIDERS, else "other"."""
    return str(settings.PROVIDERS.get(address.rpartition("@")[2], OTHER_PROVIDER))
