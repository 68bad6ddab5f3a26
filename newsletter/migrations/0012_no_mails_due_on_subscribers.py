from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ("newsletter", "0011_outbox"),
    ]

    operations = [
        migrations.RemoveIndex(model_name="subscriber", name="confirmation_due"),
        migrations.RemoveIndex(model_name="subscriber", name="welcome_due"),
        migrations.RemoveIndex(model_name="subscriber", name="preferences_due"),
        migrations.RemoveField(model_name="subscriber", name="confirmation_due_at"),
        migrations.RemoveField(model_name="subscriber", name="preferences_due_at"),
        migrations.RemoveField(model_name="subscriber", name="welcome_due_at"),
    ]
