"""The app's registration."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from core import health


class NewsletterConfig(AppConfig):
    """The list, the letter and its sending."""

    name = "newsletter"
    verbose_name = _("Newsletter")

    def ready(self) -> None:
        from newsletter import checks, dashboard, receivers  # noqa: F401
        from newsletter.stats import alerts

        health.add_check("letters", alerts.word)
        health.add_check("relays", alerts.relays_word)
