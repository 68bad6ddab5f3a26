"""The app's registration."""

from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class StaffConfig(AppConfig):
    """The staff app."""

    name = "staff"
    verbose_name = _("Staff")

    def ready(self) -> None:
        from staff import receivers, roles  # noqa: F401

        with_models = [app for app in apps.get_app_configs() if app.models_module]
        # After the last app's permissions are created.
        post_migrate.connect(roles.make_roles, sender=with_models[-1])
