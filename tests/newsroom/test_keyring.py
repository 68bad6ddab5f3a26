"""The worker's keys change, go on paper and come back, and are destroyed."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from newsroom import keyring, paper, sealing
from newsroom.paper import PaperBroken
from newsroom.sealing import KeyMissing, SealBroken

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def keys(fresh_keys: Path) -> Path:
    """These are changed and destroyed here."""
    return fresh_keys


def rotate(folder: Path) -> int:
    number = keyring.add_generation(folder / "worker.key")
    keyring.renew_intake(folder / "worker.key", folder / "intake.pub")
    return number


def test_a_running_process_sees_a_new_generation_without_being_started_again(keys: Path) -> None:
    before = sealing.worker_keys()
    old = sealing.seal_intake(b"a", "p")
    sealed = before.seal_address("a@example.org", 7)
    assert rotate(keys) == 2
    after = sealing.worker_keys()
    assert after.generation == 2
    assert after.open_address(sealed, 7, 1) == "a@example.org"
    assert after.open_intake(old, "p") == b"a"
    assert after.open_intake(sealing.seal_intake(b"b", "p"), "p") == b"b"
    with pytest.raises(SealBroken):
        before.open_intake(sealing.seal_intake(b"b", "p"), "p")


def test_the_hash_of_an_address_outlives_every_generation(keys: Path) -> None:
    mark = sealing.worker_keys().hash_address("a@example.org")
    rotate(keys)
    rotate(keys)
    assert keyring.drop_older(keys / "worker.key", 3) == [1, 2]
    assert sealing.worker_keys().hash_address("a@example.org") == mark
    rotate(keys)
    assert sealing.worker_keys().hash_address("a@example.org") == mark


def test_what_was_dropped_opens_nothing_any_more(keys: Path) -> None:
    sealed = sealing.worker_keys().seal_address("a@example.org", 7)
    rotate(keys)
    keyring.drop_older(keys / "worker.key", 2)
    with pytest.raises(KeyMissing, match="no generation 1"):
        sealing.worker_keys().open_address(sealed, 7, 1)
    assert keyring.drop_older(keys / "worker.key", 2) == []


def test_a_rotation_that_fails_leaves_the_file_as_it_was(
    keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (keys / "worker.key").read_bytes()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(CommandError, match="is as it was"):
            call_command("rotate_keys")
    assert (keys / "worker.key").read_bytes() == before
    assert sorted(path.name for path in keys.iterdir()) == ["intake.pub", "links.key", "worker.key"]


def test_the_files_mode_stays(keys: Path) -> None:
    (keys / "intake.pub").chmod(0o644)
    rotate(keys)
    assert (keys / "worker.key").stat().st_mode & 0o777 == 0o600
    assert (keys / "intake.pub").stat().st_mode & 0o777 == 0o644


def test_who_is_not_given_the_workers_key_cannot_rotate(without_worker_key: None) -> None:
    for command in ("rotate_keys", "restore_keys"):
        with pytest.raises(CommandError, match="where WORKER_KEY_FILE is set"):
            call_command(command)


# --- Paper -----------------------------------------------------------------------------


def page(capsys: pytest.CaptureFixture[str]) -> str:
    call_command("print_keys", "--into-a-file")
    return capsys.readouterr().out


def test_what_was_printed_and_typed_in_again_opens_the_list(
    keys: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    rotate(keys)
    sealed = sealing.worker_keys().seal_address("a@example.org", 7)
    files = {path.name: path.read_text() for path in keys.iterdir()}
    typed = tmp_path / "typed"
    typed.write_text(page(capsys).lower().replace("0", "o").replace("1", "l"))
    for path in keys.iterdir():
        path.unlink()
    call_command("restore_keys", typed)
    assert {path.name: path.read_text() for path in keys.iterdir()} == files
    assert sealing.worker_keys().open_address(sealed, 7, 2) == "a@example.org"


def test_a_typing_error_is_named_by_its_line(
    keys: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = page(capsys).splitlines()
    rows = [number for number, line in enumerate(lines) if paper.LINE.match(line)]
    dice = random.Random(7)
    missed = 0
    for number in rows:
        label, rest = lines[number][:6], lines[number][6:]
        letters = [at for at, letter in enumerate(rest) if letter in paper.LETTERS]
        at = dice.choice(letters)
        wrong = dice.choice(paper.LETTERS.replace(rest[at], ""))
        typed = [*lines]
        typed[number] = label + rest[:at] + wrong + rest[at + 1 :]
        with pytest.raises(PaperBroken) as told:
            paper.read(typed)
        missed += label.strip() not in str(told.value)
    # Two letters of a check miss one error in a thousand; then the last line finds it.
    assert missed == 0


def test_a_line_that_is_missing_or_swapped_is_noticed(capsys: pytest.CaptureFixture[str]) -> None:
    lines = page(capsys).splitlines()
    rows = [number for number, line in enumerate(lines) if paper.LINE.match(line)]
    for number in rows:
        with pytest.raises(PaperBroken):
            paper.read(lines[:number] + lines[number + 1 :])
    swapped = [*lines]
    first, second = rows[0], rows[1]
    swapped[first] = lines[first][:6] + lines[second][6:]
    with pytest.raises(PaperBroken, match="typing error"):
        paper.read(swapped)
    with pytest.raises(PaperBroken, match="missing"):
        paper.read(["nothing"])


def test_another_key_that_is_there_is_never_overwritten(
    keys: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    typed = tmp_path / "typed"
    typed.write_text(page(capsys))
    call_command("restore_keys", typed)  # The same ones: fine.
    rotate(keys)
    with pytest.raises(CommandError, match="is another key"):
        call_command("restore_keys", typed)
    (keys / "worker.key").write_text("rubbish")
    call_command("restore_keys", typed)
    assert sealing.worker_keys().generation == 1


def test_keys_are_not_printed_into_a_file_by_accident(keys: Path, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "WORKER_KEY_FILE": str(keys / "worker.key"),
        "LINKS_KEY_FILE": str(keys / "links.key"),
        "INTAKE_KEY_FILE": str(keys / "intake.pub"),
    }
    command = [sys.executable, "manage.py", "print_keys"]
    with (tmp_path / "page").open("w") as file:
        refused = subprocess.run(
            command, cwd=ROOT, env=environment, stdout=file, stderr=subprocess.PIPE, text=True
        )
    assert refused.returncode != 0
    assert "would keep the keys" in refused.stderr
    assert not (tmp_path / "page").read_text()
    piped = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert "W1.1" in piped.stdout


# --- Destroying ------------------------------------------------------------------------


def test_keys_are_destroyed_without_django_and_whatever_is_broken(keys: Path) -> None:
    (keys / ".worker.key.new").write_text("left by a rotation")
    (keys / "worker.key.bak").write_text("a careless copy")
    # A broken setting keeps manage.py from starting; this needs none.
    done = subprocess.run(
        [sys.executable, "-m", "newsroom.shredding", str(keys)],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "DATABASE_URL": "rubbish"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert list(keys.iterdir()) == []
    nothing = subprocess.run(
        [sys.executable, "-m", "newsroom.shredding", str(keys)], cwd=ROOT, capture_output=True
    )
    assert nothing.returncode == 1


def test_a_destroyed_keys_bytes_are_overwritten_before_they_are_let_go(keys: Path) -> None:
    secret = (keys / "worker.key").read_bytes()
    # A second name for the same bytes on the disk shows what is left of them.
    os.link(keys / "worker.key", keys.parent / "the same file")
    subprocess.run([sys.executable, "-m", "newsroom.shredding", str(keys)], cwd=ROOT, check=True)
    assert secret not in (keys.parent / "the same file").read_bytes()


def test_a_process_that_had_the_key_loses_it(keys: Path) -> None:
    sealing.worker_keys()
    (keys / "worker.key").unlink()
    with pytest.raises(KeyMissing):
        sealing.worker_keys()
    assert not [place for place in sealing._loaded if place[0] == keys / "worker.key"]
