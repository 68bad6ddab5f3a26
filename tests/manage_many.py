"""Runs many commands in forks of one process that has loaded Django.

python -m tests.manage_many < jobs.json > results.json

A job is a template folder, a work folder, which is replaced by a copy of the template, and steps:
arguments of manage.py, or a line for sh. The demo gets one cover for all articles.
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

from tests.covers import same_cover_for_all

Result = tuple[int, str]
"""Exit status and output."""


def run_manage(words: list[str], folder: Path) -> Result:
    """One command in a fork."""
    with tempfile.TemporaryFile() as output:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                os.chdir(folder)
                for stream in (1, 2):
                    os.dup2(output.fileno(), stream)
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
        output.seek(0)
        return os.waitstatus_to_exitcode(status), output.read().decode(errors="replace")


def run_shell(line: str, folder: Path) -> Result:
    """One line in a new shell."""
    done = subprocess.run(
        ["sh", "-ec", line],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.returncode, done.stdout


def run_job(job: dict[str, Any]) -> list[Result]:
    """Runs its steps in order."""
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
    with same_cover_for_all():
        json.dump([run_job(job) for job in json.load(sys.stdin)], sys.stdout)
