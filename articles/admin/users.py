"""Staff and groups, in the admin's own look."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, Permission, User
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from articles.admin.desk import DeskAdmin

admin.site.unregister(User)
admin.site.unregister(Group)

# Django keeps the names of permissions in the database, in English.
STANDARD = {
    "add": _("Can add"),
    "change": _("Can change"),
    "delete": _("Can delete"),
    "view": _("Can view"),
}


def permission_words(permission: Permission) -> str:
    """ "Articles | article | Can change", in the language of the moment."""
    kind = permission.content_type
    verb, _underscore, model = permission.codename.partition("_")
    standard = model == kind.model and verb in STANDARD
    words = str(STANDARD[verb]) if standard else gettext(permission.name)
    return f"{kind.app_labeled_name} | {words}"


class PermissionsAdmin(DeskAdmin):
    """Offers permissions by names that are translated."""

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None and db_field.related_model is Permission:
            field.label_from_instance = permission_words
        return field


@admin.register(User)
class UserAdmin(DjangoUserAdmin, PermissionsAdmin):
    """Who may log in. A byline is an Author, not a user."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, PermissionsAdmin):
    """Sets of permissions."""
