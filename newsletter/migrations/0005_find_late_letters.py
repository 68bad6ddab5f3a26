from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('articles', '0006_a_lead_has_an_end'),
        ('newsletter', '0004_imports'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='delivery',
            index=models.Index(condition=models.Q(('kind', 'latest'), ('status__in', ['pending', 'retry', 'claimed', 'handed'])), fields=['mailing'], name='late_letters'),
        ),
    ]
