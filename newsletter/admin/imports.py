"""Bringing in a list: upload, look at the difference, apply, undo."""

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

from articles.admin.object_actions import Page, Verb, VerbsAdmin
from core.http import BOUNDS_ITSELF, takes_up_to
from keys.sealing import KeyMissing
from newsletter.imports import apply as applying
from newsletter.imports import upload as uploading
from newsletter.imports.columns import Column
from newsletter.imports.upload import SealingUploadHandler, TooLarge
from newsletter.models import Edition, Import, ImportStatus
from newsletter.models.imports import NEAREST, NOT_APPLIED
from newsletter.subscribers import lookup_limits
from newsletter.subscribers.lookup_limits import TooManyQuestions
from newsletter.tasks import enqueue, work_on_import
from staff.base_admin import ReadOnlyAdmin

MAY_IMPORT = "newsletter.import_subscribers"
BESIDE_THE_FILE = 64 * 1024
"""Bytes that a form has besides its file."""
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
    """A file, and the edition of whose line names none."""

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


def apply(request: HttpRequest, row: Import) -> str:
    """A worker adds whom the check found."""
    applying.ask_to_apply(row, request.user, timezone.now())
    enqueue(work_on_import, row.pk)
    return __("It is being applied.")


def undo(request: HttpRequest, row: Import) -> str:
    """A worker takes them back."""
    applying.ask_to_undo(row, request.user, timezone.now())
    enqueue(work_on_import, row.pk)
    return __("It is being undone.")


def throw_away(request: HttpRequest, row: Import) -> str:
    """Nobody had come by it."""
    applying.throw_away(row, request.user, timezone.now())
    return __("The file and what was found in it are gone.")


def name_columns(request: HttpRequest, row: Import) -> str:
    """As a person says."""
    chosen = [request.POST.get(f"column-{number}", "") for number in range(len(row.header))]
    known = {column.value for column in Column}
    applying.name_columns(row, [one if one in known else "" for one in chosen])
    enqueue(work_on_import, row.pk)
    return __("The file is read once more.")


def before_naming(_request: HttpRequest, row: Import) -> Page:
    """The names in the first line, and what each may be."""
    choices = [(column.value, name) for column, name in COLUMN_NAMES.items()]
    return Page("admin/newsletter/name_columns.html", {"header": row.header, "choices": choices})


def _shown(row: Import) -> list[tuple[Any, str]]:
    """What may be said of it: of the list to the nearest ten, of the file what it is."""
    said = [
        (_("Lines"), "lines"),
        (_("New"), "new"),
        (_("On the list already"), "known"),
        (_("Must not be written to"), "suppressed"),
        (_("Gone according to the file"), "refused"),
        (_("Doubled"), "doubled"),
        (_("Invalid"), "invalid"),
    ]
    done = [(_("Added"), "added"), (_("Removed again"), "removed")]
    said += [(label, name) for label, name in done if getattr(row, name)]
    return [(label, row.shown(name)) for label, name in said]


def _done(row: Import) -> int:
    """Of `row.new`, as far as it is to be told."""
    done = row.added if row.status == ImportStatus.APPLYING else row.removed
    return done - done % NEAREST


def _in(*statuses: ImportStatus) -> Any:
    return lambda row: row.status in statuses


@admin.register(Import)
class ImportAdmin(VerbsAdmin, ReadOnlyAdmin):
    """Counts and line numbers; no address is ever shown."""

    list_display = ("uploaded_at", "uploaded_by", "status", "how_large", "shown_new", "shown_added")
    list_select_related = ("uploaded_by",)
    fields = readonly_fields = ("uploaded_at", "uploaded_by", "how_large", "edition")
    verbs = (
        Verb(
            "name-columns",
            _("Name the columns"),
            name_columns,
            MAY_IMPORT,
            _in(ImportStatus.UNNAMED),
            "primary",
            page=before_naming,
        ),
        Verb(
            "apply",
            _("Add them to the list"),
            apply,
            MAY_IMPORT,
            _in(ImportStatus.CHECKED),
            "primary",
            _("Have they all agreed to get this letter? They are not asked again."),
        ),
        Verb(
            "undo",
            _("Undo"),
            undo,
            MAY_IMPORT,
            _in(ImportStatus.APPLIED, ImportStatus.APPLYING),
            "danger",
            _("Everybody whom it added goes, but who has left or changed their letter since."),
        ),
        Verb(
            "throw-away",
            _("Throw away"),
            throw_away,
            MAY_IMPORT,
            _in(*NOT_APPLIED),
            "danger",
            _("The file and what was found in it are deleted."),
        ),
    )

    def get_urls(self) -> list[URLPattern]:
        upload = self.admin_site.admin_view(csrf_exempt(self.upload))
        return [path("add/", upload, name="newsletter_import_add"), *super().get_urls()]

    @takes_up_to(BOUNDS_ITSELF)
    def upload(self, request: HttpRequest) -> HttpResponse:
        """The token is checked as ever, but only once a handler stands there that seals the file:
        looking for it in the form reads the file."""
        if not request.user.has_perm(MAY_IMPORT):
            raise PermissionDenied
        if request.method != "POST":
            return self._page(request, UploadForm())
        try:
            lookup_limits.check_left(request.user.pk, timezone.now())
        except TooManyQuestions as refusal:
            return self._page(request, UploadForm(), str(refusal), 429)
        length = request.headers.get("Content-Length", "")
        if length.isdigit() and int(length) > uploading.most_bytes() + BESIDE_THE_FILE:
            return self._page(request, UploadForm(), str(TooLarge()), 413)
        handler = SealingUploadHandler(timezone.now(), request.user)
        request.upload_handlers = [handler]
        try:
            response: HttpResponse = csrf_protect(self._receive)(request, handler)
        except KeyMissing as error:
            return self._page(request, UploadForm(), str(error), 503)
        if response.status_code != 302:
            handler.upload_interrupted()
        return response

    def _receive(self, request: HttpRequest, handler: SealingUploadHandler) -> HttpResponse:
        form = UploadForm(request.POST, request.FILES)
        if handler.refused is not None or not form.is_valid():
            why = str(handler.refused) if handler.refused is not None else ""
            return self._page(request, form if not why else UploadForm(), why, 400)
        row = form.cleaned_data["file"].row
        uploading.hand_to_worker(row, form.cleaned_data["edition"], request.user, timezone.now())
        enqueue(work_on_import, row.pk)
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
            "most": filesizeformat(uploading.most_bytes()),
        }
        return render(request, "admin/newsletter/upload.html", context, status=status)

    @admin.display(description=_("size"), ordering="size")
    def how_large(self, row: Import) -> str:
        return filesizeformat(row.size)

    @admin.display(description=_("new"), ordering="new")
    def shown_new(self, row: Import) -> str:
        return row.shown("new")

    @admin.display(description=_("added"), ordering="added")
    def shown_added(self, row: Import) -> str:
        return row.shown("added") if row.added else ""

    def facts(self, row: Any) -> dict[str, Any]:
        if row is None:
            return {}
        return {
            "facts_template": "admin/newsletter/import.html",
            "row": row,
            "counts": _shown(row),
            "done": _done(row),
            "problems": row.problems.all(),
        }

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        response = super().render_change_form(request, context, *args, **kwargs)
        row = kwargs.get("obj")
        if row is not None and row.is_being_worked_on:
            # Progress without a script.
            response.headers["Refresh"] = "2"
        return response

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("newsletter.view_import"))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(MAY_IMPORT))
