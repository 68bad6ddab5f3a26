"""Reads docker-compose.yml and runs its services on this machine, as compose would.

A service gets its own command and environment. Names and ports of services become those of
this machine; a path is led elsewhere only if the service has it mounted or its image has it.
"""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from demo.process_manager import Process

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docker-compose.yml"
VARIABLE = re.compile(r"\$\{(?P<name>[A-Z_]+)(?:(?P<kind>:[-?])(?P<rest>[^}]*))?\}")
VARIABLES = {
    "SITE_URL": "https://news.example.org",
    "SECRET_KEY": "a secret of fifty characters, or of some more than that",
    "POSTGRES_PASSWORD": "not-asked-for-here",
    "WEB_DATABASE_PASSWORD": "nor-this-one",
    "WORKER_DATABASE_PASSWORD": "nor-that-one",
    "RELAY_URL": "smtp://mailcatcher:8025",
    "BOUNCE_DOMAIN": "bounces.example.org",
}
"""What an administrator writes in .env; with the mail catcher as the relay."""
MERGE = "tag:yaml.org,2002:merge"
IMAGE_FOLDERS = ("/app/var", "/tmp")


class VariableNotSet(Exception):
    """A variable that compose would refuse to go on without."""


class Strict(yaml.SafeLoader):
    """Refuses a key that stands twice in one mapping, as compose does; YAML takes the last."""

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
        self._flat: set[int] = set()

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        # Before the merge keys (<<) are resolved: what is merged may be overridden. They are once,
        # and another mapping may be merged from this one.
        names = [key.value for key, _value in node.value if key.tag != MERGE]
        twice = {name for name in names if names.count(name) > 1}
        if twice and node.start_mark.index not in self._flat:
            raise yaml.constructor.ConstructorError(
                "in a mapping", node.start_mark, f"{', '.join(sorted(twice))} stands there twice"
            )
        self._flat.add(node.start_mark.index)
        super().flatten_mapping(node)


def services(variables: dict[str, str]) -> dict[str, Any]:
    """The file's services with their variables filled in. Raises NotSet."""
    found: dict[str, Any] = _filled(yaml.load(FILE.read_text(), Strict), variables)["services"]
    return found


def _filled(value: Any, variables: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(inner, variables) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, variables) for inner in value]
    if isinstance(value, str):
        return VARIABLE.sub(lambda found: _value_of(found, variables), value)
    return value


def _value_of(found: re.Match[str], variables: dict[str, str]) -> str:
    value = variables.get(found["name"], "")
    if not value and found["kind"] == ":?":
        raise VariableNotSet(found["rest"])
    return value or (found["rest"] if found["kind"] == ":-" else "")


def mounts(service: dict[str, Any]) -> dict[str, tuple[str, bool]]:
    """The paths at which a service has a volume: its name, and whether it may write there."""
    found = {}
    for line in service.get("volumes", []):
        volume, path, *options = line.split(":")
        found[path] = (volume, "ro" not in options)
    return found


@dataclass
class Machine:
    """This one: where the services and volumes of the file are found on it."""

    folder: Path
    services: dict[str, Any]
    ports: dict[str, int]
    """By the port within the stack."""
    images: Path
    """Folders with what each image has as /app."""
    processes: dict[str, Process] = field(default_factory=dict)

    def app(self, name: str) -> Path:
        """What a service's image has as /app; nothing where the image is somebody else's."""
        folder = self.images / str(self.services[name]["image"])
        return folder if folder.exists() else self.images

    def environment(self, name: str) -> dict[str, str]:
        """The service's, and the image's."""
        given = self.services[name].get("environment", {})
        own = {key: self._here(name, str(value)) for key, value in given.items()}
        return {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", **own}

    def command(self, name: str) -> list[str]:
        """What the service runs."""
        return [self._here(name, str(word)) for word in self.services[name]["command"]]

    def health_command(self, name: str) -> list[str]:
        """What compose asks it with."""
        kind, *words = self.services[name]["healthcheck"]["test"]
        assert kind == "CMD"
        return [self._here(name, word) for word in words]

    def _here(self, name: str, text: str) -> str:
        """In one pass, so that what was led elsewhere is not led on."""
        places = {rf"\b{host}(?=:\d)": "127.0.0.1" for host in self.services}
        places |= {rf"\b{inside}\b": str(port) for inside, port in self.ports.items()}
        places[r"\b0\.0\.0\.0\b"] = "127.0.0.1"
        for path in IMAGE_FOLDERS:
            places[rf"(?<![\w/-]){path}\b"] = str(self._own(name, path))
        for path, (volume, _writes) in mounts(self.services[name]).items():
            places[rf"{path}\b"] = str(self.volume(volume))
        whole = "|".join(f"({pattern})" for pattern in places)
        replacements = list(places.values())
        return re.sub(whole, lambda found: replacements[(found.lastindex or 1) - 1], text)

    def _own(self, name: str, path: str) -> Path:
        folder = self.folder / name / path.rpartition("/")[2]
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    def volume(self, name: str) -> Path:
        """A folder for one of the file's volumes."""
        folder = self.folder / "volumes" / name
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    def run(
        self, name: str, command: list[str] | None = None, **env: str
    ) -> subprocess.CompletedProcess[str]:
        """The service's own command to its end, or another in its place."""
        return subprocess.run(
            command or self.command(name),
            cwd=self.app(name),
            env={**self.environment(name), **env},
            capture_output=True,
            text=True,
        )

    def manage(self, name: str, *words: str, **env: str) -> str:
        """A command of manage.py where the service runs; what it said."""
        done = self.run(name, [sys.executable, "manage.py", *words], **env)
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    def start(self, name: str) -> Process:
        """Starts a service that stays."""
        logs = self.folder / "logs"
        logs.mkdir(exist_ok=True)
        # Found from wherever it starts, since `Process` starts where we are.
        command = ["env", f"--chdir={self.app(name)}", *self.command(name)]
        process = Process(name, command, self.environment(name), logs)
        self.processes[name] = process
        return process

    def is_well(self, name: str) -> bool:
        """What the service's health check says."""
        if name in self.processes:
            self.processes[name].check_alive()
        return self.run(name, self.health_command(name)).returncode == 0

    def stop(self) -> None:
        """Ends everything, last come first."""
        for process in reversed(self.processes.values()):
            process.terminate()
        for process in self.processes.values():
            process.wait_or_kill()
