"""Imports: upload, dry run, apply, undo."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.template.defaultfilters import filesizeformat
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as __
from django.utils.translation import gettext_lazy as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from articles.admin.object_actions import ConfirmationPage, ObjectAction, ObjectActionsAdmin
from core.http import CHECKED_BY_VIEW, max_body_bytes
from keys.sealing import KeyNotFound
from newsletter.imports.apply import (
    discard_import,
    name_columns,
    request_apply,
    request_undo,
)
from newsletter.imports.columns import Column
from newsletter.imports.upload import (
    FileTooLarge,
    SealingUploadHandler,
    max_upload_bytes,
    queue_import,
)
from newsletter.models import Edition, Import, ImportStatus
from newsletter.models.imports import COUNT_ROUNDING, NOT_APPLIED
from newsletter.subscribers import lookup_limits
from newsletter.subscribers.lookup_limits import TooManyLookups
from newsletter.tasks import enqueue, process_import
from staff.base_admin import ReadOnlyAdmin

MAY_IMPORT = "newsletter.import_subscribers"
FORM_OVERHEAD_BYTES = 64 * 1024
"""Of the form besides its file."""
COLUMN_NAMES = {
    Column.DROPPED: _("dropped"),
    Column.ADDRESS: _("e-mail address"),
    Column.EDITION: _("edition"),
    Column.LANGUAGE: _("language"),
    Column.CONSENT: _("date of the consent"),
    Column.STATUS: _("status"),
    Column.SUBSCRIBED: _("wants letters: yes or no"),
    Column.ENDED: _("when they left, or yes or no"),
}


class UploadForm(forms.Form):
    """A file, and the edition of lines that name none."""

    file = forms.FileField(label=_("CSV file"), widget=forms.FileInput(attrs={"accept": ".csv"}))
    edition = forms.ModelChoiceField(
        label=_("Edition"),
        queryset=Edition.objects.none(),
        required=False,
        empty_label=_("as each line says"),
        help_text=_("For everybody whose line names none."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choice = self.fields["edition"]
        assert isinstance(choice, forms.ModelChoiceField)
        choice.queryset = Edition.objects.all()


def apply_action(request: HttpRequest, row: Import) -> str:
    """A worker adds the staged subscribers."""
    request_apply(row, request.user, timezone.now())
    enqueue(process_import, row.pk)
    return __("It is being applied.")


def undo_action(request: HttpRequest, row: Import) -> str:
    """A worker removes them again."""
    request_undo(row, request.user, timezone.now())
    enqueue(process_import, row.pk)
    return __("It is being undone.")


def discard_action(request: HttpRequest, row: Import) -> str:
    """Only before anybody was added."""
    discard_import(row, request.user, timezone.now())
    return __("The file and what was found in it are gone.")


def name_columns_action(request: HttpRequest, row: Import) -> str:
    """Sets the columns and checks the file again."""
    chosen = [request.POST.get(f"column-{number}", "") for number in range(len(row.header))]
    known = {column.value for column in Column}
    name_columns(row, [one if one in known else "" for one in chosen])
    enqueue(process_import, row.pk)
    return __("The file is read once more.")


def name_columns_page(_request: HttpRequest, row: Import) -> ConfirmationPage:
    """The file's header, and the choices for each column."""
    choices = [(column.value, name) for column, name in COLUMN_NAMES.items()]
    return ConfirmationPage(
        "admin/newsletter/import_columns.html", {"header": row.header, "choices": choices}
    )


def _counts(row: Import) -> list[tuple[Any, str]]:
    """Counts about the list rounded to tens, counts about the file exact."""
    names = [
        (_("Lines"), "lines"),
        (_("New"), "new"),
        (_("On the list already"), "known"),
        (_("Must not be written to"), "suppressed"),
        (_("Gone according to the file"), "refused"),
        (_("Doubled"), "doubled"),
        (_("Invalid"), "invalid"),
    ]
    done = [(_("Added"), "added"), (_("Removed again"), "removed")]
    names += [(label, name) for label, name in done if getattr(row, name)]
    return [(label, row.shown(name)) for label, name in names]


def _rounded_progress(row: Import) -> int:
    """Of `row.new`, rounded down."""
    done = row.added if row.status == ImportStatus.APPLYING else row.removed
    return done - done % COUNT_ROUNDING


def _in(*statuses: ImportStatus) -> Any:
    return lambda row: row.status in statuses


@admin.register(Import)
class ImportAdmin(ObjectActionsAdmin, ReadOnlyAdmin):
    """Counts and line numbers; never an address."""

    list_display = ("uploaded_at", "uploaded_by", "status", "how_large", "shown_new", "shown_added")
    list_select_related = ("uploaded_by",)
    fields = readonly_fields = ("uploaded_at", "uploaded_by", "how_large", "edition")
    object_actions = (
        ObjectAction(
            "name-columns",
            _("Name the columns"),
            name_columns_action,
            MAY_IMPORT,
            _in(ImportStatus.UNNAMED),
            "primary",
            page=name_columns_page,
        ),
        ObjectAction(
            "apply",
            _("Add them to the list"),
            apply_action,
            MAY_IMPORT,
            _in(ImportStatus.CHECKED),
            "primary",
            _("Have they all agreed to get this letter? They are not asked again."),
        ),
        ObjectAction(
            "undo",
            _("Undo"),
            undo_action,
            MAY_IMPORT,
            _in(ImportStatus.APPLIED, ImportStatus.APPLYING),
            "danger",
            _("Everybody whom it added goes, but who has left or changed their letter since."),
        ),
        ObjectAction(
            "throw-away",
            _("Throw away"),
            discard_action,
            MAY_IMPORT,
            _in(*NOT_APPLIED),
            "danger",
            _("The file and what was found in it are deleted."),
        ),
    )

    def get_urls(self) -> list[URLPattern]:
        upload = self.admin_site.admin_view(csrf_exempt(self.upload))
        return [path("add/", upload, name="newsletter_import_add"), *super().get_urls()]

    @max_body_bytes(CHECKED_BY_VIEW)
    def upload(self, request: HttpRequest) -> HttpResponse:
        """The CSRF token is checked once the sealing handler is set: the check parses the body."""
        if not request.user.has_perm(MAY_IMPORT):
            raise PermissionDenied
        if request.method != "POST":
            return self._page(request, UploadForm())
        try:
            lookup_limits.check_quota(request.user.pk, timezone.now())
        except TooManyLookups as refusal:
            return self._page(request, UploadForm(), str(refusal), 429)
        length = request.headers.get("Content-Length", "")
        if length.isdigit() and int(length) > max_upload_bytes() + FORM_OVERHEAD_BYTES:
            return self._page(request, UploadForm(), str(FileTooLarge()), 413)
        handler = SealingUploadHandler(timezone.now(), request.user)
        request.upload_handlers = [handler]
        try:
            response: HttpResponse = csrf_protect(self._receive)(request, handler)
        except KeyNotFound as error:
            return self._page(request, UploadForm(), str(error), 503)
        if response.status_code != 302:
            handler.upload_interrupted()
        return response

    def _receive(self, request: HttpRequest, handler: SealingUploadHandler) -> HttpResponse:
        form = UploadForm(request.POST, request.FILES)
        if handler.error is not None or not form.is_valid():
            error = str(handler.error) if handler.error is not None else ""
            return self._page(request, form if not error else UploadForm(), error, 400)
        row = form.cleaned_data["file"].row
        queue_import(row, form.cleaned_data["edition"], request.user, timezone.now())
        enqueue(process_import, row.pk)
        return HttpResponseRedirect(reverse("admin:newsletter_import_change", args=[row.pk]))

    def _page(
        self, request: HttpRequest, form: UploadForm, error: str = "", status: int = 200
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Bring in a list"),
            "form": form,
            "error": error,
            "most": filesizeformat(max_upload_bytes()),
        }
        return render(request, "admin/newsletter/import_upload.html", context, status=status)

    @admin.display(description=_("size"), ordering="size")
    def how_large(self, row: Import) -> str:
        return filesizeformat(row.size)

    @admin.display(description=_("new"), ordering="new")
    def shown_new(self, row: Import) -> str:
        return row.shown("new")

    @admin.display(description=_("added"), ordering="added")
    def shown_added(self, row: Import) -> str:
        return row.shown("added") if row.added else ""

    def get_extra_context(self, row: Any) -> dict[str, Any]:
        if row is None:
            return {}
        return {
            "details_template": "admin/newsletter/import_status.html",
            "row": row,
            "counts": _counts(row),
            "done": _rounded_progress(row),
            "problems": row.problems.all(),
        }

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        response = super().render_change_form(request, context, *args, **kwargs)
        row = kwargs.get("obj")
        if row is not None and row.is_being_worked_on:
            # Progress without JavaScript.
            response.headers["Refresh"] = "2"
        return response

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("newsletter.view_import"))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(MAY_IMPORT))
