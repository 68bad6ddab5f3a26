"""Masthead is called SiteSettings, in its permissions too: Django renames only the content type."""

from django.db import migrations

ACTIONS = ("add", "change", "delete", "view")


def rename_permissions(old, new):
    """What a group or a user was given stays given."""

    def rename(apps, schema_editor):
        permissions = apps.get_model("auth", "Permission").objects.using(schema_editor.connection.alias)
        for action in ACTIONS:
            permissions.filter(
                content_type__app_label="articles",
                content_type__model__in=(old, new),
                codename=f"{action}_{old}",
            ).update(codename=f"{action}_{new}")

    return rename


class Migration(migrations.Migration):

    dependencies = [
        ('articles', '0014_the_sites_version'),
        ('auth', '0012_alter_user_first_name_max_length'),
        ('contenttypes', '0002_remove_content_type_name'),
    ]

    operations = [
        migrations.RenameModel(old_name='Masthead', new_name='SiteSettings'),
        migrations.RunPython(
            rename_permissions("masthead", "sitesettings"),
            rename_permissions("sitesettings", "masthead"),
        ),
    ]
