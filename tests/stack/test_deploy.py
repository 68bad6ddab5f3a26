"""The files for an installation without compose keep the same walls."""

from __future__ import annotations

import configparser
import re
import shlex
from pathlib import PurePosixPath

import pytest

from newsroom.startup_checks import EXIT_CODE
from tests.stack.compose import ROOT, VARIABLES, services

ROLES = ("web", "worker", "intake", "beat")


def unit(role: str) -> dict[str, str]:
    """The [Service] of its unit. Nothing is set twice but the files of its environment."""
    text = (ROOT / "deploy" / f"newsroom-{role}.service").read_text()
    shared = "EnvironmentFile=/etc/newsroom/environment\n"
    assert text.count(shared) == 1
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(text.replace(shared, ""))
    return dict(parser["Service"])


def test_each_process_has_the_database_role_of_its_own() -> None:
    """The owner's is in no unit."""
    roles = {"web": "web", "beat": "web", "worker": "worker", "intake": "worker"}
    for role in ROLES:
        assert unit(role)["EnvironmentFile"] == f"/etc/newsroom/{roles[role]}"


def given(role: str) -> dict[str, str]:
    """What its environment has beyond the file that all share."""
    return dict(pair.split("=", 1) for pair in shlex.split(unit(role)["Environment"]))


def test_only_the_worker_has_the_private_key_and_its_own_user() -> None:
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
def test_a_unit_restarts_unless_the_configuration_is_wrong(role: str) -> None:
    assert unit(role)["Restart"] == "on-failure"
    assert unit(role)["RestartPreventExitStatus"] == str(EXIT_CODE)
    assert unit(role)["NoNewPrivileges"] == "yes"
    assert unit(role)["ProtectSystem"] == "strict"


@pytest.mark.parametrize("role", ROLES)
def test_a_unit_writes_no_core_dump(role: str) -> None:
    assert unit(role)["LimitCORE"] == "0"


def test_the_proxy_writes_no_body_to_its_disk() -> None:
    """Else what is larger than the buffer lies there in clear, unless it is handed on at once."""
    text = re.sub(r"#.*", "", (ROOT / "deploy" / "nginx.conf").read_text())
    server, *locations = re.split(r"\blocation\b", text[text.index("listen 443") :])
    assert bytes_in("client_max_body_size", server) <= bytes_in("client_body_buffer_size", server)
    sized = [one for one in locations if "client_max_body_size" in one]
    assert len(sized) == 2
    for location in sized:
        most = bytes_in("client_max_body_size", location)
        held = bytes_in("client_body_buffer_size", location)
        assert most <= held or "proxy_request_buffering off;" in location


def bytes_in(directive: str, text: str) -> int:
    """The size that a directive of nginx sets, or 0."""
    found = re.search(rf"\b{directive}\s+(\d+)([km]);", text)
    return int(found[1]) * {"k": 1024, "m": 1024**2}[found[2]] if found else 0


def test_the_page_about_installing_names_every_file() -> None:
    page = (ROOT / "docs" / "installing.md").read_text()
    for path in [*(ROOT / "deploy").iterdir(), ROOT / "try.env", ROOT / ".env.example"]:
        assert path.name in page
