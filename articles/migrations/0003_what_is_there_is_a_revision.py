"""The texts there are become the first revisions, so that each can be compared and restored."""

from django.conf import settings
from django.db import migrations


def keep_what_is_there(apps, schema_editor):
    row_model = apps.get_model("articles", "ArticleLanguage")
    revision_model = apps.get_model("articles", "Revision")
    waiting = []
    rows = row_model.objects.select_related("article").order_by("pk")
    for row in rows.iterator(chunk_size=200):
        article, code = row.article, row.language
        waiting.append(
            revision_model(
                article=article,
                language=code,
                number=max(row.revision, 1),
                title=getattr(article, f"title_{code}") or "",
                lead=getattr(article, f"lead_{code}") or "",
                body=getattr(article, f"body_{code}") or "",
                fingerprint=row.fingerprint,
                saved_at=row.published_at or article.created_at,
                saved_by_id=row.translator_id or article.owner_id,
            )
        )
        if len(waiting) == 200:
            revision_model.objects.bulk_create(waiting)
            waiting = []
    revision_model.objects.bulk_create(waiting)
    row_model.objects.filter(revision=0).update(revision=1)


class Migration(migrations.Migration):

    dependencies = [
        ("articles", "0002_the_desk"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [migrations.RunPython(keep_what_is_there, migrations.RunPython.noop)]
