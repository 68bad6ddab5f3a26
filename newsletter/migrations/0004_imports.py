import django.db.models.deletion
import newsletter.models.subscribers
import core.languages
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('newsletter', '0003_bounces'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Import',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uploaded_at', models.DateTimeField(verbose_name='uploaded')),
                ('status', models.CharField(choices=[('uploading', 'Is being uploaded'), ('uploaded', 'Waits to be checked'), ('unnamed', 'Needs you to name the columns'), ('checked', 'Checked: waits for you'), ('applying', 'Is being applied'), ('applied', 'Applied'), ('undoing', 'Is being undone'), ('undone', 'Undone'), ('failed', 'Cannot be imported')], default='uploading', max_length=10, verbose_name='status')),
                ('size', models.BigIntegerField(default=0, verbose_name='size in bytes')),
                ('columns', models.JSONField(blank=True, default=list, verbose_name='columns')),
                ('header', models.JSONField(blank=True, default=list)),
                ('failure', models.CharField(blank=True, max_length=300, verbose_name='reason')),
                ('lines', models.PositiveIntegerField(default=0, verbose_name='lines')),
                ('new', models.PositiveIntegerField(default=0, verbose_name='new')),
                ('known', models.PositiveIntegerField(default=0, verbose_name='known')),
                ('suppressed', models.PositiveIntegerField(default=0, verbose_name='must not be written to')),
                ('refused', models.PositiveIntegerField(default=0, verbose_name='gone according to the file')),
                ('doubled', models.PositiveIntegerField(default=0, verbose_name='doubled')),
                ('invalid', models.PositiveIntegerField(default=0, verbose_name='invalid')),
                ('added', models.PositiveIntegerField(default=0, verbose_name='added')),
                ('removed', models.PositiveIntegerField(default=0, verbose_name='removed again')),
                ('lease_until', models.DateTimeField(blank=True, null=True)),
                ('edition', models.ForeignKey(blank=True, help_text='For everybody whose line names none.', null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='newsletter.edition', verbose_name='edition')),
                ('uploaded_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='uploaded by')),
            ],
            options={
                'verbose_name': 'import of a list',
                'verbose_name_plural': 'imports of lists',
                'ordering': ['-uploaded_at', '-pk'],
                'default_permissions': ('view',),
            },
        ),
        migrations.AddField(
            model_name='subscriber',
            name='came_by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='readers', to='newsletter.import', verbose_name='came by an import'),
        ),
        migrations.CreateModel(
            name='ImportProblem',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('line', models.PositiveIntegerField(verbose_name='line')),
                ('problem', models.CharField(choices=[('broken', 'The line is broken: a quotation mark is missing, or a column too much'), ('no address', 'There is no e-mail address'), ('bad address', 'This is no address that can be written to'), ('no edition', 'The edition is not known, and none was chosen for all')], max_length=12, verbose_name='problem')),
                ('belongs_to', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='problems', to='newsletter.import')),
            ],
            options={
                'ordering': ['line'],
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='ImportChunk',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('position', models.PositiveIntegerField()),
                ('sealed', models.BinaryField()),
                ('belongs_to', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='chunks', to='newsletter.import')),
            ],
            options={
                'ordering': ['position'],
                'default_permissions': (),
                'constraints': [models.UniqueConstraint(fields=('belongs_to', 'position'), name='one_chunk_at_a_position')],
            },
        ),
        migrations.CreateModel(
            name='StagedReader',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('reader', models.BigIntegerField(default=newsletter.models.subscribers.random_id)),
                ('address_hash', models.BinaryField(max_length=32)),
                ('sealed_address', models.BinaryField()),
                ('key_generation', models.PositiveSmallIntegerField()),
                ('provider', models.CharField(max_length=20)),
                ('language', models.CharField(choices=core.languages.choices, max_length=12)),
                ('consented_at', models.DateTimeField(null=True)),
                ('is_refused', models.BooleanField(default=False)),
                ('belongs_to', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='staged', to='newsletter.import')),
                ('edition', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='newsletter.edition')),
            ],
            options={
                'default_permissions': (),
                'constraints': [models.UniqueConstraint(fields=('belongs_to', 'address_hash'), name='an_address_once_in_an_import')],
            },
        ),
    ]
