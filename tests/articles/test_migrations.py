"""Migrations of articles on rows that were there before, on both databases."""

from __future__ import annotations

import pytest

from tests.forked_commands import CommandResult, ForkServer
from tests.newsroom.test_migrate import address, loaded

pytestmark = pytest.mark.long
__all__ = ["address", "loaded"]

MASTHEAD = """
from django.apps import apps as current
from django.contrib.auth.models import Group, Permission, User
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
apps = MigrationExecutor(connection).loader.project_state(
    [("articles", "0014_the_sites_version")]).apps
apps.get_model("articles", "Masthead").objects.create(
    pk=1, name_be="Погляд", identity="12345678-1234-5678-1234-567812345678")
user = User.objects.create(username="zubr")
kind = ContentType.objects.get(app_label="articles", model="masthead")
change = Permission.objects.get(content_type=kind, codename="change_masthead")
Group.objects.create(name="Our own").permissions.add(change)
user.user_permissions.add(change)
LogEntry.objects.create(user=user, content_type=kind, object_id="1", object_repr="x", action_flag=2)
"""
SITE_SETTINGS = """
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission, User
from articles.models import SiteSettings
row = SiteSettings.objects.get()
print(row.pk, row.name_be, row.identity)
print(User.objects.get().get_all_permissions(), LogEntry.objects.get().content_type.model)
for name in ("Our own", "Manager"):
    of_group = Group.objects.get(name=name).permissions.filter(codename__contains="settings")
    print(sorted(of_group.values_list("codename", flat=True)))
print(Permission.objects.filter(codename__contains="masthead").count())
"""
TRIGGERS = """
from django.db import connection
from articles.site_version import current
from articles.models import SiteSettings
before = current()
SiteSettings.objects.update(name_be="Іначай")
print(current() > before)
"""


def output_of(ended: CommandResult) -> list[str]:
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()


def test_site_settings_keep_the_mastheads_row_its_permissions_and_its_history(
    loaded: ForkServer,
) -> None:
    output_of(loaded.manage("migrate", "articles", "0014"))
    for app in ("admin", "auth", "staff"):
        output_of(loaded.manage("migrate", app))
    output_of(loaded.script(MASTHEAD))
    kept = [
        "1 Погляд 12345678-1234-5678-1234-567812345678",
        "{'articles.change_sitesettings'} sitesettings",
        "['change_sitesettings']",
        "['add_sitesettings', 'change_sitesettings', 'view_sitesettings']",
        "0",
    ]
    output_of(loaded.manage("migrate"))
    assert output_of(loaded.script(SITE_SETTINGS)) == kept
    assert output_of(loaded.script(TRIGGERS)) == ["True"]
    # There and back again, as whoever has to take an upgrade back does.
    output_of(loaded.manage("migrate", "articles", "0014"))
    output_of(loaded.manage("migrate"))
    assert output_of(loaded.script(SITE_SETTINGS))[1:] == kept[1:]
