"""A lead has an end: what is too long is said at the field. No column changes."""

from django.db import migrations

import articles.fields


class Migration(migrations.Migration):
    dependencies = [("articles", "0005_pictures")]

    operations = [
        migrations.AlterField(
            model_name="article",
            name=name,
            field=articles.fields.LeadField(
                blank=True, **({} if name == "lead" else {"null": True}), verbose_name="lead"
            ),
        )
        for name in ("lead", "lead_be", "lead_en", "lead_ru")
    ]
