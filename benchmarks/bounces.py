"""How many reports in a folder of mails are recognised, beside flufl.bounce alone.

    python benchmarks/bounces.py FOLDER [--each]

The folder holds one mail a file, such as a public collection of bounces; nothing of it is kept.
`--each` prints the kind of every file, for a person to judge.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from email import message_from_bytes
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "newsroom.settings")
os.environ.setdefault("DATABASE_URL", "sqlite:///:memory:")

import django

django.setup()

from flufl.bounce import all_failures  # noqa: E402

from newsletter.bounces.classify import UnreadableMail, classify  # noqa: E402


def by_flufl_alone(raw: bytes) -> bool:
    """flufl.bounce raises on some."""
    try:
        return any(all_failures(message_from_bytes(raw)))
    except Exception:
        return False


def main() -> None:
    """Reads every file twice: by newsletter.bounces, and by flufl.bounce."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--each", action="store_true")
    chosen = arguments.parse_args()
    counts: Counter[str] = Counter()
    alone, seconds = 0, 0.0
    paths = sorted(path for path in chosen.folder.rglob("*") if path.is_file())
    for path in paths:
        raw = path.read_bytes()
        began = time.perf_counter()
        try:
            kind = str(classify(raw).kind)
        except UnreadableMail:
            kind = "unreadable"
        seconds += time.perf_counter() - began
        counts[kind] += 1
        found = by_flufl_alone(raw)
        alone += found
        if chosen.each:
            print(f"{kind:14}{'' if found else 'not by flufl.bounce':22}{path.name}")
    known = len(paths) - counts["unrecognised"] - counts["unreadable"]
    print(f"{known} of {len(paths)} recognised; by flufl.bounce alone {alone}")
    print(", ".join(f"{kind} {count}" for kind, count in counts.most_common()))
    print(f"{seconds / max(len(paths), 1) * 1000:.1f} ms a mail")


if __name__ == "__main__":
    main()
