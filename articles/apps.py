"""App configuration."""

from typing import Any

from django.apps import AppConfig
from django.db import connections
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _

from articles.site_version import create_triggers


class ArticlesConfig(AppConfig):
    """Articles."""

    name = "articles"
    verbose_name = _("Articles")

    def ready(self) -> None:
        from articles import dashboard  # noqa: F401

        post_migrate.connect(create_site_version_triggers, sender=self)


def create_site_version_triggers(using: str, **_more: Any) -> None:
    """After each `migrate`: SQLite drops the triggers of a table that it rebuilds."""
    create_triggers(connections[using])
