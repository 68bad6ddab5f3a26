"""What every test stands on: keys of its own, and nothing outside the temporary folder."""

from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from newsroom import sealing


@pytest.fixture(scope="session")
def keys_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    sealing.make_keys(folder / "worker.key", folder / "intake.pub", folder / "links.key")
    return folder


@pytest.fixture(autouse=True)
def own_keys(settings: Settings, keys_dir: Path, tmp_path: Path) -> None:
    settings.WORKER_KEY_FILE = keys_dir / "worker.key"
    settings.INTAKE_KEY_FILE = keys_dir / "intake.pub"
    settings.LINKS_KEY_FILE = keys_dir / "links.key"
    settings.MEDIA_ROOT = tmp_path / "media"


@pytest.fixture
def without_worker_key(settings: Settings) -> None:
    """As in the web process."""
    settings.WORKER_KEY_FILE = None
