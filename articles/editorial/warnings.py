"""What a careful eye would ask about before a text comes out. Nothing here forbids anything."""

from __future__ import annotations

from django.utils.translation import gettext as _

from articles.models import ArticleText
from articles.text import sanitizer
from articles.text.language_detection import recognise
from articles.text.typography import foreign_marks, is_typewritten
from core import languages


def doubts(text: ArticleText) -> list[str]:
    """Sentences for whoever is about to publish; none for a text that raises no doubt."""
    body = " ".join(block.text for block in sanitizer.blocks(text.body))
    named = {
        str(_("title")): text.title,
        str(_("lead")): text.lead,
        str(_("body")): body,
    }
    return [
        *_wrong_languages(text.language, named),
        *_typewritten(text.language, named),
        *_foreign(text.language, named),
    ]


def _wrong_languages(code: str, named: dict[str, str]) -> list[str]:
    found = []
    for name, words in named.items():
        seen = recognise(words, languages.codes())
        if seen not in (None, code):
            found.append(
                _("%(language)s, %(field)s: this looks like another language, %(seen)s.")
                % {
                    "language": languages.own_name(code),
                    "field": name,
                    "seen": languages.own_name(str(seen)),
                }
            )
    return found


def _typewritten(code: str, named: dict[str, str]) -> list[str]:
    fields = [name for name, words in named.items() if is_typewritten(words)]
    if not fields:
        return []
    return [
        _("%(language)s: straight quotation marks or hyphens for dashes are left in: %(fields)s.")
        % {"language": languages.own_name(code), "fields": ", ".join(fields)}
    ]


def _foreign(code: str, named: dict[str, str]) -> list[str]:
    found = {name: foreign_marks(words, code) for name, words in named.items()}
    return [
        _("%(language)s, %(field)s: marks that another language uses are left: %(marks)s")
        % {"language": languages.own_name(code), "field": name, "marks": " ".join(marks)}
        for name, marks in found.items()
        if marks
    ]
