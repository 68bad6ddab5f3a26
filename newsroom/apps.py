"""The composition root as an app, for its commands and its system checks."""

from django.apps import AppConfig
from django.core import checks

from newsroom.checks import ALL
from newsroom.database_roles import rights_of_the_web_process


class NewsroomConfig(AppConfig):
    """The house."""

    name = "newsroom"

    def ready(self) -> None:
        for check in ALL:
            checks.register(check)
        checks.register(rights_of_the_web_process, checks.Tags.database)
