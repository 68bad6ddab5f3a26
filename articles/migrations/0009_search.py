"""What a search looks at, each database's index of it, and the texts that are public already."""

import django.db.models.deletion
from django.db import migrations, models

import articles.fields
import articles.models.search
import core.languages
from articles.text import sanitizer
from articles.search.stemming import stems

TABLE, FULL_TEXT = "articles_searchentry", "articles_search"
COLUMNS = ("title_stems", "stems")


def _of(row):
    return ", ".join([f"{row}.id", *(f"{row}.{column}" for column in COLUMNS)])


LIST = ", ".join(COLUMNS)
PUT = f"INSERT INTO {FULL_TEXT}(rowid, {LIST}) VALUES ({_of('new')});"
TAKE = f"INSERT INTO {FULL_TEXT}({FULL_TEXT}, rowid, {LIST}) VALUES ('delete', {_of('old')});"
ON_SQLITE = [
    # Stems are all letters and digits: "ascii" cuts at spaces and touches nothing else.
    f"""CREATE VIRTUAL TABLE {FULL_TEXT} USING fts5(
        {LIST}, content='{TABLE}', content_rowid='id', tokenize='ascii', detail='column'
    )""",
    f"CREATE TRIGGER {FULL_TEXT}_put AFTER INSERT ON {TABLE} BEGIN {PUT} END",
    f"CREATE TRIGGER {FULL_TEXT}_take AFTER DELETE ON {TABLE} BEGIN {TAKE} END",
    f"CREATE TRIGGER {FULL_TEXT}_change AFTER UPDATE ON {TABLE} BEGIN {TAKE} {PUT} END",
]
ON_POSTGRESQL = [
    # Stems stand apart from their row, so that a common word does not make it read thousands.
    f"ALTER TABLE {TABLE} SET (toast_tuple_target = 128)",
    *(
        f"CREATE INDEX {TABLE}_{column} ON {TABLE} "
        f"USING gin (string_to_array({column}, ' ')) WITH (fastupdate = off)"
        for column in COLUMNS
    ),
]


def make_indexes(apps, schema_editor):
    vendor = schema_editor.connection.vendor
    for statement in {"sqlite": ON_SQLITE, "postgresql": ON_POSTGRESQL}[vendor]:
        schema_editor.execute(statement, params=None)


def drop_indexes(apps, schema_editor):
    # The table takes its triggers and PostgreSQL's indexes with it.
    if schema_editor.connection.vendor == "sqlite":
        for trigger in ("put", "take", "change"):
            schema_editor.execute(f"DROP TRIGGER IF EXISTS {FULL_TEXT}_{trigger}", params=None)
        schema_editor.execute(f"DROP TABLE IF EXISTS {FULL_TEXT}", params=None)


def find_what_is_public(apps, schema_editor):
    entry_model = apps.get_model("articles", "SearchEntry")
    row_model = apps.get_model("articles", "ArticleLanguage")
    public = row_model.objects.filter(status="published", article__withdrawn_at__isnull=True)
    for row in public.select_related("article").order_by("pk").iterator(chunk_size=200):
        article, code = row.article, row.language
        title, lead, body = (
            getattr(article, f"{name}_{code}", "") or "" for name in ("title", "lead", "body")
        )
        blocks = [lead, *(block.text for block in sanitizer.blocks(body))]
        of_title = list(stems(title, code))
        of_text = [stem for block in blocks for stem in stems(block, code)]
        entry_model.objects.create(
            row=row,
            article=article,
            language=code,
            topic_id=article.topic_id,
            week=article.week,
            title_stems=" ".join(dict.fromkeys(of_title)),
            stems=" ".join(dict.fromkeys(of_title + of_text)),
        )


class Migration(migrations.Migration):
    dependencies = [("articles", "0008_standing_pages")]

    operations = [
        migrations.CreateModel(
            name="SearchEntry",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "article",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="search_entries",
                        to="articles.article",
                    ),
                ),
                (
                    "row",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="search_entry",
                        to="articles.articlelanguage",
                    ),
                ),
                (
                    "topic",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        to="articles.topic",
                    ),
                ),
                (
                    "language",
                    models.CharField(
                        choices=core.languages.choices, max_length=12, verbose_name="language"
                    ),
                ),
                ("week", articles.fields.WeekField(null=True)),
                ("title_stems", articles.models.search.StemsField()),
                ("stems", articles.models.search.StemsField()),
            ],
            options={
                "default_permissions": (),
                "indexes": [
                    models.Index(fields=["language", "-week"], name="articles_se_languag_96b18f_idx")
                ],
            },
        ),
        migrations.RunPython(make_indexes, drop_indexes),
        migrations.RunPython(find_what_is_public, migrations.RunPython.noop),
    ]
