"""Static files in production: hashed and compressed."""

from __future__ import annotations

from whitenoise.storage import CompressedManifestStaticFilesStorage


class ModuleManifestStaticFilesStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # untyped
    """WhiteNoise's, which rewrites imports in JavaScript modules too."""

    support_js_module_import_aggregation = True
