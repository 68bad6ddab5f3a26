"""docs/languages.md is followed in a copy of the project, with Ukrainian."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.long
ROOT = Path(__file__).resolve().parents[2]
FOLDERS = (
    *("core", "keys", "staff", "articles", "newsletter", "newsroom", "demo"),
    *("templates", "static", "locale"),
)
SETTINGS = (
    ('("ru", "Русский")]', '("ru", "Русский"), ("uk", "Українська")]'),
    ('"ru": ["be"]}', '"ru": ["be"], "uk": ["be", "ru"]}'),
)
IN_THE_COPY = """
import django, json
django.setup()
from django.core.management import call_command
from django.test import Client
from django.test.utils import setup_test_environment
setup_test_environment()
call_command("makemigrations", "articles", "newsletter", name="ukrainian", verbosity=0)
call_command("migrate", verbosity=0)
call_command("makemigrations", check_changes=True, dry_run=True, verbosity=0)
from articles.models import Article
from core import languages
page = Client().get("/uk/")
print(json.dumps({
    "columns": sorted(f.name for f in Article._meta.get_fields() if f.name.endswith("_uk")),
    "status": page.status_code,
    "page": page.content.decode(),
    "nearest": languages.preference_order("uk"),
    "month": languages.locale("uk").months["format"]["wide"][11],
}))
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with the two lines changed that the page names."""
    folder = tmp_path_factory.mktemp("fourth")
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "manage.py", folder)
    settings = folder / "newsroom" / "settings.py"
    text = settings.read_text()
    for old, new in SETTINGS:
        assert old in text
        text = text.replace(old, new)
    settings.write_text(text)
    (folder / "var").mkdir()
    return folder


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "newsroom.settings"}
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True
    )


def test_two_lines_and_a_migration_make_a_language(copy: Path) -> None:
    done = run(copy, "-c", IN_THE_COPY)
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["columns"] == ["body_uk", "lead_uk", "title_uk"]
    assert facts["status"] == 200
    assert '<html lang="uk">' in facts["page"]
    assert 'lang="uk">Українська' in facts["page"]
    assert facts["nearest"] == ["uk", "be", "ru", "en"]
    assert facts["month"] == "листопада"
    migration = next((copy / "articles" / "migrations").glob("*_ukrainian.py")).read_text()
    assert "title_uk" in migration
    assert "RemoveField" not in migration


def test_the_check_asks_for_its_words_and_the_update_makes_its_catalogues(copy: Path) -> None:
    missing = run(copy, "-m", "newsroom.catalogues", "update")
    assert missing.returncode == 1
    assert "locale/uk/LC_MESSAGES/django.po: not translated: 'Subscribe'" in missing.stdout
    assert "locale/packages/uk/LC_MESSAGES/django.po: not translated: 'Filters'" in missing.stdout
    assert "locale/be/" not in missing.stdout
    for folder in ("locale/uk", "locale/packages/uk"):
        assert (copy / folder / "LC_MESSAGES" / "django.po").exists()
    assert "Subscribe" in (copy / "locale/uk/LC_MESSAGES/django.po").read_text()
    assert run(copy, "-m", "newsroom.catalogues", "compile").returncode == 0
