import django.db.models.deletion
import newsletter.models.subscribers
from django.conf import settings
from django.db import migrations, models


def note_what_was_agreed_to(apps, schema_editor):
    """Until now nobody could change the edition, so theirs is the one that they agreed to."""
    Edition = apps.get_model("newsletter", "Edition")
    Subscriber = apps.get_model("newsletter", "Subscriber")
    for edition in Edition.objects.all():
        Subscriber.objects.filter(edition=edition, confirmed_at__isnull=False).update(
            consented_to=edition.code
        )


class Migration(migrations.Migration):

    dependencies = [
        ('newsletter', '0001_list_letter_and_ledger'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Departure',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('address_hash', models.BinaryField(max_length=32, verbose_name='keyed hash of the address')),
                ('kind', models.CharField(choices=[('l', 'Left'), ('b', 'Bounced'), ('c', 'Complained'), ('f', 'Forgotten'), ('r', 'Came back')], max_length=1, verbose_name='kind')),
                ('at', models.DateTimeField(verbose_name='when')),
            ],
            options={
                'verbose_name': 'departure',
                'verbose_name_plural': 'departures',
                'ordering': ['pk'],
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='Inquiry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('asked_at', models.DateTimeField(db_index=True, verbose_name='asked')),
                ('sealed_address', models.BinaryField(verbose_name='sealed address')),
                ('answer', models.CharField(blank=True, choices=[('', 'A worker is looking'), ('known', 'There is a row'), ('suppressed', 'Not on the list, and not to be written to'), ('unknown', 'Not on the list'), ('unreadable', 'Sealed with a foreign key')], max_length=10, verbose_name='answer')),
                ('answered_at', models.DateTimeField(blank=True, null=True, verbose_name='answered')),
            ],
            options={
                'verbose_name': 'question about a person',
                'verbose_name_plural': 'questions',
                'ordering': ['-asked_at'],
                'default_permissions': ('add', 'view'),
            },
        ),
        migrations.CreateModel(
            name='JournalMark',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('journal', models.CharField(max_length=32)),
                ('lines', models.BigIntegerField(default=0)),
            ],
            options={
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='MailboxWarning',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('domains', models.TextField(help_text='One a line, such as example.org; what is below a domain counts too.', verbose_name='domains')),
                ('text', models.TextField(help_text='Shown once, before the sign-up is taken; the reader may go on all the same.', max_length=600, verbose_name='text')),
                ('text_en', models.TextField(help_text='Shown once, before the sign-up is taken; the reader may go on all the same.', max_length=600, null=True, verbose_name='text')),
                ('text_be', models.TextField(help_text='Shown once, before the sign-up is taken; the reader may go on all the same.', max_length=600, null=True, verbose_name='text')),
                ('text_ru', models.TextField(help_text='Shown once, before the sign-up is taken; the reader may go on all the same.', max_length=600, null=True, verbose_name='text')),
            ],
            options={
                'verbose_name': 'warning of mailboxes',
                'verbose_name_plural': 'warnings of mailboxes',
            },
        ),
        migrations.CreateModel(
            name='Spending',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('what', models.CharField(max_length=40)),
                ('since', models.DateTimeField(db_index=True)),
                ('count', models.PositiveIntegerField(default=0)),
            ],
            options={
                'default_permissions': (),
            },
        ),
        migrations.AddField(
            model_name='mailingcontent',
            name='fingerprint',
            field=models.CharField(blank=True, max_length=80, verbose_name='fingerprint'),
        ),
        migrations.AddField(
            model_name='signup',
            name='manner',
            field=models.CharField(blank=True, choices=[('', 'As people come'), ('fast', 'Faster than people type'), ('trapped', 'Wrote where no person sees a field')], max_length=8, verbose_name='manner'),
        ),
        migrations.AddField(
            model_name='subscriber',
            name='consented_to',
            field=models.CharField(blank=True, max_length=50, verbose_name='edition agreed to'),
        ),
        migrations.AddField(
            model_name='subscriber',
            name='preferences_asked_at',
            field=models.DateTimeField(blank=True, null=True, verbose_name='link to preferences asked for'),
        ),
        migrations.AddField(
            model_name='subscriber',
            name='preferences_due_at',
            field=models.DateTimeField(blank=True, null=True, verbose_name='link to preferences due'),
        ),
        migrations.AddField(
            model_name='subscriber',
            name='welcome_due_at',
            field=models.DateTimeField(blank=True, null=True, verbose_name='welcome due'),
        ),
        migrations.AlterField(
            model_name='subscriber',
            name='confirmation_due_at',
            field=models.DateTimeField(blank=True, null=True, verbose_name='confirmation due'),
        ),
        migrations.AlterField(
            model_name='subscriber',
            name='confirmation_sent_at',
            field=models.DateTimeField(blank=True, null=True, verbose_name='confirmation sent'),
        ),
        migrations.AlterField(
            model_name='subscriber',
            name='id',
            field=models.BigIntegerField(default=newsletter.models.subscribers.random_id, editable=False, primary_key=True, serialize=False, verbose_name='number'),
        ),
        migrations.AddIndex(
            model_name='subscriber',
            index=models.Index(condition=models.Q(('welcome_due_at__isnull', False)), fields=['welcome_due_at'], name='welcome_due'),
        ),
        migrations.AddIndex(
            model_name='subscriber',
            index=models.Index(condition=models.Q(('preferences_due_at__isnull', False)), fields=['preferences_due_at'], name='preferences_due'),
        ),
        migrations.AddField(
            model_name='inquiry',
            name='asked_by',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='inquiry',
            name='subscriber',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='newsletter.subscriber'),
        ),
        migrations.AddField(
            model_name='inquiry',
            name='suppression',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='newsletter.suppression'),
        ),
        migrations.AddConstraint(
            model_name='spending',
            constraint=models.UniqueConstraint(fields=('what', 'since'), name='one_count_per_window'),
        ),
        migrations.RunPython(note_what_was_agreed_to, migrations.RunPython.noop),
    ]
