"""kombu's filesystem transport, with three differences.

- Messages are written atomically: kombu opens a message's file before it writes it, and a worker
  that reads it meanwhile exits.
- It supports Celery's event loop, as Redis does. Without it a worker's children share one pipe and
  one lock, which a killed child never releases.
- Each connection has its own BrokerState. kombu's is shared by the process, so that a second or an
  emptied folder has no table of queues and its messages are dropped.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
import uuid
from pathlib import Path
from typing import Any

from kombu.exceptions import ChannelError
from kombu.exceptions import ConnectionError as ConnectionLost
from kombu.transport import filesystem
from kombu.transport.virtual import BrokerState


class Channel(filesystem.Channel):
    """Writes a temporary file, then renames it."""

    def _put(  # type: ignore[override]  # kombu's own differs from its base in the same way
        self, queue: str, payload: dict[str, Any], **_kwargs: Any
    ) -> None:
        name = f"{round(time.monotonic() * 1000)}_{uuid.uuid4()}.{queue}.msg"
        with _temporary_file(Path(self.data_folder_out, name), payload) as temporary:
            temporary.rename(Path(self.data_folder_out, name))

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str | None, queue: str) -> None:
        table = self.control_folder / f"{exchange}.exchange"
        table.parent.mkdir(exist_ok=True)
        if not table.exists():
            # Another process may have created it meanwhile.
            with _temporary_file(table, []) as temporary, contextlib.suppress(FileExistsError):
                os.link(temporary, table)
        super()._queue_bind(exchange, routing_key, pattern, queue)


@contextlib.contextmanager
def _temporary_file(path: Path, content: object) -> Any:
    """A complete file next to the path, removed at the end. Raises ChannelError."""
    temporary = path.with_name(f"{uuid.uuid4()}.part")
    try:
        temporary.write_text(json.dumps(content), encoding="utf-8")
        yield temporary
    except OSError as error:
        raise ChannelError(f"Cannot write {path}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


class Transport(filesystem.Transport):
    """For BROKER_URL=filesystem://."""

    Channel = Channel
    implements = filesystem.Transport.implements.extend(asynchronous=True)

    def __init__(self, client: Any, **options: Any) -> None:
        super().__init__(client, **options)
        self.state = BrokerState()

    def register_with_event_loop(self, connection: Any, loop: Any) -> None:
        """Polls the folder as often as without an event loop."""
        loop.call_repeatedly(self.polling_interval, self.receive_available, connection)

    def receive_available(self, connection: Any) -> None:
        """Receives as many messages as the worker accepts. Raises ConnectionLost."""
        try:
            while True:
                self.drain_events(connection, timeout=0)
        except TimeoutError:
            return
        except OSError as error:
            # The event loop ignores any other exception; this one makes the worker reconnect.
            raise ConnectionLost("The folder of messages cannot be read") from error
