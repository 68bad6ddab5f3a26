"""A database made before the names of today, with everything in it, after `migrate`.

`tests/data/before_renames` is such a file of SQLite and its keys: the demo's newest week, two
editions and twelve invented subscribers, a sign-up, a lookup, a mail that nobody recognised, and
two mailings that are held.
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BEFORE = ROOT / "tests" / "data" / "before_renames"
LOOK = """
import json, django
django.setup()
from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.test import Client
from articles.models import Article, SiteSettings
from keys.sealing import worker_keys
from newsletter.models import (
    Mailing, QuarantinedMail, SignUp, Subscriber, SubscriberLookup, Variant,
)
keys = worker_keys()
one = Subscriber.objects.order_by("pk").first()
models = {(model._meta.app_label, model._meta.model_name) for model in apps.get_models()}
kinds = Permission.objects.values_list("content_type__app_label", "content_type__model")
article = Article.objects.public().first()
print(json.dumps({
    "site": str(SiteSettings.current()),
    "articles": Article.objects.public().count(),
    "home": Client().get("/").status_code,
    "article": Client().get(article.path_in("en")).status_code,
    "subscribers": Subscriber.objects.count(),
    "address": one.address(keys),
    "rows": [model.objects.count() for model in (SubscriberLookup, QuarantinedMail, SignUp)],
    "mailings": sorted(Mailing.objects.values_list("status", flat=True)),
    "letters": Variant.objects.exclude(content=b"").count(),
    "roles": Group.objects.filter(permissions=None).count(),
    "of no model": sorted(set(kinds) - models),
}))
"""


def run(environment: dict[str, str], *command: str) -> str:
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.long
def test_a_database_made_before_the_renames_is_migrated_with_all_that_it_holds(
    tmp_path: Path,
) -> None:
    file = tmp_path / "newsroom.sqlite3"
    file.write_bytes(gzip.decompress((BEFORE / "newsroom.sqlite3.gz").read_bytes()))
    keys = {name: tmp_path / name for name in ("worker.key", "intake.pub", "links.key")}
    for name, key in keys.items():
        key.write_bytes((BEFORE / name).read_bytes())
        key.chmod(0o600)
    environment = {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "newsroom.settings",
        "VAR_DIR": str(tmp_path),
        "DATABASE_URL": f"sqlite:///{file}",
        "WORKER_KEY_FILE": str(keys["worker.key"]),
        "INTAKE_KEY_FILE": str(keys["intake.pub"]),
        "LINKS_KEY_FILE": str(keys["links.key"]),
    }
    run(environment, "manage.py", "migrate", "--verbosity", "0")
    run(environment, "manage.py", "makemigrations", "--check", "--dry-run")
    assert json.loads(run(environment, "-c", LOOK)) == {
        "site": "Long View",
        "articles": 5,
        "home": 200,
        "article": 200,
        "subscribers": 12,
        "address": "reader12@example.org",
        "rows": [1, 1, 1],
        "mailings": ["held", "held"],
        "letters": 4,
        "roles": 0,
        "of no model": [],
    }
