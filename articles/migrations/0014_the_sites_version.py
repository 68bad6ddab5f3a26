"""One number instead of a log of what changed. Its triggers are made after each `migrate`."""

from django.db import migrations, models

from articles.site_version import drop_triggers


def make_free(apps, schema_editor):
    """Before the number's table goes: a write to any other would fail without it."""
    drop_triggers(schema_editor.connection)


class Migration(migrations.Migration):

    dependencies = [
        ('articles', '0013_weeks_have_bounds'),
    ]

    operations = [
        migrations.DeleteModel(
            name='PageChange',
        ),
        migrations.CreateModel(
            name='SiteVersion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.BigIntegerField()),
            ],
            options={
                'db_table': 'articles_siteversion',
                'default_permissions': (),
                'constraints': [models.CheckConstraint(condition=models.Q(('pk', 1)), name='one_site_version')],
            },
        ),
        migrations.RunPython(migrations.RunPython.noop, make_free),
    ]
