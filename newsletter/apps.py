"""The app's registration."""

from django.apps import AppConfig
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from newsroom import health


class NewsletterConfig(AppConfig):
    """The list, the letter and its sending."""

    name = "newsletter"
    verbose_name = _("Newsletter")

    def ready(self) -> None:
        # By name: models cannot be imported before every app is ready.
        import_string("newsletter.hearing.connect")()
        import_string("newsletter.checks.connect")()
        import_string("newsletter.first_page.connect")()
        health.add_check("letters", import_string("newsletter.alarming.word"))
