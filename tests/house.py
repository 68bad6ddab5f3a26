"""The Procfile's processes, run as an administrator runs them, on services of the test's own."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from newsroom.supervising import Process
from tests.services import free_port, wait_for

ROOT = Path(__file__).resolve().parents[1]
SETUP = "import json, sys, django; django.setup()\n"


class House:
    """Web, worker and beat with a folder, a database and a broker of their own.

    What the test itself wants of the database it asks of a process of the house, because its
    own connection leads to another one.
    """

    def __init__(self, folder: Path, *, relay_port: int, **environment: str) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "HOME": str(folder),
            "VAR_DIR": str(folder / "var"),
            "DJANGO_SETTINGS_MODULE": "newsroom.settings",
            "SITE_URL": self.url,
            "RELAY_URL": f"smtp://127.0.0.1:{relay_port}",
            "RELAY_TIMEOUT": "5",
            **environment,
        }
        self.processes: dict[str, Process] = {}

    # --- Its processes ---------------------------------------------------------------

    def prepare(self) -> None:
        """Keys and tables."""
        (self.folder / "var").mkdir(exist_ok=True)
        self.manage("make_keys")
        self.manage("migrate", "--verbosity", "0")

    def start(self, *names: str) -> None:
        """Starts these of the Procfile's processes."""
        procfile = (ROOT / "Procfile").read_text().replace("$PORT", str(self.port))
        commands = dict(line.split(":", 1) for line in procfile.splitlines())
        for name in names:
            command = shlex.split(commands[name])
            self.processes[name] = Process(name, command, self.environment, self.folder)
        if "web" in names:
            wait_for(self._answers, "the web process")

    def _answers(self) -> bool:
        self.processes["web"].check_alive()
        try:
            self.get("/")
        except HTTPError:
            return True
        except OSError:
            return False
        return True

    def stop(self) -> None:
        for process in self.processes.values():
            process.ask_to_stop()
        for process in self.processes.values():
            process.wait_or_kill()
        self.processes.clear()

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def __enter__(self) -> House:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.stop()

    # --- Asking it -------------------------------------------------------------------

    def manage(self, *arguments: str) -> str:
        """A command, and what it says."""
        return self._run([sys.executable, "manage.py", *arguments])

    def python(self, code: str, *arguments: object) -> Any:
        """Runs it in a process of the house; what it assigns to `answer` comes back."""
        whole = f"{SETUP}{code}\nprint(json.dumps(answer, default=str))"
        said = self._run([sys.executable, "-c", whole, *map(str, arguments)])
        return json.loads(said.splitlines()[-1])

    def _run(self, command: list[str]) -> str:
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def get(self, path: str, **headers: str) -> str:
        """The page. Raises HTTPError where the answer is no page."""
        with urlopen(Request(self.url + path, headers=headers), timeout=20) as answer:
            return str(answer.read().decode())

    def post(self, path: str, **fields: str) -> tuple[int, str]:
        """Status and page, whatever they are."""
        body = urlencode(fields).encode()
        try:
            with urlopen(Request(self.url + path, data=body), timeout=20) as answer:
                return int(answer.status), str(answer.read().decode())
        except HTTPError as error:
            return error.code, error.read().decode()
