"""Warnings about mailbox providers that a hostile state can read."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _


class MailboxWarning(models.Model):
    """Shown to a visitor who signs up with a mailbox at one of these domains."""

    domains = models.TextField(
        _("domains"),
        help_text=_("One a line, such as example.org; what is below a domain counts too."),
    )
    text = models.TextField(
        _("text"),
        max_length=600,
        help_text=_("Shown once, before the sign-up is taken; the reader may go on all the same."),
    )

    class Meta:
        verbose_name, verbose_name_plural = _("warning of mailboxes"), _("warnings of mailboxes")

    def __str__(self) -> str:
        return ", ".join(self.listed()[:3])

    def clean(self) -> None:
        """Normalises the domains. Raises ValidationError for a line that is not a domain."""
        cleaned = []
        for line in self.domains.lower().split():
            try:
                domain = line.strip("@.,;").encode("idna").decode("ascii")
            except UnicodeError:
                domain = ""
            if "." not in domain:
                raise ValidationError(
                    {"domains": _("“%(line)s” is not a domain.") % {"line": line[:80]}}
                )
            cleaned.append(domain)
        self.domains = "\n".join(dict.fromkeys(cleaned))

    def listed(self) -> list[str]:
        """The domains, normalised."""
        return self.domains.split()

    def is_about(self, address: str) -> bool:
        """Whether the normalised address is at one of the domains or below one."""
        domain = address.rpartition("@")[2]
        return any(domain == one or domain.endswith(f".{one}") for one in self.listed())
