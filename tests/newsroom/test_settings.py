"""Promise 6.9 for an administrator: nonsense in the environment ends with one clear line."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def manage(tmp_path: Path, **env: str) -> subprocess.CompletedProcess[str]:
    clean = {"PATH": os.environ["PATH"], "VAR_DIR": str(tmp_path / "var"), **env}
    return subprocess.run(
        [sys.executable, "manage.py", "check"], cwd=ROOT, env=clean, capture_output=True, text=True
    )


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("DEBUG", "maybe", "Set it to 1 or 0"),
        ("PORT", "eighty", "whole number from 1024"),
        ("PORT", "80", "whole number from 1024"),
        ("SITE_URL", "example.org", "https://example.org"),
        ("SITE_URL", "https://example.org/path", "only scheme and host"),
        ("SITE_URL", "https://example.org:port", "https://example.org"),
        ("RELAY_URL", "mailserver", "smtp://host:25"),
        ("RELAY_URL", "smtp://:25", "smtp://host:25"),
        ("RELAY_TIMEOUT", "0", "from 1 to 600"),
        ("LANES", "-1", "from 1 to 64"),
    ],
)
def test_a_nonsense_value_is_named_with_what_to_do(
    tmp_path: Path, name: str, value: str, hint: str
) -> None:
    done = manage(tmp_path, **{name: value})
    assert done.returncode == 1
    assert name in done.stderr
    assert hint in done.stderr
    assert "Traceback" not in done.stderr


def test_the_relays_password_is_not_repeated(tmp_path: Path) -> None:
    done = manage(tmp_path, RELAY_URL="http://user:hunter2@example.org")
    assert done.returncode == 1
    assert "hunter2" not in done.stderr + done.stdout


@pytest.mark.parametrize("missing", ["SITE_URL", "SECRET_KEY", "RELAY_URL"])
def test_production_names_what_is_missing(tmp_path: Path, missing: str) -> None:
    whole = {
        "PRODUCTION": "1",
        "SITE_URL": "https://example.org",
        "SECRET_KEY": "0123456789abcdef" * 4,
        "RELAY_URL": "smtp://relay.example.org",
    }
    del whole[missing]
    done = manage(tmp_path, **whole)
    assert done.returncode == 1
    assert f"{missing} is not set" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_empty_variable_counts_as_unset(tmp_path: Path) -> None:
    assert manage(tmp_path, PORT="", DEBUG="", SITE_URL="").returncode == 0


def test_every_variable_that_is_read_is_in_the_administrators_table() -> None:
    source = (ROOT / "newsroom" / "settings.py").read_text()
    read = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', source))
    table = (ROOT / "docs" / "administration.md").read_text()
    assert len(read) > 15
    assert {name for name in read | {"DATABASE_URL"} if f"`{name}`" not in table} == set()
