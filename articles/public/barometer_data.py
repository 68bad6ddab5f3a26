"""The barometer as data for others. The form is a promise: docs/barometer.md describes it.

What an article is called stands in the language that `language` names. Everything else is the
same whichever language's file is read, but for the language of addresses and topics' names.
"""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from django.conf import settings
from django.urls import reverse

from articles.public.barometer import STEPS, Barometer, Cell, Change

FORM = "newsroom.barometer/1"
"""Changes when what is there changes its name or meaning; not when something is added."""
COLUMNS = (
    *("week", "iso_week", "topic", "verdict", "article", "language", "title", "address"),
    *("languages", "published", "corrected", "was"),
)
"""A later version adds its own behind these."""
NO_VERDICT = "none"
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a spreadsheet takes for the beginning of a formula."""


def as_csv(barometer: Barometer) -> str:
    """By RFC 4180, with a header, a line for each cell."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    for cell in barometer.cells:
        facts = _facts(cell)
        corrections = facts.pop("corrections")
        writer.writerow(
            [
                *(_plain(facts[name]) for name in COLUMNS[:-2]),
                " ".join(one["on"] for one in corrections),
                " ".join(one["was"] or NO_VERDICT for one in corrections),
            ]
        )
    return file.getvalue()


def as_json(barometer: Barometer) -> str:
    """One object; the cells in the order of weeks, and within a week of topics."""
    language, year = barometer.language, barometer.year
    page = reverse("barometer", args=[language] if year is None else [language, year])
    return json.dumps(
        {
            "form": FORM,
            "language": language,
            "year": year,
            "address": f"{settings.SITE_URL}{page}",
            "verdicts": {str(verdict): step for verdict, step in STEPS.items()},
            "topics": [{"code": row.topic.code, "name": str(row.topic)} for row in barometer.rows],
            "cells": [_facts(cell) for cell in barometer.cells],
        },
        ensure_ascii=False,
    )


def _facts(cell: Cell) -> dict[str, Any]:
    return {
        "week": str(cell.week),
        "iso_week": cell.week.iso,
        "topic": cell.topic.code,
        "verdict": cell.verdict or None,
        "article": cell.article_id,
        "language": cell.language,
        "title": cell.title,
        "address": f"{settings.SITE_URL}{cell.lasting_path}",
        "languages": cell.languages,
        "published": cell.published_at.date().isoformat(),
        "corrections": [_change(change) for change in cell.changes],
    }


def _change(change: Change) -> dict[str, str | None]:
    return {"on": change.at.date().isoformat(), "was": change.was or None}


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(value)
    text = NO_VERDICT if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA) else text
