"""Warnings before publishing: wrong language, typewriter quotes, foreign marks. None blocks."""

from __future__ import annotations

from django.utils.translation import gettext as _

from articles.models import ArticleText
from articles.text import sanitizer
from articles.text.language_detection import detect_language
from articles.text.typography import foreign_marks, has_typewriter_marks
from core import languages


def publish_warnings(text: ArticleText) -> list[str]:
    """Translated sentences; empty for a text without problems."""
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
        seen = detect_language(words, languages.codes())
        if seen not in (None, code):
            found.append(
                _("%(language)s, %(field)s: this looks like another language, %(seen)s.")
                % {
                    "language": languages.native_name(code),
                    "field": name,
                    "seen": languages.native_name(str(seen)),
                }
            )
    return found


def _typewritten(code: str, named: dict[str, str]) -> list[str]:
    fields = [name for name, words in named.items() if has_typewriter_marks(words)]
    if not fields:
        return []
    return [
        _("%(language)s: straight quotation marks or hyphens for dashes are left in: %(fields)s.")
        % {"language": languages.native_name(code), "fields": ", ".join(fields)}
    ]


def _foreign(code: str, named: dict[str, str]) -> list[str]:
    found = {name: foreign_marks(words, code) for name, words in named.items()}
    return [
        _("%(language)s, %(field)s: marks that another language uses are left: %(marks)s")
        % {"language": languages.native_name(code), "field": name, "marks": " ".join(marks)}
        for name, marks in found.items()
        if marks
    ]
