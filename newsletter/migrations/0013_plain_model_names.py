"""Renames six models and their tables, and the permissions that are named after them.

Django renames the content types by itself, but not the codenames of permissions: groups and
accounts keep theirs only if the rows are renamed too.
"""

from __future__ import annotations

from collections.abc import Iterable

import django.db.models.deletion
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

NEW_NAMES = {
    "Inquiry": "SubscriberLookup",
    "SetAsideMail": "QuarantinedMail",
    "Spending": "Quota",
    "Throttle": "RateLimiter",
    "StagedReader": "StagedSubscriber",
    "JournalMark": "DeparturesLogPosition",
}
ACTIONS = ("add", "change", "delete", "view")


def rename_permissions(apps: Apps, _editor: BaseDatabaseSchemaEditor) -> None:
    _rename_permissions(apps, NEW_NAMES.items())


def restore_permissions(apps: Apps, _editor: BaseDatabaseSchemaEditor) -> None:
    _rename_permissions(apps, ((new, old) for old, new in NEW_NAMES.items()))


def _rename_permissions(apps: Apps, names: Iterable[tuple[str, str]]) -> None:
    permissions = apps.get_model("auth", "Permission").objects.filter(
        content_type__app_label="newsletter"
    )
    for old, new in names:
        for action in ACTIONS:
            permissions.filter(codename=f"{action}_{old.lower()}").update(
                codename=f"{action}_{new.lower()}"
            )


class Migration(migrations.Migration):
    dependencies = [
        ("newsletter", "0012_no_mails_due_on_subscribers"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        *(migrations.RenameModel(old, new) for old, new in NEW_NAMES.items()),
        migrations.RunPython(rename_permissions, restore_permissions),
        migrations.AlterField(
            model_name="subscriber",
            name="came_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="subscribers",
                to="newsletter.import",
                verbose_name="came by an import",
            ),
        ),
    ]
