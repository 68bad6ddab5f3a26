"""A process that breaks leaves nothing of its memory behind."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from keys import core_dumps
from newsroom import checks
from tests.newsroom.production import ROOT

SAYS = """
import newsroom, os, resource
from keys import core_dumps
if os.fork() == 0:
    print(core_dumps.are_disabled(), resource.getrlimit(resource.RLIMIT_CORE), flush=True)
    os._exit(0)
os.wait()
"""
BREAKS = "import newsroom, os; os.abort()"


def run(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """In a shell that would allow dumps, as far as this machine does."""
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        env={
            "PYTHONPATH": str(ROOT),
            "DJANGO_SETTINGS_MODULE": "newsroom.settings",
            "VAR_DIR": str(folder / "var"),
        },
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (hard, hard)),
        capture_output=True,
        text=True,
    )


def test_core_dumps_are_disabled_for_a_process_and_its_children(tmp_path: Path) -> None:
    assert run(SAYS, tmp_path).stdout == "True (0, 0)\n"


def test_a_crash_leaves_no_core_dump(tmp_path: Path) -> None:
    assert run(BREAKS, tmp_path).returncode < 0
    assert not list(tmp_path.glob("*core*"))


@pytest.mark.skipif(sys.platform != "linux", reason="Only Linux knows prctl")
def test_a_warning_is_shown_if_core_dumps_are_possible(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.PRODUCTION = True
    assert list(checks.core_dumps_disabled()) == []
    monkeypatch.setattr(core_dumps, "_prctl", lambda *_arguments: 1)
    assert [one.id for one in checks.core_dumps_disabled()] == ["newsroom.W002"]
