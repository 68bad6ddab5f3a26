"""How the templates are written, where `djangofmt` does not look: text, XML and long lines."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

LONGEST = 120
KINDS = {".html", ".txt", ".xml", ".css"}


def test_no_line_of_a_template_is_too_long_to_be_read() -> None:
    root: Path = settings.BASE_DIR
    files = [file for file in (root / "templates").rglob("*") if file.suffix in KINDS]
    too_long = [
        f"{file.relative_to(root)}:{number}"
        for file in files
        for number, line in enumerate(file.read_text().splitlines(), start=1)
        if len(line) > LONGEST
    ]
    assert len(files) > 100
    assert too_long == []
