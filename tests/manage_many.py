"""Runs many commands as if each had a process of its own, for the price of one start.

python -m tests.manage_many < jobs.json > answers.json

A job is a folder that stands as prepared, a folder to work in, and steps: either the words
behind `manage.py`, or a line for sh. The work folder is made anew for each job. Django is
loaded once; every step is a fork of it, so that nothing is remembered from one to the next.
The demo gets one cover for all its articles.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

import django
from django.core.management import ManagementUtility

from tests.covers import one_cover

Answer = tuple[int, str]
"""The exit code, and what was printed."""


def run_manage(words: list[str], folder: Path) -> Answer:
    """One command in a fork."""
    with tempfile.TemporaryFile() as said:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                os.chdir(folder)
                for stream in (1, 2):
                    os.dup2(said.fileno(), stream)
                os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
                ManagementUtility(["manage.py", *words]).execute()
                code = 0
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else int(end.code is not None)
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        _pid, status = os.waitpid(child, 0)
        said.seek(0)
        return os.waitstatus_to_exitcode(status), said.read().decode(errors="replace")


def run_shell(line: str, folder: Path) -> Answer:
    """One line in a shell of its own."""
    done = subprocess.run(
        ["sh", "-ec", line],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.returncode, done.stdout


def run_job(job: dict[str, Any]) -> list[Answer]:
    """Its steps in their order."""
    prepared, folder = job["prepared"], Path(job["folder"])
    if prepared:
        shutil.rmtree(folder)
        shutil.copytree(prepared, folder, symlinks=True)
    return [
        run_shell(step, folder) if isinstance(step, str) else run_manage(step, folder)
        for step in job["steps"]
    ]


if __name__ == "__main__":
    django.setup()
    with one_cover():
        json.dump([run_job(job) for job in json.load(sys.stdin)], sys.stdout)
