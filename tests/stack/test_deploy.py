"""The files for an installation without compose keep the same walls."""

from __future__ import annotations

import configparser
import re
import shlex
from pathlib import PurePosixPath

import pytest

from newsroom.starting import EXIT_CODE
from tests.stack.compose import ROOT, VARIABLES, services

ROLES = ("web", "worker", "intake", "beat")


def unit(role: str) -> dict[str, str]:
    """The [Service] of its unit. None of ours sets a name twice."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(ROOT / "deploy" / f"newsroom-{role}.service")
    return dict(parser["Service"])


def given(role: str) -> dict[str, str]:
    """What its environment has beyond the file that all share."""
    return dict(pair.split("=", 1) for pair in shlex.split(unit(role)["Environment"]))


def test_only_the_worker_is_told_of_the_private_key_and_has_a_user_of_its_own() -> None:
    for role in ("worker", "intake"):
        assert given(role)["WORKER_KEY_FILE"] == "/var/lib/newsroom-worker/worker.key"
    for role in ("web", "beat"):
        assert given(role)["WORKER_KEY_FILE"] == "none"
        assert unit(role)["User"] != unit("worker")["User"]
        assert unit(role)["InaccessiblePaths"] == "-/var/lib/newsroom-worker"
    assert unit("worker")["StateDirectoryMode"] == "0700"


@pytest.mark.parametrize("role", ROLES)
def test_a_unit_runs_what_compose_runs(role: str) -> None:
    # systemd has names of its own behind a %, and takes two for one.
    program, *words = shlex.split(unit(role)["ExecStart"].replace("%%", "%"))
    here = [PurePosixPath(program).name, *words]
    # Behind a proxy on the same machine nobody else needs to reach it.
    command = services(VARIABLES)[role]["command"]
    in_compose = [word.replace("0.0.0.0", "127.0.0.1") for word in command]
    assert here == in_compose


@pytest.mark.parametrize("role", ROLES)
def test_a_unit_is_started_again_unless_somebody_has_to_mend_something(role: str) -> None:
    assert unit(role)["Restart"] == "on-failure"
    assert unit(role)["RestartPreventExitStatus"] == str(EXIT_CODE)
    assert unit(role)["NoNewPrivileges"] == "yes"
    assert unit(role)["ProtectSystem"] == "strict"


def test_the_proxy_keeps_no_reader() -> None:
    text = re.sub(r"#.*", "", (ROOT / "deploy" / "nginx.conf").read_text())
    assert re.findall(r"access_log\s+([^;]+);", text) == ["off"]
    # At `crit` a broken handshake is written down with its address.
    assert re.findall(r"error_log\s+(\S+)\s+(\w+);", text) == [
        ("/var/log/nginx/error.log", "emerg")
    ]
    readers = text[text.index("location / {") : text.index("location /admin/")]
    assert 'X-Forwarded-For "";' in readers
    assert "$remote_addr" not in readers
    for location in (readers, text[text.index("location /admin/") :]):
        assert "proxy_set_header Host $host;" in location
        assert "proxy_set_header X-Forwarded-Proto https;" in location


def test_the_page_about_installing_names_every_file() -> None:
    page = (ROOT / "docs" / "installing.md").read_text()
    for path in [*(ROOT / "deploy").iterdir(), ROOT / "try.env", ROOT / ".env.example"]:
        assert path.name in page
