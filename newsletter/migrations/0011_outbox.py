"""What was due on a subscriber's row becomes a row of the outbox."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import django.db.models.deletion
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

import newsletter.models.subscribers

BATCH_SIZE = 2000
COLUMNS = {
    "confirmation": ("confirmation_due_at", "signed_up_at"),
    "welcome": ("welcome_due_at", "confirmed_at"),
    "preferences": ("preferences_due_at", "preferences_asked_at"),
}
"""When each mail is due, and since when."""


def fill(apps: Apps, _editor: BaseDatabaseSchemaEditor) -> None:
    outbox = apps.get_model("newsletter", "OutboxMail")
    outbox.objects.bulk_create(_mails(apps), batch_size=BATCH_SIZE)


def _mails(apps: Apps) -> Iterator[Any]:
    subscribers = apps.get_model("newsletter", "Subscriber").objects
    outbox = apps.get_model("newsletter", "OutboxMail")
    for kind, (due, since) in COLUMNS.items():
        rows = subscribers.filter(**{f"{due}__isnull": False}).values_list("pk", due, since)
        for subscriber, due_at, created_at in rows.iterator(BATCH_SIZE):
            yield outbox(
                subscriber_id=subscriber, kind=kind, due_at=due_at, created_at=created_at or due_at
            )


def empty(apps: Apps, _editor: BaseDatabaseSchemaEditor) -> None:
    subscribers = apps.get_model("newsletter", "Subscriber").objects
    for mail in apps.get_model("newsletter", "OutboxMail").objects.iterator(BATCH_SIZE):
        due, _since = COLUMNS[mail.kind]
        subscribers.filter(pk=mail.subscriber_id).update(**{due: mail.due_at})


class Migration(migrations.Migration):

    dependencies = [
        ("newsletter", "0010_hash_generation"),
    ]

    operations = [
        migrations.CreateModel(
            name="OutboxMail",
            fields=[
                ("id", models.BigIntegerField(default=newsletter.models.subscribers.random_id, editable=False, primary_key=True, serialize=False, verbose_name="number")),
                ("kind", models.CharField(choices=[("confirmation", "The mail that asks to confirm"), ("welcome", "The welcome"), ("preferences", "The link to the preferences")], max_length=12, verbose_name="kind")),
                ("created_at", models.DateTimeField(verbose_name="created")),
                ("due_at", models.DateTimeField(db_index=True, verbose_name="due")),
                ("attempts", models.PositiveSmallIntegerField(default=0, verbose_name="attempts")),
                ("deferred_since", models.DateTimeField(blank=True, null=True, verbose_name="put off since")),
                ("subscriber", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="outbox", to="newsletter.subscriber")),
            ],
            options={
                "verbose_name": "single mail",
                "verbose_name_plural": "single mails",
                "default_permissions": (),
                "constraints": [models.UniqueConstraint(fields=("subscriber", "kind"), name="one_single_mail_of_a_kind")],
            },
        ),
        migrations.RunPython(fill, empty),
    ]
