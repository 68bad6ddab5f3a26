"""Celery's filesystem broker, but for three things.

A file is there only once it is whole: kombu's own opens a message's file and then writes it. A
worker that looks in between reads an empty message, and ends.

And it works with Celery's event loop, as Redis does. Without it all children of a worker share one
pipe and one lock: whichever is killed while it waits takes the lock with it, and none of them gets
a task again.

And each connection binds its queues in its own folder. kombu's own remembers for the whole process
what was bound, in whichever folder: a second folder, or the first one emptied, stays without a
table of queues, and what is sent there is dropped without a word.
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
    """Writes beside, then moves."""

    def _put(  # type: ignore[override]  # kombu's own differs from its base in the same way
        self, queue: str, payload: dict[str, Any], **_kwargs: Any
    ) -> None:
        name = f"{round(time.monotonic() * 1000)}_{uuid.uuid4()}.{queue}.msg"
        with _whole(Path(self.data_folder_out, name), payload) as written:
            written.rename(Path(self.data_folder_out, name))

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str | None, queue: str) -> None:
        table = self.control_folder / f"{exchange}.exchange"
        table.parent.mkdir(exist_ok=True)
        if not table.exists():
            # Whoever comes second finds the first one's.
            with _whole(table, []) as written, contextlib.suppress(FileExistsError):
                os.link(written, table)
        super()._queue_bind(exchange, routing_key, pattern, queue)


@contextlib.contextmanager
def _whole(path: Path, content: object) -> Any:
    """A file of that content beside the path, gone afterwards. Raises ChannelError."""
    beside = path.with_name(f"{uuid.uuid4()}.part")
    try:
        beside.write_text(json.dumps(content), encoding="utf-8")
        yield beside
    except OSError as error:
        raise ChannelError(f"Cannot write {path}") from error
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)


class Transport(filesystem.Transport):
    """What BROKER_URL calls filesystem."""

    Channel = Channel
    implements = filesystem.Transport.implements.extend(asynchronous=True)

    def __init__(self, client: Any, **options: Any) -> None:
        super().__init__(client, **options)
        self.state = BrokerState()

    def register_with_event_loop(self, connection: Any, loop: Any) -> None:
        """Looks into the folder as often as without a loop."""
        loop.call_repeatedly(self.polling_interval, self.take_what_is_there, connection)

    def take_what_is_there(self, connection: Any) -> None:
        """As many messages as the worker wants just now. Raises ConnectionLost."""
        try:
            while True:
                self.drain_events(connection, timeout=0)
        except TimeoutError:
            return
        except OSError as error:
            # Of what a loop's timer raises only this ends the loop, and the worker tries again.
            raise ConnectionLost("The folder of messages cannot be read") from error
