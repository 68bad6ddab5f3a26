"""What docker-compose.yml promises, whoever runs it."""

from __future__ import annotations

import re

import pytest

from tests.newsroom.production import environment_variables
from tests.stack.compose import ROOT, VARIABLES, VariableNotSet, mounts, services

SERVICES = services(VARIABLES)
NEEDED = [
    "SITE_URL",
    "SECRET_KEY",
    "POSTGRES_PASSWORD",
    "WEB_DATABASE_PASSWORD",
    "WORKER_DATABASE_PASSWORD",
    "RELAY_URL",
]
NOT_FOR_CONTAINERS = {
    "DEBUG",  # never in a stack
    "PORT",  # `make run` alone
    "STATIC_ROOT",  # in the image
    "MEDIA_ROOT",  # a volume below VAR_DIR
}


def test_only_the_worker_is_given_the_private_key() -> None:
    """And those that make and change it, which run for one command and reach nothing outside."""
    holders = {name for name, service in SERVICES.items() if "worker-key" in str(service)}
    assert holders == {"worker", "intake", "keys", "keyholder"}
    told = {
        name
        for name, service in SERVICES.items()
        if service.get("environment", {}).get("WORKER_KEY_FILE", "none") != "none"
    }
    assert told == {"worker", "intake", "keys", "keyholder"}
    assert SERVICES["keys"]["network_mode"] == "none"
    assert SERVICES["keyholder"]["networks"] == ["inside"]
    assert mounts(SERVICES["worker"])["/keys/worker"] == ("worker-key", False)


def test_only_key_services_can_write_keys() -> None:
    writers = {
        name
        for name, service in SERVICES.items()
        for volume, writes in mounts(service).values()
        if volume.endswith(("-key", "-keys")) and writes
    }
    assert writers == {"keys", "keyholder"}


def test_database_and_broker_are_reached_from_inside_only() -> None:
    for name in ("database", "redis"):
        assert SERVICES[name]["networks"] == ["inside"]
        assert "ports" not in SERVICES[name]
    for service in SERVICES.values():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:")


def test_every_service_that_stays_is_watched_and_started_again() -> None:
    for name, service in SERVICES.items():
        once = name in {"keys", "keyholder", "roles", "migrate"}
        assert ("test" in service["healthcheck"]) != once, name
        assert (service["restart"] == "unless-stopped") != once, name


def test_nothing_starts_before_what_it_needs() -> None:
    for name in ("web", "worker", "intake", "beat"):
        needs = SERVICES[name]["depends_on"]
        assert needs["migrate"]["condition"] == "service_completed_successfully"
        assert needs["redis"]["condition"] == "service_healthy"
    assert SERVICES["migrate"]["depends_on"]["roles"]["condition"].endswith("successfully")
    needs = SERVICES["roles"]["depends_on"]
    assert needs["database"]["condition"] == "service_healthy"
    assert needs["keys"]["condition"] == "service_completed_successfully"


def test_the_mail_catcher_comes_only_when_it_is_tried() -> None:
    assert {name for name, service in SERVICES.items() if "profiles" in service} == {
        "mailcatcher",
        "keyholder",
    }


@pytest.mark.parametrize("name", NEEDED)
def test_what_is_not_set_is_named_before_anything_starts(name: str) -> None:
    with pytest.raises(VariableNotSet, match=f"Set {name} in .env"):
        services({**VARIABLES, name: ""})


def test_the_example_and_the_trial_name_what_is_needed() -> None:
    example = dict(re.findall(r"^([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.M))
    assert set(NEEDED) <= set(example)
    trial = dict(re.findall(r"^([A-Z_]+)=(.*)$", (ROOT / "try.env").read_text(), re.M))
    web = services(trial)["web"]["environment"]
    assert web["PRODUCTION"] == "0"
    assert web["RELAY_URL"] == "smtp://mailcatcher:8025"


def test_every_variable_of_the_settings_can_be_given() -> None:
    read = environment_variables()
    assert len(read) > 15
    assert read - NOT_FOR_CONTAINERS == set(SERVICES["web"]["environment"]) - NOT_FOR_CONTAINERS


def test_the_databases_log_quotes_no_row_and_no_statement() -> None:
    command = SERVICES["database"]["command"]
    assert "log_error_verbosity=terse" in command
    assert "log_min_error_statement=panic" in command


def test_no_service_writes_a_core_dump() -> None:
    for name, service in SERVICES.items():
        assert service["ulimits"] == {"core": 0}, name
