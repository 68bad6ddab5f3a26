"""The project as an app, for its commands and system checks."""

from django.apps import AppConfig
from django.core import checks

from newsroom.checks import ALL_CHECKS
from newsroom.database_roles import web_process_rights


class NewsroomConfig(AppConfig):
    """Registers the system checks."""

    name = "newsroom"

    def ready(self) -> None:
        for check in ALL_CHECKS:
            checks.register(check)
        checks.register(web_process_rights, checks.Tags.database)
