"""Staff and groups in the admin, and the admin's own way in."""

from __future__ import annotations

from typing import Any

from allauth.account.decorators import secure_admin_login
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, Permission, User
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.shortcuts import redirect
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from staff import second_factor
from staff.desk import DeskAdmin

admin.site.unregister(User)
admin.site.unregister(Group)
# allauth's own pages: they would show what is sealed, and mail addresses that nobody uses.
admin.site.unregister(Authenticator)
admin.site.unregister(EmailAddress)

# Django's forms for these know of no second factor and no limits.
admin.site.login = secure_admin_login(admin.site.login)


# Django keeps the names of permissions in the database, in English.
STANDARD = {
    "add": _("Can add"),
    "change": _("Can change"),
    "delete": _("Can delete"),
    "view": _("Can view"),
}


WITHOUT_PAGES = ("account", "admin", "contenttypes", "mfa", "sessions")
"""Apps whose rows nobody edits in the admin: their permissions would only be in the way."""


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
            field.queryset = field.queryset.exclude(content_type__app_label__in=WITHOUT_PAGES)
        return field


def _change_password(_request: HttpRequest, **_kwargs: Any) -> HttpResponseRedirect:
    return redirect("account_change_password")


admin.site.password_change = _change_password


@admin.register(User)
class UserAdmin(DjangoUserAdmin, PermissionsAdmin):
    """Who may log in. A byline is an Author, not a user."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "first_name", "last_name", "is_active", "is_enrolled")
    actions = ("take_away_second_factor",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return second_factor.with_second_factor(super().get_queryset(request))

    @admin.display(description=_("Second factor"), boolean=True, ordering="is_enrolled")
    def is_enrolled(self, user: Any) -> bool:
        return bool(user.is_enrolled)

    @admin.action(
        description=_("Take away the second factor: it is lost, and they enrol anew"),
        permissions=["change"],
    )
    def take_away_second_factor(self, request: HttpRequest, users: QuerySet[User]) -> None:
        by = f"{request.user.get_username()} in the admin"
        others = users.exclude(username=request.user.get_username())
        taken = [user for user in others if second_factor.take_away(user, by)]
        for user in taken:
            self.log_change(request, user, gettext("The second factor was taken away."))
        text = ngettext(
            "%(count)s user enrols anew at the next log-in.",
            "%(count)s users enrol anew at the next log-in.",
            len(taken),
        )
        self.message_user(request, text % {"count": len(taken)}, messages.SUCCESS)


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, PermissionsAdmin):
    """Sets of permissions."""
