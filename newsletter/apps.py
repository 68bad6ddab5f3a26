"""The app's registration."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from newsroom import health


class NewsletterConfig(AppConfig):
    """The list, the letter and its sending."""

    name = "newsletter"
    verbose_name = _("Newsletter")

    def ready(self) -> None:
        from newsletter import alarming, checks, first_page, receivers  # noqa: F401

        health.add_check("letters", alarming.word)
        health.add_check("relays", alarming.relays_word)
