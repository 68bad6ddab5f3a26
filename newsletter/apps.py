"""The app's configuration."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from core import health


class NewsletterConfig(AppConfig):
    """The list, mailings and their delivery."""

    name = "newsletter"
    verbose_name = _("Newsletter")

    def ready(self) -> None:
        from newsletter import checks, dashboard, receivers  # noqa: F401
        from newsletter.stats import alerts

        health.register_check("letters", alerts.letters_health)
        health.register_check("relays", alerts.relays_health)
