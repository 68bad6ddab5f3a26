"""A frozen letter knows its subscribers' places by position, and carries a worker's signature.

Letters that were frozen with marks in them and have not all left are emptied: before the next one
leaves, a worker makes them anew from the same articles and signs them.
"""

from django.db import migrations, models


def empty_letters_that_are_still_to_leave(apps, schema_editor):
    variants = apps.get_model("newsletter", "Variant").objects
    variants.exclude(mailing__status__in=["sent", "cancelled"]).update(content=b"")


class Migration(migrations.Migration):
    dependencies = [("newsletter", "0007_limits_and_relays")]

    operations = [
        migrations.AddField(
            model_name="variant",
            name="slots",
            field=models.JSONField(default=list),
        ),
        migrations.AddField(
            model_name="variant",
            name="signature",
            field=models.BinaryField(default=b""),
        ),
        migrations.RunPython(
            empty_letters_that_are_still_to_leave, migrations.RunPython.noop, elidable=True
        ),
    ]
