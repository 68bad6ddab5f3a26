"""The broker of files: what a worker sees is whole, whenever it looks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kombu import Connection, Exchange, Queue
from kombu.exceptions import ChannelError
from kombu.exceptions import ConnectionError as ConnectionLost

from newsroom import filebroker
from tests.services import wait_for


@pytest.fixture
def channel(tmp_path: Path) -> Iterator[filebroker.Channel]:
    options = {
        "data_folder_in": str(tmp_path),
        "data_folder_out": str(tmp_path),
        "control_folder": str(tmp_path / "control"),
    }
    with Connection("filesystem://localhost", transport_options=options) as connection:
        yield connection.default_channel


def test_the_brokers_name_in_the_settings_is_ours(channel: Any) -> None:
    assert type(channel) is filebroker.Channel


def test_a_message_comes_out_as_it_went_in(channel: Any) -> None:
    channel._put("newsroom", {"body": "тэкст", "headers": {"id": 7}})
    assert channel._size("newsroom") == 1
    assert channel._get("newsroom") == {"body": "тэкст", "headers": {"id": 7}}
    assert channel._size("newsroom") == 0


def test_a_file_is_never_seen_before_it_is_whole(
    channel: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody looks each time when half of it is written."""
    write, seen = Path.write_text, []

    def halting(path: Path, text: str, **more: Any) -> int:
        write(path, text[: len(text) // 2], **more)
        seen.append(what_is_there(tmp_path))
        return write(path, text, **more)

    monkeypatch.setattr(Path, "write_text", halting)
    channel._queue_bind("newsroom", "newsroom", "", "newsroom")
    for number in range(2):
        channel._put("newsroom", {"body": number})
    table = [["newsroom", "", "newsroom"]]
    assert seen == [[], [table], [table, {"body": 0}]]
    assert what_is_there(tmp_path) == [table, {"body": 0}, {"body": 1}]
    assert not list(tmp_path.rglob("*.part"))


def what_is_there(folder: Path) -> list[Any]:
    """As a worker reads it."""
    paths = [*folder.glob("control/*.exchange"), *folder.glob("*.msg")]
    # In any order: the names of two files of one millisecond say nothing of theirs.
    return sorted((json.loads(path.read_text()) for path in paths), key=str)


def test_a_folder_that_is_gone_is_said_as_the_brokers_fault(channel: Any, tmp_path: Path) -> None:
    channel.data_folder_out = str(tmp_path / "gone")
    with pytest.raises(ChannelError, match="Cannot write"):
        channel._put("newsroom", {"body": 1})


def test_celerys_event_loop_gets_what_is_there_and_hears_of_a_folder_that_is_gone(
    tmp_path: Path,
) -> None:
    folders = {name: str(tmp_path) for name in ("data_folder_in", "data_folder_out")}
    options = {**folders, "control_folder": str(tmp_path / "control"), "polling_interval": 0.05}
    got, repeated = [], []
    with Connection("filesystem://localhost", transport_options=options) as connection:
        transport: Any = connection.transport
        assert transport.implements.asynchronous
        loop = SimpleNamespace(call_repeatedly=lambda *about: repeated.append(about))
        transport.register_with_event_loop(connection.connection, loop)
        [(seconds, take, *about)] = repeated
        assert seconds == 0.05
        take(*about)
        queue = Queue("newsroom", Exchange("newsroom"), "newsroom")
        hear = [lambda body, message: (got.append(body), message.ack())]
        with connection.Consumer(queue, callbacks=hear):
            for body in ("one", "two"):
                connection.Producer().publish(body, "newsroom", exchange="newsroom")

            def all_there() -> bool:
                take(*about)
                return sorted(got) == ["one", "two"]

            # As the loop does: what one look finds locked, the next one finds.
            wait_for(all_there, "both messages")
            tmp_path.rename(tmp_path.with_name("away"))
            with pytest.raises(ConnectionLost, match="cannot be read"):
                take(*about)
            tmp_path.with_name("away").rename(tmp_path)
