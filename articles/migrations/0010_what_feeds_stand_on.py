"""When readers last found something else at an address, and what ids in feeds are made from."""

import uuid

from django.db import migrations, models


def date_what_is_there(apps, schema_editor):
    """The newest of its publication, of a later revision and of a correction."""
    rows = apps.get_model("articles", "ArticleLanguage").objects.filter(published_at__isnull=False)
    for row in rows.select_related("article").iterator():
        same = {"article": row.article_id, "language": row.language}
        revisions = apps.get_model("articles", "Revision").objects.filter(**same)
        corrections = apps.get_model("articles", "Correction").objects.filter(**same)
        dates = [
            row.published_at,
            revisions.aggregate(newest=models.Max("saved_at"))["newest"],
            corrections.aggregate(newest=models.Max("corrected_at"))["newest"],
        ]
        row.changed_at = max(date for date in dates if date)
        row.save(update_fields=["changed_at"])


class Migration(migrations.Migration):
    dependencies = [("articles", "0009_search")]

    operations = [
        migrations.AddField(
            model_name="articlelanguage",
            name="changed_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name="masthead",
            name="identity",
            field=models.UUIDField(default=uuid.uuid4, editable=False),
        ),
        migrations.AddIndex(
            model_name="articlelanguage",
            index=models.Index(
                fields=["language", "status", "-changed_at", "-article"],
                name="articles_ar_languag_df2ec9_idx",
            ),
        ),
        migrations.RunPython(date_what_is_there, migrations.RunPython.noop),
    ]
