"""Covers become pictures: what is there goes through the same door as an upload."""

import articles.models.pictures
import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.core.files.storage import default_storage
from django.db import migrations, models, transaction
from django.utils import timezone
from pathlib import Path
import shutil

from articles.images import image_decoder, renditions


def admit_covers(apps, schema_editor):
    """All of them or none. The old files go once everything is done: they say where and with
    what they were taken."""
    article_model = apps.get_model("articles", "Article")
    made, old = [], []
    try:
        for article in article_model.objects.exclude(cover="").order_by("pk"):
            made.append(admit_cover(apps, article))
            old.append(article.cover.name)
    except BaseException:
        for folder in made:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    alias = schema_editor.connection.alias
    transaction.on_commit(lambda: [default_storage.delete(name) for name in old], using=alias)


def admit_cover(apps, article):
    try:
        with default_storage.open(article.cover.name) as file:
            prepared = image_decoder.process_upload(file.read())
    except (OSError, image_decoder.InvalidImage) as error:
        raise RuntimeError(
            f"The cover of article {article.pk}, {article.cover.name}, cannot be carried over: "
            f"{error} Put a good picture in its place or empty the column, and migrate again."
        ) from error
    key = articles.models.pictures.new_key()
    folder = Path(settings.MEDIA_ROOT) / renditions.MEDIA_FOLDER / key
    folder.mkdir(parents=True)
    for name, content in prepared.files.items():
        (folder / name).write_bytes(content)
    article.cover_picture = apps.get_model("articles", "Picture").objects.create(
        key=key,
        width=prepared.width,
        height=prepared.height,
        credit=article.cover_credit,
        uploaded_by_id=article.owner_id,
        uploaded_at=article.created_at or timezone.now(),
    )
    article.save(update_fields=["cover_picture"])
    return folder


TEXT = {"blank": True, "max_length": 300}
ALT = {**TEXT, "verbose_name": "description", "help_text": "What it shows, for whoever does not see it. Empty: it only decorates."}
CAPTION = {**TEXT, "verbose_name": "caption"}
FOCAL = {"default": 50, "validators": [django.core.validators.MaxValueValidator(100)]}


class Migration(migrations.Migration):

    dependencies = [
        ("articles", "0004_digest_policies"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Picture",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.CharField(default=articles.models.pictures.new_key, editable=False, max_length=24, unique=True)),
                ("width", models.PositiveIntegerField(editable=False, verbose_name="width")),
                ("height", models.PositiveIntegerField(editable=False, verbose_name="height")),
                ("alt", models.CharField(**ALT)),
                *[(f"alt_{code}", models.CharField(null=True, **ALT)) for code in ("en", "be", "ru")],
                ("caption", models.CharField(**CAPTION)),
                *[(f"caption_{code}", models.CharField(null=True, **CAPTION)) for code in ("en", "be", "ru")],
                ("credit", models.CharField(blank=True, max_length=200, verbose_name="credit")),
                ("focal_x", models.PositiveSmallIntegerField(verbose_name="focal point from the left, %", **FOCAL)),
                ("focal_y", models.PositiveSmallIntegerField(verbose_name="focal point from the top, %", **FOCAL)),
                ("uploaded_at", models.DateTimeField(editable=False, verbose_name="uploaded")),
                ("uploaded_by", models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to=settings.AUTH_USER_MODEL, verbose_name="uploaded by")),
            ],
            options={"verbose_name": "picture", "verbose_name_plural": "pictures", "ordering": ["-uploaded_at", "-pk"]},
        ),
        migrations.AddField(
            model_name="article",
            name="cover_picture",
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="articles", to="articles.picture", verbose_name="cover"),
        ),
        migrations.RunPython(admit_covers),
        migrations.RemoveField("article", "cover"),
        migrations.RemoveField("article", "cover_credit"),
        migrations.RenameField("article", "cover_picture", "cover"),
    ]
