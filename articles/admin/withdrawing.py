"""Object actions that withdraw an article, and the note on its withdrawn page."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils import timezone
from django.utils.text import format_lazy
from django.utils.translation import gettext as __
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextareaWidget

from articles.admin.object_actions import ActionHandler, ConfirmationPage, ObjectAction
from articles.editorial import permissions, workflow
from articles.models import Article
from articles.models.languages import MAX_NOTE_CHARS
from core import languages

CONFIRM_TEMPLATE = "admin/articles/confirm.html"


class InvalidNote(Exception):
    """A note that is too long."""


class NotesForm(forms.Form):
    """An optional note in each of these languages."""

    def __init__(self, article: Article, codes: list[str], data: Any = None) -> None:
        super().__init__(data)
        rows = article.language_rows
        for code in codes:
            attrs = {"rows": 3, "lang": code, "spellcheck": "true", "maxlength": MAX_NOTE_CHARS}
            self.fields[f"note_{code}"] = forms.CharField(
                label=format_lazy(
                    _("Note to readers in {language}"), language=languages.native_name(code)
                ),
                required=False,
                max_length=MAX_NOTE_CHARS,
                initial=rows[code].gone_note,
                widget=UnfoldAdminTextareaWidget(attrs=attrs),
            )

    def notes(self) -> dict[str, str]:
        """By language. Raises InvalidNote."""
        if not self.is_valid():
            raise InvalidNote(
                " ".join(str(one) for several in self.errors.values() for one in several)
            )
        return {name.removeprefix("note_"): note for name, note in self.cleaned_data.items()}


def _withdraw_language(code: str) -> ActionHandler:
    def handler(request: HttpRequest, article: Article) -> str:
        form = NotesForm(article, _public(article, code), request.POST)
        note = form.notes().get(code, "")
        workflow.withdraw_language(article, code, timezone.now(), by=request.user, note=note)
        return __("Withdrawn in %(language)s.") % {"language": languages.native_name(code)}

    return handler


def _withdraw(request: HttpRequest, article: Article) -> str:
    notes = NotesForm(article, _ever_public(article), request.POST).notes()
    workflow.withdraw(article, timezone.now(), by=request.user, notes=notes)
    return __("The whole article is withdrawn.")


def _save_notes(request: HttpRequest, article: Article) -> str:
    notes = NotesForm(article, article.gone_languages, request.POST).notes()
    workflow.set_withdrawal_notes(article, notes, timezone.now(), by=request.user)
    return __("The note is saved. Readers see it at the article’s address.")


def _public(article: Article, code: str) -> list[str]:
    return [code] if code in article.public_languages else []


def _ever_public(article: Article) -> list[str]:
    """Languages published now or before."""
    rows = article.language_rows
    return [code for code in languages.codes() if code in rows and rows[code].was_public]


def _is_public_in(code: str) -> Any:
    return lambda article: code in article.public_languages


def _confirm_withdrawal_in(code: str) -> Any:
    """The effects on one language, and its note."""

    def page(_request: HttpRequest, article: Article) -> ConfirmationPage:
        form = NotesForm(article, _public(article, code))
        effects = workflow.withdrawal_effects(article, [code])
        return ConfirmationPage(CONFIRM_TEMPLATE, {"consequences": effects, "notes": form})

    return page


def _confirm_withdrawal(_request: HttpRequest, article: Article) -> ConfirmationPage:
    effects = workflow.withdrawal_effects(article, languages.codes())
    # A language can be published again, a whole article cannot.
    effects.append(__("This cannot be undone."))
    return ConfirmationPage(
        CONFIRM_TEMPLATE,
        {"consequences": effects, "notes": NotesForm(article, _ever_public(article))},
    )


def _edit_notes(_request: HttpRequest, article: Article) -> ConfirmationPage:
    return ConfirmationPage(CONFIRM_TEMPLATE, {"notes": NotesForm(article, article.gone_languages)})


WITHDRAWAL_ACTIONS = (
    *(
        ObjectAction(
            f"withdraw-{code}",
            format_lazy(_("Withdraw in {language}"), language=languages.native_name(code)),
            _withdraw_language(code),
            permissions.PUBLISH,
            _is_public_in(code),
            refuses=(InvalidNote,),
            variant="danger",
            group=_("Withdraw"),
            page=_confirm_withdrawal_in(code),
        )
        for code in languages.codes()
    ),
    ObjectAction(
        "withdraw",
        _("Withdraw the whole article"),
        _withdraw,
        permissions.PUBLISH,
        lambda article: bool(article.public_languages),
        refuses=(InvalidNote,),
        variant="danger",
        group=_("Withdraw"),
        page=_confirm_withdrawal,
    ),
    ObjectAction(
        "note",
        _("Note on the withdrawal"),
        _save_notes,
        permissions.PUBLISH,
        lambda article: bool(article.gone_languages),
        refuses=(InvalidNote,),
        page=_edit_notes,
    ),
)
"""For each language, and for the whole article."""
