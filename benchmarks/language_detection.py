"""The accuracy of articles.text.language_detection on real news.

    python benchmarks/language_detection.py ../shared/corpus/news.jsonl

Each line of the file has the same news in several languages as lists of sentences, the first one
being the title. Counted are titles alone, leads alone (the second sentence) and whole texts: right,
wrong, and unsure, where an editor would get no warning.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from articles.text.language_detection import detect_language

CODES = ["en", "be", "ru"]
PARTS = ("title", "lead", "whole text")


def texts(path: Path) -> Iterator[tuple[str, str, str]]:
    """(language, part, text) for every text of the file."""
    with path.open(encoding="utf-8-sig") as file:
        for line in file:
            data = json.loads(line)
            for code in CODES:
                sentences = data.get(code) or []
                for part, chosen in zip(
                    PARTS, (sentences[:1], sentences[1:2], sentences), strict=True
                ):
                    if chosen:
                        yield code, part, " ".join(chosen)


def main() -> None:
    """Prints the table."""
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/corpus/news.jsonl")
    counts: Counter[tuple[str, str, str]] = Counter()
    for code, part, text in texts(path):
        seen = detect_language(text, CODES)
        outcome = "unsure" if seen is None else "right" if seen == code else "wrong"
        counts[code, part, outcome] += 1
    print(f"{'':22}{'right':>8}{'wrong':>8}{'unsure':>8}")
    for code in CODES:
        for part in PARTS:
            row = [counts[code, part, outcome] for outcome in ("right", "wrong", "unsure")]
            print(f"{code} {part:19}" + "".join(f"{number:8}" for number in row))


if __name__ == "__main__":
    main()
