"""The audit writes down that many wrong passwords were typed for an account."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('staff', '0005_lists_compared_and_thrown_away'),
    ]

    operations = [
        migrations.AlterField(
            model_name='auditentry',
            name='action',
            field=models.CharField(choices=[('published', 'Published'), ('scheduled', 'Scheduled'), ('corrected', 'Corrected'), ('withdrew', 'Withdrew'), ('shared', 'Shared a preview'), ('approved', 'Approved'), ('reopened', 'Opened again'), ('sent', 'Began to send'), ('sent again', 'Sent to the uncertain again'), ('paused', 'Paused'), ('resumed', 'Resumed'), ('refroze', 'Froze anew'), ('cancelled', 'Cancelled'), ('asked', 'Asked about a person'), ('lifted', 'Lifted a suppression'), ('removed', 'Took a reader off the list'), ('uploaded', 'Uploaded a list'), ('checked', 'Compared a list with ours'), ('discarded', 'Threw an import away'), ('applied', 'Applied an import'), ('undone', 'Undid an import'), ('exported', 'Exported the list'), ('opened', 'Opened a mail set aside'), ('forgot', 'Forgot a reader'), ('guessed', 'Many wrong passwords')], max_length=12, verbose_name='what'),
        ),
    ]
