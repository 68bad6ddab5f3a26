"""How the templates are written, where `djangofmt` does not look: text, XML and long lines."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.template.loader import get_template

LONGEST = 120
KINDS = {".html", ".txt", ".xml", ".css"}


def test_a_page_is_sent_without_its_templates_indentation_and_a_letters_text_as_written() -> None:
    page = get_template("articles/article.html").template.source
    assert "\n <" not in page
    assert "\n<" in page
    text = get_template("email/digest/body.txt").template.source
    assert text == (settings.BASE_DIR / "templates" / "email" / "digest" / "body.txt").read_text()


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
