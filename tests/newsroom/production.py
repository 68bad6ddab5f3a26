"""A valid production environment, and processes in it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from keys import sealing
from newsroom.checks import MANIFEST

ROOT = Path(__file__).resolve().parents[2]


def environment_variables() -> set[str]:
    """Every one that the settings read."""
    sources = "".join(path.read_text() for path in (ROOT / "newsroom").glob("*settings.py"))
    return set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', sources))


def environment(folder: Path) -> dict[str, str]:
    """The web process's, with keys and static files; no database and no Redis is behind it."""
    worker, shared, static = folder / "worker-key", folder / "shared-keys", folder / "static"
    sealing.make_keys(worker / "worker.key", shared / "intake.pub", shared / "links.key")
    static.mkdir(exist_ok=True)
    (static / MANIFEST).write_text('{"version": "1.1", "paths": {}}')
    return {
        "PATH": f"{Path(sys.executable).parent}:{os.defpath}",
        "PRODUCTION": "1",
        "SITE_URL": "https://news.example.org",
        "SECURITY_CONTACT": "mailto:security@example.org",
        "SECURITY_EXPIRES": "2027-06-01",
        "SECRET_KEY": "a secret of fifty characters, or of some more than that",
        "DATABASE_URL": "postgres://newsroom:hunter2@127.0.0.1:1/newsroom",
        "BROKER_URL": "redis://127.0.0.1:1/0",
        "RELAY_URL": "smtps://user:hunter2@relay.example.org",
        "BOUNCE_DOMAIN": "bounces.example.org",
        "WORKER_KEY_FILE": "none",
        "INTAKE_KEY_FILE": str(shared / "intake.pub"),
        "LINKS_KEY_FILE": str(shared / "links.key"),
        "STATIC_ROOT": str(static),
        "VAR_DIR": str(folder / "var"),
    }


def worker_environment(folder: Path) -> dict[str, str]:
    """The worker's: the same, and the private key."""
    key = folder / "worker-key" / "worker.key"
    return {**environment(folder), "WORKER_KEY_FILE": str(key)}


def run(command: list[str], env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Runs until it exits."""
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60)


def manage(env: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    """Runs manage.py."""
    return run([sys.executable, "manage.py", *words], env)
