"""The app's registration."""

from typing import Any

from django.apps import AppConfig
from django.db import connections
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _

from articles.site_version import make_triggers


class ArticlesConfig(AppConfig):
    """What the newsroom writes."""

    name = "articles"
    verbose_name = _("Articles")

    def ready(self) -> None:
        from articles import dashboard  # noqa: F401

        post_migrate.connect(grow_site_version, sender=self)


def grow_site_version(using: str, **_more: Any) -> None:
    """After each `migrate`, whatever it did to the tables."""
    make_triggers(connections[using])
