"""The broker of files: what a worker sees is whole, whenever it looks."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kombu import Connection, Exchange, Queue
from kombu.exceptions import ChannelError
from kombu.exceptions import ConnectionError as ConnectionLost

from newsroom import filesystem_broker


def options(folder: Path) -> dict[str, Any]:
    return {
        "data_folder_in": str(folder),
        "data_folder_out": str(folder),
        "control_folder": str(folder / "control"),
        "polling_interval": 0.05,
    }


@pytest.fixture
def channel(tmp_path: Path) -> Iterator[filesystem_broker.Channel]:
    with Connection("filesystem://localhost", transport_options=options(tmp_path)) as connection:
        yield connection.default_channel


def test_the_brokers_name_in_the_settings_is_ours(channel: Any) -> None:
    assert type(channel) is filesystem_broker.Channel


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


def test_one_process_sends_into_two_folders_and_into_one_that_was_emptied(tmp_path: Path) -> None:
    queue = Queue("newsroom", Exchange("newsroom"), "newsroom")
    for folder in ("one", "two", "one"):
        shutil.rmtree(tmp_path / folder, ignore_errors=True)
        Path(tmp_path, folder).mkdir()
        with Connection(
            "filesystem://localhost", transport_options=options(tmp_path / folder)
        ) as c:
            c.Producer().publish({"in": folder}, "newsroom", exchange="newsroom", declare=[queue])
        table, message = what_is_there(tmp_path / folder)
        assert table == [["newsroom", "", "newsroom"]]
        assert message["properties"]["delivery_info"]["exchange"] == "newsroom"


def test_the_event_loop_receives_messages_and_the_loss_of_the_folder(
    tmp_path: Path,
) -> None:
    got, repeated = [], []
    with Connection("filesystem://localhost", transport_options=options(tmp_path)) as connection:
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
            take(*about)
            assert sorted(got) == ["one", "two"]
            tmp_path.rename(tmp_path.with_name("away"))
            with pytest.raises(ConnectionLost, match="cannot be read"):
                take(*about)
            tmp_path.with_name("away").rename(tmp_path)
