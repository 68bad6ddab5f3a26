from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('newsletter', '0002_readers_come_change_and_go'),
    ]

    operations = [
        migrations.CreateModel(
            name='SetAsideMail',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('sealed', models.BinaryField(verbose_name='sealed mail')),
                ('size', models.PositiveIntegerField(verbose_name='size in bytes')),
                ('reason', models.CharField(choices=[('unrecognised', 'It is no report that is known'), ('no letter', 'It names no letter of ours'), ('contradictory', 'It names the letters of several readers'), ('broken', 'It cannot be read')], max_length=14, verbose_name='reason')),
                ('arrived_at', models.DateTimeField(db_index=True, verbose_name='arrived')),
            ],
            options={
                'verbose_name': 'mail set aside',
                'verbose_name_plural': 'mails set aside',
                'ordering': ['-arrived_at', '-pk'],
                'default_permissions': ('view', 'delete'),
            },
        ),
        migrations.AddField(
            model_name='delivery',
            name='bounce',
            field=models.CharField(blank=True, choices=[('', 'None'), ('hard', 'The mailbox does not exist'), ('soft', 'Not this time: full, or away'), ('policy', 'The letter or its sender is not wanted there'), ('complaint', 'The reader called it spam')], db_default='', max_length=10, verbose_name='came back'),
        ),
    ]
