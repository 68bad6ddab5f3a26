"""The barometer as CSV and JSON. A stable public format: see docs/barometer.md.

An article's title is in the language that `language` names; URLs and topic names are in the
file's own. Everything else is the same in each language's file.
"""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from django.conf import settings
from django.urls import reverse

from articles.public.barometer import VERDICT_SCORES, Barometer, Cell, VerdictCorrection

SCHEMA = "newsroom.barometer/1"
"""Changes when a field is renamed or redefined, not when one is added."""
CSV_COLUMNS = (
    *("week", "iso_week", "topic", "verdict", "article", "language", "title", "address"),
    *("languages", "published", "corrected", "was"),
)
"""New columns are appended."""
NO_VERDICT = "none"
FORMULA_PREFIXES = ("=", "+", "-", "@", "\t", "\r", "\n")
"""CSV injection: a spreadsheet would run such a cell as a formula."""


def as_csv(barometer: Barometer) -> str:
    """RFC 4180, with a header; one line per cell."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(CSV_COLUMNS)
    for cell in barometer.cells:
        fields = _fields(cell)
        corrections = fields.pop("corrections")
        writer.writerow(
            [
                *(_csv_value(fields[name]) for name in CSV_COLUMNS[:-2]),
                " ".join(one["on"] for one in corrections),
                " ".join(one["was"] or NO_VERDICT for one in corrections),
            ]
        )
    return file.getvalue()


def as_json(barometer: Barometer) -> str:
    """One object; cells by week, then by topic."""
    language, year = barometer.language, barometer.year
    page = reverse("barometer", args=[language] if year is None else [language, year])
    return json.dumps(
        {
            "form": SCHEMA,
            "language": language,
            "year": year,
            "address": f"{settings.SITE_URL}{page}",
            "verdicts": {str(verdict): step for verdict, step in VERDICT_SCORES.items()},
            "topics": [{"code": row.topic.code, "name": str(row.topic)} for row in barometer.rows],
            "cells": [_fields(cell) for cell in barometer.cells],
        },
        ensure_ascii=False,
    )


def _fields(cell: Cell) -> dict[str, Any]:
    return {
        "week": str(cell.week),
        "iso_week": cell.week.iso,
        "topic": cell.topic.code,
        "verdict": cell.verdict or None,
        "article": cell.article_id,
        "language": cell.language,
        "title": cell.title,
        "address": f"{settings.SITE_URL}{cell.permalink}",
        "languages": cell.languages,
        "published": cell.published_at.date().isoformat(),
        "corrections": [_correction(one) for one in cell.corrections],
    }


def _correction(correction: VerdictCorrection) -> dict[str, str | None]:
    day = correction.corrected_at.date().isoformat()
    return {"on": day, "was": correction.previous or None}


def _csv_value(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(value)
    text = NO_VERDICT if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA_PREFIXES) else text
