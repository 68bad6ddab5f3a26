"""The project's roles: groups that `migrate` creates, and resets so that upgrades reach them.

For another set of permissions create a group, or give a user two roles.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.utils.translation import gettext_noop

VIEW_PERMISSIONS = (
    "articles.view_article",
    "articles.view_author",
    "articles.view_digest",
    "articles.view_sitesettings",
    "articles.view_page",
    "articles.view_picture",
    "articles.view_revision",
    "articles.view_topic",
)
PICTURE_PERMISSIONS = ("articles.add_picture", "articles.change_picture")
ANALYST, TRANSLATOR = gettext_noop("Analyst"), gettext_noop("Translator")
EDITOR, MANAGER = gettext_noop("Editor"), gettext_noop("Manager")
ROLES: dict[str, tuple[str, ...]] = {
    ANALYST: (
        *VIEW_PERMISSIONS,
        *PICTURE_PERMISSIONS,
        "articles.add_article",
        "articles.change_article",
        "articles.delete_article",
    ),
    TRANSLATOR: (*VIEW_PERMISSIONS, *PICTURE_PERMISSIONS, "articles.translate_article"),
    EDITOR: (
        *VIEW_PERMISSIONS,
        *PICTURE_PERMISSIONS,
        "articles.delete_picture",
        "articles.add_article",
        "articles.change_article",
        "articles.change_others_article",
        "articles.delete_article",
        "articles.publish_article",
        "articles.translate_article",
        "articles.add_author",
        "articles.change_author",
        "articles.add_digest",
        "articles.change_digest",
        "articles.delete_digest",
        "articles.approve_digest",
        "newsletter.view_edition",
        "newsletter.view_mailing",
        "newsletter.send_mailing",
        "staff.view_auditentry",
    ),
    MANAGER: (
        *VIEW_PERMISSIONS,
        "articles.add_author",
        "articles.change_author",
        "articles.add_topic",
        "articles.change_topic",
        "articles.change_sitesettings",
        "articles.add_sitesettings",
        "articles.add_page",
        "articles.change_page",
        "newsletter.add_edition",
        "newsletter.change_edition",
        "newsletter.delete_edition",
        "newsletter.view_edition",
        "newsletter.view_mailing",
        "newsletter.view_subscriber",
        "newsletter.change_subscriber",
        "newsletter.add_subscriberlookup",
        "newsletter.import_subscribers",
        "newsletter.view_import",
        "newsletter.view_quarantinedmail",
        "newsletter.delete_quarantinedmail",
        "newsletter.add_mailboxwarning",
        "newsletter.change_mailboxwarning",
        "newsletter.delete_mailboxwarning",
        "newsletter.view_mailboxwarning",
        "staff.view_auditentry",
    ),
}


@transaction.atomic
def make_roles(**_kwargs: Any) -> None:
    """Creates each role's group and sets its permissions."""
    known = {
        f"{app}.{codename}": pk
        for pk, app, codename in Permission.objects.values_list(
            "pk", "content_type__app_label", "codename"
        )
    }
    for name, permissions in ROLES.items():
        group, _created = Group.objects.get_or_create(name=name)
        # Between migrations some do not exist yet.
        group.permissions.set([known[one] for one in permissions if one in known])
