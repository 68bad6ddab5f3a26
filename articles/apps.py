"""The app's registration."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ArticlesConfig(AppConfig):
    """What the newsroom writes."""

    name = "articles"
    verbose_name = _("Articles")

    def ready(self) -> None:
        from articles import first_page  # noqa: F401
