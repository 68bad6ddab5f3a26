"""A verdict that changes after its article came out is kept as it was."""

import articles.fields
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('articles', '0006_a_lead_has_an_end'),
    ]

    operations = [
        migrations.CreateModel(
            name='VerdictChange',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('week', articles.fields.WeekField(verbose_name='week')),
                ('was', models.CharField(blank=True, choices=[('improved', 'Improved'), ('unchanged', 'Has not changed'), ('worsened', 'Got worse')], max_length=10, verbose_name='verdict')),
                ('changed_at', models.DateTimeField(verbose_name='corrected')),
                ('article', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='verdict_changes', to='articles.article')),
                ('topic', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='articles.topic', verbose_name='topic')),
            ],
            options={
                'verbose_name': 'change of a verdict',
                'verbose_name_plural': 'changes of verdicts',
                'ordering': ['changed_at', 'pk'],
                'default_permissions': (),
                'indexes': [models.Index(fields=['week'], name='articles_ve_week_aaa382_idx')],
            },
        ),
    ]
