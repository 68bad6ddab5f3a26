"""Scripts as production serves them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from django.conf import settings

from newsroom.static_files import ModuleManifestStaticFilesStorage


def test_a_script_imports_others_by_their_hashed_names(tmp_path: Path) -> None:
    names = ["smart_quotes.js", "typography.js", "interpolate.js"]
    for name in names:
        shutil.copy(settings.BASE_DIR / "static" / name, tmp_path)
    storage = ModuleManifestStaticFilesStorage(location=tmp_path, base_url="/static/")
    for _processed in storage.post_process({name: (storage, name) for name in names}):
        pass
    hashed = {name: storage.stored_name(name) for name in names}
    imported = re.findall(r'from "\./(.*)"', (tmp_path / hashed["smart_quotes.js"]).read_text())
    assert sorted(imported) == sorted([hashed["typography.js"], hashed["interpolate.js"]])
    assert set(hashed.values()).isdisjoint(names)
