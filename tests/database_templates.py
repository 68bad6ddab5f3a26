"""Migrated databases to copy, cached below VAR_DIR until a migration or a dependency changes."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def migrated_sqlite() -> Path:
    """A file to copy."""
    return cached_template("sqlite3", "", migrate_sqlite)


def migrate_sqlite(folder: Path) -> None:
    made = folder / "made.sqlite3"
    migrate(f"sqlite:///{made}")
    # No WAL is left.
    assert [path for path in folder.iterdir() if path.is_file()] == [made]


def migrate(address: str) -> None:
    """Runs `manage.py migrate`."""
    with tempfile.TemporaryDirectory() as var:
        environment = {"PATH": os.defpath, "VAR_DIR": var, "DATABASE_URL": address}
        command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def cached_template(kind: str, version: str, make: Callable[[Path], None]) -> Path:
    """The cached file or folder, which is created by `make` first."""
    folder = Path(os.environ.get("VAR_DIR") or ROOT / "var") / "prepared"
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{kind}-{fingerprint(version)}"
    with (folder / f"{kind}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / name).exists():
            for outdated in folder.glob(f"{kind}-*"):
                shutil.rmtree(outdated)
            with tempfile.TemporaryDirectory(dir=folder) as unfinished:
                made = Path(unfinished) / "made"
                made.mkdir()
                make(made)
                made.rename(folder / name)
    [found] = (folder / name).iterdir()
    return found


def fingerprint(version: str) -> str:
    """A hash of all that decides what `migrate` creates."""
    digest = hashlib.sha256(version.encode())
    makers = ["articles/site_version.py", "newsroom/database_roles.py", "requirements.txt"]
    for path in (*sorted(ROOT.glob("*/migrations/*.py")), *(ROOT / name for name in makers)):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
