"""The app's registration."""

from django.apps import AppConfig
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _


class ArticlesConfig(AppConfig):
    """What the newsroom writes."""

    name = "articles"
    verbose_name = _("Articles")

    def ready(self) -> None:
        # By name: models cannot be imported before every app is ready.
        import_string("articles.first_page.connect")()
