"""How the files of pages are kept in production: hashed, compressed, and known to one another."""

from __future__ import annotations

from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticFiles(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # untyped
    """WhiteNoise's, with the scripts that a script imports under their hashed names too."""

    support_js_module_import_aggregation = True
