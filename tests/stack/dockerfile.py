"""Reads the Dockerfile."""

from __future__ import annotations

import re
import shlex

from tests.stack.compose import ROOT

INSTRUCTION = re.compile(r"^([A-Z]+) (.+)$", re.MULTILINE)


def instructions(name: str) -> list[str]:
    """What stands behind each instruction of this kind, in order."""
    text = (ROOT / "Dockerfile").read_text()
    return [found[1] for found in INSTRUCTION.findall(text) if found[0] == name]


def copied() -> list[str]:
    """The paths out of the repository that the image has."""
    return [
        source
        for line in instructions("COPY")
        if not line.startswith("--from")
        for source in shlex.split(line)[:-1]
    ]
