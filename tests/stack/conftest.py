"""An image of this machine's own making, and the stack's services around it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services import (
    ServiceNotInstalled,
    free_port,
    running_postgresql,
    running_redis,
    skip_or_fail,
)
from tests.stack.compose import ROOT, VARIABLES, Machine, services
from tests.stack.dockerfile import copied, instructions


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The /app of the Dockerfile: what it copies, and its steps after the lock file's."""
    app = tmp_path_factory.mktemp("images") / "newsroom"
    app.mkdir()
    catcher = Path("demo/mail_catcher")
    shutil.copytree(ROOT / catcher, app.with_name("newsroom-mailcatcher") / catcher)
    for path in copied():
        if (ROOT / path).is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "*.mo", "mail_catcher")
            shutil.copytree(ROOT / path, app / path, ignore=ignored)
        else:
            shutil.copy(ROOT / path, app / path)
    after_the_lock_file = re.compile(r"(?!.*venv).*(python|pybabel)")
    steps = [line for line in instructions("RUN") if after_the_lock_file.match(line)]
    assert len(steps) == 3
    environment = {"PATH": f"{Path(sys.executable).parent}:{os.defpath}"}
    for step in steps:
        done = subprocess.run(
            ["sh", "-c", step], cwd=app, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{step}: {done.stderr}"
    return app


@pytest.fixture
def machine(tmp_path: Path, image: Path) -> Iterator[Machine]:
    """With PostgreSQL and Redis running, and nothing else yet."""
    try:
        with running_postgresql() as postgresql, running_redis() as redis:
            postgresql.create("newsroom")
            ports = {"5432": postgresql.port, "6379": redis.port}
            ports |= {inside: free_port() for inside in ("8000", "8001", "8025")}
            machine = Machine(tmp_path, services(VARIABLES), ports, image.parent)
            try:
                yield machine
            finally:
                machine.stop()
    except ServiceNotInstalled as missing:
        skip_or_fail(missing)
