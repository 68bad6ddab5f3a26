"""The image, as far as it can be tried without an engine: its steps are run on this machine."""

from __future__ import annotations

import fnmatch
import json
import tomllib
from pathlib import Path

import pytest

from tests.stack.compose import ROOT, VARIABLES, mounts, services
from tests.stack.dockerfile import copied, instructions


def in_context(path: str) -> bool:
    """Whether .dockerignore lets the engine see it; the last rule that fits decides."""
    seen = True
    for rule in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = rule.removeprefix("!").removeprefix("**/")
        parts = path.split("/")
        heads = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
        names = parts if "**/" in rule else heads
        if rule and not rule.startswith("#") and any(fnmatch.fnmatch(n, pattern) for n in names):
            seen = rule.startswith("!")
    return seen


@pytest.mark.parametrize("path", copied())
def test_what_is_copied_is_there_and_not_ignored(path: str) -> None:
    assert (ROOT / path).exists()
    assert in_context(path)


def test_everything_that_runs_is_copied() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    ours = project["tool"]["importlinter"]["root_packages"]
    assert {
        *ours,
        "manage.py",
        "requirements.txt",
        "templates",
        "static",
        "locale",
    } == set(copied())


@pytest.mark.parametrize("path", ["var", "var/keys/worker.key", ".env", "try.env", ".git", ".venv"])
def test_no_secret_reaches_the_engine(path: str) -> None:
    assert not in_context(path)


def test_the_mail_catcher_and_what_it_needs_are_in_no_production() -> None:
    assert not in_context("demo/mail_catcher/smtp.py")
    assert "aiosmtpd" not in (ROOT / "requirements.txt").read_text()
    assert "aiosmtpd" in (ROOT / "demo" / "mail_catcher" / "requirements.txt").read_text()
    found = services(VARIABLES)
    catcher = found.pop("mailcatcher")
    assert catcher["image"] not in {service["image"] for service in found.values()}
    assert (ROOT / catcher["build"] / "Dockerfile").exists()


def test_it_does_not_run_as_root_and_owns_no_code() -> None:
    *_others, user = instructions("USER")
    assert user == "10001:10001"
    assert "--chown" not in (ROOT / "Dockerfile").read_text()
    for name, service in services(VARIABLES).items():
        assert service.get("user") != "root", name
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not service.get("privileged"), name
        assert service["logging"]["options"]["max-size"], name


def test_the_tests_run_on_the_images_python() -> None:
    tags = {line.split()[0] for line in instructions("FROM")}
    assert tags == {"python:3.11-slim-bookworm"}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["requires-python"] == ">=3.11"
    assert "postgres:15" in services(VARIABLES)["database"]["image"]


def test_the_lock_file_is_installed_with_hashes_and_nothing_is_built() -> None:
    [install] = [line for line in instructions("RUN") if line.startswith("pip ")]
    assert "--require-hashes" in install
    assert "--only-binary :all:" in install


@pytest.mark.long
def test_the_steps_of_the_build_work(image: Path) -> None:
    assert json.loads((image / "staticfiles" / "staticfiles.json").read_text())["paths"]["site.css"]
    for catalogue in (image / "locale").rglob("*.po"):
        assert catalogue.with_suffix(".mo").exists(), catalogue
    for module in (path for path in copied() if (image / path / "__init__.py").exists()):
        assert list((image / module / "__pycache__").glob("__init__.*.pyc")), module


def test_the_image_is_well_by_the_same_question_as_web_in_compose() -> None:
    [health] = instructions("HEALTHCHECK")
    [command] = instructions("CMD")
    web = services(VARIABLES)["web"]
    assert json.loads(health.partition("CMD ")[2]) == web["healthcheck"]["test"][1:]
    assert json.loads(command) == web["command"]


def test_a_new_volume_belongs_to_the_images_user() -> None:
    """An engine gives a new volume the owner and mode of the folder in the image."""
    [made] = [line for line in instructions("RUN") if line.startswith("install")]
    assert "--owner=newsroom" in made
    assert "--mode=0700" in made
    for name, service in services(VARIABLES).items():
        if service["image"] == "newsroom":
            for path in mounts(service):
                assert f" {path}" in made, name
