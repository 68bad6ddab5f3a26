"""The app's registration."""

from django.apps import AppConfig
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _


class StaffConfig(AppConfig):
    """Who works here."""

    name = "staff"
    verbose_name = _("Staff")

    def ready(self) -> None:
        # By name: models cannot be imported before every app is ready.
        import_string("staff.hearing.connect")()
