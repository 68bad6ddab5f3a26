"""Keyed hashes have a generation. All that there are so far are of the first."""

from typing import Any

from django.db import migrations, models

FIRST_GENERATION = 1
HASHED = ("Subscriber", "StagedReader", "Suppression", "Departure")


def name_the_generation(apps: Any, _schema_editor: Any) -> None:
    """An empty list begins under the newest, as soon as a worker hashes the first address."""
    tables = (apps.get_model("newsletter", name).objects for name in HASHED)
    if any(rows.filter(address_hash__isnull=False).exists() for rows in tables):
        row = apps.get_model("newsletter", "HashGeneration").objects
        row.get_or_create(pk=1, defaults={"generation": FIRST_GENERATION})


class Migration(migrations.Migration):
    dependencies = [
        ("newsletter", "0009_answers_that_name_no_row"),
    ]

    operations = [
        migrations.CreateModel(
            name="HashGeneration",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("generation", models.PositiveSmallIntegerField()),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.RunPython(name_the_generation, migrations.RunPython.noop),
    ]
