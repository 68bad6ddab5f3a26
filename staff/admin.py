"""Users, groups and the audit in the admin, and the admin's log-in."""

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
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from staff import second_factor
from staff.base_admin import BaseModelAdmin, ReadOnlyAdmin
from staff.models import AuditEntry, Role, role_label
from staff.roles import ROLES

admin.site.unregister(User)
admin.site.unregister(Group)
# allauth's pages would show encrypted secrets, and mail addresses that nobody uses.
admin.site.unregister(Authenticator)
admin.site.unregister(EmailAddress)

# Django's log-in form has no second factor and no rate limit.
admin.site.login = secure_admin_login(admin.site.login)


# Django stores the names of permissions untranslated.
STANDARD_PERMISSION_LABELS = {
    "add": _("Can add"),
    "change": _("Can change"),
    "delete": _("Can delete"),
    "view": _("Can view"),
}


HIDDEN_PERMISSION_APPS = ("account", "admin", "contenttypes", "mfa", "sessions")
"""Apps without pages in the admin."""


def permission_label(permission: Permission) -> str:
    """ "Articles | article | Can change", in the active language."""
    kind = permission.content_type
    verb, _underscore, model = permission.codename.partition("_")
    standard = model == kind.model and verb in STANDARD_PERMISSION_LABELS
    words = str(STANDARD_PERMISSION_LABELS[verb]) if standard else gettext(permission.name)
    return f"{kind.app_labeled_name} | {words}"


class PermissionsAdmin(BaseModelAdmin):
    """Lists permissions and groups by translated names."""

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None and db_field.related_model is Group:
            field.label_from_instance = role_label
        if field is not None and db_field.related_model is Permission:
            field.label_from_instance = permission_label
            field.queryset = field.queryset.exclude(
                content_type__app_label__in=HIDDEN_PERMISSION_APPS
            )
        return field


def _change_password(_request: HttpRequest, **_kwargs: Any) -> HttpResponseRedirect:
    return redirect("account_change_password")


admin.site.password_change = _change_password


class RoleFilter(admin.RelatedFieldListFilter):
    """Filters by group, with translated names."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> Any:
        return [(group.pk, role_label(group)) for group in Group.objects.order_by("name")]


@admin.register(User)
class UserAdmin(DjangoUserAdmin, PermissionsAdmin):
    """Staff accounts. A byline is an Author, not a user."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "first_name", "last_name", "is_active", "is_enrolled")
    actions = ("reset_second_factor",)
    list_filter = ("is_staff", "is_superuser", "is_active", ("groups", RoleFilter))

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return second_factor.with_second_factor(super().get_queryset(request))

    @admin.display(description=_("Second factor"), boolean=True, ordering="is_enrolled")
    def is_enrolled(self, user: Any) -> bool:
        return bool(user.is_enrolled)

    @admin.action(
        description=_("Take away the second factor: it is lost, and they enrol anew"),
        permissions=["change"],
    )
    def reset_second_factor(self, request: HttpRequest, users: QuerySet[User]) -> None:
        by = f"{request.user.get_username()} in the admin"
        others = users.exclude(username=request.user.get_username())
        reset = [user for user in others if second_factor.reset(user, by)]
        for user in reset:
            self.log_change(request, user, gettext("The second factor was taken away."))
        text = ngettext(
            "%(count)s user enrols anew at the next log-in.",
            "%(count)s users enrol anew at the next log-in.",
            len(reset),
        )
        self.message_user(request, text % {"count": len(reset)}, messages.SUCCESS)


@admin.register(Role)
class GroupAdmin(DjangoGroupAdmin, PermissionsAdmin):
    """Groups. The project's own roles are read-only: `migrate` resets them."""

    def _may(self, request: HttpRequest, verb: str) -> bool:
        # Role is a proxy of Django's Group.
        return bool(request.user.has_perm(f"auth.{verb}_group"))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, "view") or self._may(request, "change")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self._may(request, "add")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return not _is_project_role(obj) and self._may(request, "change")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return not _is_project_role(obj) and self._may(request, "delete")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["permission_list"] if _is_project_role(obj) else ["name", "permissions"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["permission_list"] if _is_project_role(obj) else []

    @admin.display(description=_("permissions"))
    def permission_list(self, group: Any) -> SafeString:
        """The permissions by their translated names."""
        granted = group.permissions.select_related("content_type")
        return format_html_join("", "{}<br>", ((permission_label(one),) for one in granted))


def _is_project_role(group: Any) -> bool:
    return group is not None and group.name in ROLES


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    """The audit, read-only."""

    list_display = ("at", "actor_label", "action", "subject_link", "language", "detail")
    list_display_links = None
    fields = ("at", "actor_label", "action", "subject_link", "language", "detail")
    readonly_fields = ("actor_label", "subject_link")
    list_filter = ("action", "language", "actor")
    search_fields = ("subject", "actor")
    list_per_page = 100

    @admin.display(description=_("who"), ordering="actor")
    def actor_label(self, entry: AuditEntry) -> str:
        return entry.actor or str(_("the newsroom itself"))

    @admin.display(description=_("on what"), ordering="subject")
    def subject_link(self, entry: AuditEntry) -> SafeString:
        """A link to the row, if the admin has a page for it."""
        name = "admin:{}_change".format(entry.subject_type.replace(".", "_"))
        try:
            path = reverse(name, args=[entry.subject_id])
        except NoReverseMatch:
            return format_html('<span lang="{}">{}</span>', entry.subject_spoken, entry.subject)
        return format_html(
            '<a class="language-link" href="{}" lang="{}">{}</a>',
            path,
            entry.subject_spoken,
            entry.subject,
        )
