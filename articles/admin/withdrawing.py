"""Withdrawing at the desk: what it would do, and what readers are told at the address."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils import timezone
from django.utils.text import format_lazy
from django.utils.translation import gettext as __
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextareaWidget

from articles.admin.object_actions import Act, Page, Verb
from articles.editorial import permissions, workflow
from articles.models import Article
from articles.models.languages import LONGEST_NOTE
from core import languages

TEMPLATE = "admin/articles/confirm.html"


class BadNote(Exception):
    """A note that is too long; says so."""


class NotesForm(forms.Form):
    """A note in each of these languages, none of them compulsory."""

    def __init__(self, article: Article, codes: list[str], data: Any = None) -> None:
        super().__init__(data)
        rows = article.language_rows
        for code in codes:
            attrs = {"rows": 3, "lang": code, "spellcheck": "true", "maxlength": LONGEST_NOTE}
            self.fields[f"note_{code}"] = forms.CharField(
                label=format_lazy(
                    _("Note to readers in {language}"), language=languages.own_name(code)
                ),
                required=False,
                max_length=LONGEST_NOTE,
                initial=rows[code].gone_note,
                widget=UnfoldAdminTextareaWidget(attrs=attrs),
            )

    def notes(self) -> dict[str, str]:
        """By language. Raises BadNote."""
        if not self.is_valid():
            raise BadNote(" ".join(str(one) for several in self.errors.values() for one in several))
        return {name.removeprefix("note_"): note for name, note in self.cleaned_data.items()}


def _withdraw_language(code: str) -> Act:
    def act(request: HttpRequest, article: Article) -> str:
        form = NotesForm(article, _public(article, code), request.POST)
        note = form.notes().get(code, "")
        workflow.withdraw_language(article, code, timezone.now(), by=request.user, note=note)
        return __("Withdrawn in %(language)s.") % {"language": languages.own_name(code)}

    return act


def _withdraw(request: HttpRequest, article: Article) -> str:
    notes = NotesForm(article, _known(article), request.POST).notes()
    workflow.withdraw(article, timezone.now(), by=request.user, notes=notes)
    return __("The whole article is withdrawn.")


def _tell_why(request: HttpRequest, article: Article) -> str:
    notes = NotesForm(article, article.gone_languages, request.POST).notes()
    workflow.tell_why(article, notes, timezone.now(), by=request.user)
    return __("The note is saved. Readers see it at the article’s address.")


def _public(article: Article, code: str) -> list[str]:
    return [code] if code in article.public_languages else []


def _known(article: Article) -> list[str]:
    """Whose address readers may know: public now, or once."""
    rows = article.language_rows
    return [code for code in languages.codes() if code in rows and rows[code].was_public]


def _shows_in(code: str) -> Any:
    return lambda article: code in article.public_languages


def _vanishing(code: str) -> Any:
    """What vanishes with one language, and what readers are told instead."""

    def page(_request: HttpRequest, article: Article) -> Page:
        form = NotesForm(article, _public(article, code))
        told = workflow.consequences(article, [code])
        return Page(TEMPLATE, {"consequences": told, "notes": form})

    return page


def _vanishing_wholly(_request: HttpRequest, article: Article) -> Page:
    told = workflow.consequences(article, languages.codes())
    # The mark on the whole article stays; a language may be published again.
    told.append(__("This cannot be undone."))
    return Page(TEMPLATE, {"consequences": told, "notes": NotesForm(article, _known(article))})


def _noting(_request: HttpRequest, article: Article) -> Page:
    return Page(TEMPLATE, {"notes": NotesForm(article, article.gone_languages)})


WITHDRAWING = (
    *(
        Verb(
            f"withdraw-{code}",
            format_lazy(_("Withdraw in {language}"), language=languages.own_name(code)),
            _withdraw_language(code),
            permissions.PUBLISH,
            _shows_in(code),
            refuses=(BadNote,),
            variant="danger",
            group=_("Withdraw"),
            page=_vanishing(code),
        )
        for code in languages.codes()
    ),
    Verb(
        "withdraw",
        _("Withdraw the whole article"),
        _withdraw,
        permissions.PUBLISH,
        lambda article: bool(article.public_languages),
        refuses=(BadNote,),
        variant="danger",
        group=_("Withdraw"),
        page=_vanishing_wholly,
    ),
    Verb(
        "note",
        _("Note on the withdrawal"),
        _tell_why,
        permissions.PUBLISH,
        lambda article: bool(article.gone_languages),
        refuses=(BadNote,),
        page=_noting,
    ),
)
"""The verbs of an article that take it from readers."""
