"""The address that an article had elsewhere, and what readers are told of a withdrawal."""

import articles.fields
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('articles', '0010_what_feeds_stand_on'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='article',
            name='old_path',
            field=articles.fields.OldPathField(blank=True, help_text='Where it stood before it came here: /2019/05/12/. It leads here.', max_length=300, verbose_name='old path'),
        ),
        migrations.AddField(
            model_name='articlelanguage',
            name='gone_note',
            field=models.CharField(blank=True, help_text='What readers are told at its address.', max_length=500, verbose_name='note on the withdrawal'),
        ),
        migrations.AddConstraint(
            model_name='article',
            constraint=models.UniqueConstraint(condition=models.Q(('old_path', ''), _negated=True), fields=('old_path',), name='an_old_path_leads_to_one_article', violation_error_message='Another article has this old path.'),
        ),
    ]
