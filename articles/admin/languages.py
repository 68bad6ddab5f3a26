"""One tab for each language: one click switches the whole row, and tabs count their errors."""

from __future__ import annotations

from typing import Any

from newsroom import languages

Fieldset = tuple[Any, dict[str, Any]]


def language_tabs(*fields: str) -> list[Fieldset]:
    """A fieldset for each language with these fields in it."""
    return [
        (
            languages.own_name(code),
            {"classes": ["tab"], "fields": [f"{field}_{code}" for field in fields]},
        )
        for code in languages.codes()
    ]


def mark_language(form_fields: dict[str, Any]) -> None:
    """Tells the browser each field's own language, for spelling and hyphens."""
    for name, field in form_fields.items():
        _, _, code = name.rpartition("_")
        if languages.is_language(code):
            field.widget.attrs["lang"] = code
            field.widget.attrs["spellcheck"] = "true"
