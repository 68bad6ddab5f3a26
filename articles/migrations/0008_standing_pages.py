"""About and privacy become texts that are edited in the admin."""

import articles.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('articles', '0007_changes_of_verdicts'),
    ]

    operations = [
        migrations.CreateModel(
            name='Page',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(choices=[('about', 'About'), ('privacy', 'Privacy')], max_length=20, unique=True, verbose_name='page')),
                ('title', models.CharField(blank=True, max_length=200, verbose_name='title')),
                ('title_en', models.CharField(blank=True, max_length=200, null=True, verbose_name='title')),
                ('title_be', models.CharField(blank=True, max_length=200, null=True, verbose_name='title')),
                ('title_ru', models.CharField(blank=True, max_length=200, null=True, verbose_name='title')),
                ('body', articles.fields.BodyField(blank=True, verbose_name='body')),
                ('body_en', articles.fields.BodyField(blank=True, null=True, verbose_name='body')),
                ('body_be', articles.fields.BodyField(blank=True, null=True, verbose_name='body')),
                ('body_ru', articles.fields.BodyField(blank=True, null=True, verbose_name='body')),
                ('changed_at', models.DateTimeField(blank=True, editable=False, null=True, verbose_name='last changed')),
                ('changed_at_en', models.DateTimeField(blank=True, editable=False, null=True, verbose_name='last changed')),
                ('changed_at_be', models.DateTimeField(blank=True, editable=False, null=True, verbose_name='last changed')),
                ('changed_at_ru', models.DateTimeField(blank=True, editable=False, null=True, verbose_name='last changed')),
            ],
            options={
                'verbose_name': 'page',
                'verbose_name_plural': 'pages',
                'ordering': ['code'],
                'default_permissions': ('add', 'change', 'view'),
            },
        ),
    ]
