"""The worker's keys change, go on paper and come back, and are destroyed."""

from __future__ import annotations

import hmac
import os
import random
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

from keys import destruction, keyring, paper_backup, sealing
from keys.paper_backup import PaperBackupError
from keys.sealing import DecryptionError, KeyNotFound
from tests.services import fill_disk

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def keys(fresh_keys: Path) -> Path:
    """These are changed and destroyed here."""
    return fresh_keys


def rotate(folder: Path) -> int:
    number = keyring.add_generation(folder / "worker.key")
    keyring.renew_intake_key(folder / "worker.key", folder / "intake.pub")
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
    with pytest.raises(DecryptionError):
        before.open_intake(sealing.seal_intake(b"b", "p"), "p")


def test_a_hash_can_be_carried_on_for_good_though_its_generation_is_dropped(keys: Path) -> None:
    first = sealing.worker_keys().hash_address("a@example.org", 1)
    rotate(keys)
    second = sealing.worker_keys().advance_hash(first, 1, 2)
    rotate(keys)
    assert keyring.drop_generations_before(keys / "worker.key", 3) == [1, 2]
    now = sealing.worker_keys()
    third = now.hash_address("a@example.org", 3)
    assert now.hash_address("a@example.org", 1) == first
    assert now.advance_hash(first, 1, 3) == now.advance_hash(second, 2, 3) == third
    assert len({first, second, third}) == 3


def test_an_older_file_computes_no_newer_hash(keys: Path) -> None:
    older = sealing.worker_keys()
    rotate(keys)
    newer = sealing.worker_keys()
    with pytest.raises(KeyNotFound, match="no generation 2"):
        older.hash_address("a@example.org", 2)
    with pytest.raises(KeyNotFound, match="no generation 2"):
        older.advance_hash(b"h" * 32, 1, 2)
    # Nor does what it has lead to the newer key.
    assert newer.hash_keys[2] not in {*older.hash_keys.values(), *older.secrets.values()}
    assert newer.hash_address("a@example.org", 1) == older.hash_address("a@example.org", 1)


def test_a_file_from_before_hashes_had_generations_is_taken_as_it_is(keys: Path) -> None:
    secret, hash_key = b"3" * 32, b"h" * 32
    lines = f"3:{sealing.encode_key(secret)}\nhash:{sealing.encode_key(hash_key)}\n"
    (keys / "worker.key").write_text(lines)
    found = sealing.worker_keys()
    expected = hmac.digest(hash_key, b"a@example.org", "sha256")
    assert found.hash_address("a@example.org", found.hash_generation) == expected
    rotate(keys)
    assert sealing.worker_keys().hash_keys.keys() == {1, 4}
    keyring.drop_generations_before(keys / "worker.key", 4)
    assert sealing.worker_keys().hash_address("a@example.org", 1) == expected
    # A file that was never rotated has no line for it.
    (keys / "worker.key").write_text(f"1:{sealing.encode_key(secret)}\n")
    assert sealing.worker_keys().hash_keys == {1: sealing.derive_hash_key(secret)}


def test_a_dropped_generation_decrypts_nothing(keys: Path) -> None:
    sealed = sealing.worker_keys().seal_address("a@example.org", 7)
    rotate(keys)
    keyring.drop_generations_before(keys / "worker.key", 2)
    with pytest.raises(KeyNotFound, match="no generation 1"):
        sealing.worker_keys().open_address(sealed, 7, 1)
    assert keyring.drop_generations_before(keys / "worker.key", 2) == []


def test_a_rotation_that_fails_leaves_the_file_as_it_was(
    keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (keys / "worker.key").read_bytes()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            rotate(keys)
    assert (keys / "worker.key").read_bytes() == before
    assert sorted(path.name for path in keys.iterdir()) == ["intake.pub", "links.key", "worker.key"]


@pytest.mark.django_db
def test_a_disk_without_a_byte_left_keeps_the_keys_it_has(
    small_disk: Path, settings: Settings
) -> None:
    files = [small_disk / name for name in ("worker.key", "intake.pub", "links.key")]
    settings.WORKER_KEY_FILE, settings.INTAKE_KEY_FILE, settings.LINKS_KEY_FILE = files
    sealing.make_keys(*files)
    before = {path: path.read_bytes() for path in files}
    ballast = fill_disk(small_disk)
    with pytest.raises(CommandError, match=r"No space left.* is as it was"):
        call_command("rotate_keys")
    assert {path: path.read_bytes() for path in files} == before
    assert sorted(small_disk.iterdir()) == sorted([*files, ballast])
    ballast.unlink()
    call_command("rotate_keys")
    ballast = fill_disk(small_disk)
    with pytest.raises(CommandError, match="cannot be written: No space left"):
        call_command("reencrypt_list")
    assert files[1].read_bytes() == before[files[1]]
    assert sealing.worker_keys().generation == 2


def test_the_files_owner_stays(keys: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may give a file away")
    os.chown(keys / "worker.key", 12345, 12345)
    rotate(keys)
    found = (keys / "worker.key").stat()
    assert (found.st_uid, found.st_gid) == (12345, 12345)


def test_a_failed_chown_leaves_the_key_file_unchanged(
    keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the worker could no longer read its own key."""
    before = (keys / "worker.key").read_bytes()
    theirs = mock.Mock(wraps=os.stat_result, st_uid=12345, st_gid=12345, st_mode=0o100600)

    def refused(*_about: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fstat", lambda _descriptor: theirs)
        patch.setattr(os, "fchown", refused)
        with pytest.raises(PermissionError):
            rotate(keys)
    assert (keys / "worker.key").read_bytes() == before
    assert not (keys / ".worker.key.new").exists()


def test_a_link_to_another_disk_stays_one(keys: Path, tmp_path: Path) -> None:
    encrypted = tmp_path / "encrypted"
    encrypted.mkdir()
    (keys / "worker.key").rename(encrypted / "worker.key")
    (keys / "worker.key").symlink_to(encrypted / "worker.key")
    rotate(keys)
    assert (keys / "worker.key").is_symlink()
    assert "2:" in (encrypted / "worker.key").read_text()
    assert sealing.worker_keys().generation == 2


def test_the_files_mode_stays(keys: Path) -> None:
    (keys / "intake.pub").chmod(0o644)
    rotate(keys)
    assert (keys / "worker.key").stat().st_mode & 0o777 == 0o600
    assert (keys / "intake.pub").stat().st_mode & 0o777 == 0o644


def test_rotation_needs_the_worker_key(without_worker_key: None) -> None:
    for command in ("rotate_keys", "restore_keys"):
        with pytest.raises(CommandError, match="where WORKER_KEY_FILE is set"):
            call_command(command)


# --- Paper -----------------------------------------------------------------------------


def page(capsys: pytest.CaptureFixture[str]) -> str:
    call_command("print_key_backup", "--into-a-file")
    return capsys.readouterr().out


def test_keys_restored_from_paper_decrypt_the_list(
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
    rows = [number for number, line in enumerate(lines) if paper_backup.LINE.match(line)]
    dice = random.Random(7)
    missed = 0
    for number in rows:
        label, rest = lines[number][:6], lines[number][6:]
        letters = [
            at for at, letter in enumerate(rest) if letter in paper_backup.CROCKFORD_ALPHABET
        ]
        at = dice.choice(letters)
        wrong = dice.choice(paper_backup.CROCKFORD_ALPHABET.replace(rest[at], ""))
        typed = [*lines]
        typed[number] = label + rest[:at] + wrong + rest[at + 1 :]
        with pytest.raises(PaperBackupError) as told:
            paper_backup.from_lines(typed)
        missed += label.strip() not in str(told.value)
    # Two letters of a check miss one error in a thousand; then the last line finds it.
    assert missed == 0


def test_a_line_that_is_missing_or_swapped_is_noticed(capsys: pytest.CaptureFixture[str]) -> None:
    lines = page(capsys).splitlines()
    rows = [number for number, line in enumerate(lines) if paper_backup.LINE.match(line)]
    for number in rows:
        with pytest.raises(PaperBackupError):
            paper_backup.from_lines(lines[:number] + lines[number + 1 :])
    swapped = [*lines]
    first, second = rows[0], rows[1]
    swapped[first] = lines[first][:6] + lines[second][6:]
    with pytest.raises(PaperBackupError, match="typing error"):
        paper_backup.from_lines(swapped)
    with pytest.raises(PaperBackupError, match="missing"):
        paper_backup.from_lines(["nothing"])


def test_a_page_from_before_hashes_had_generations_is_taken_as_it_is() -> None:
    printed = """
        W1.1  64RK 2C9H 64RK 2C9H 64RK  GF
        W1.2  2C9H 64RK 2C9H 64RK 2C9H  0M
        W1.3  64RK 2C9H 64RG  63
        H.1   D1M6 GT38 D1M6 GT38 D1M6  07
        H.2   GT38 D1M6 GT38 D1M6 GT38  Y6
        H.3   D1M6 GT38 D1M0  WA
        L.1   DHP6 RV3C DHP6 RV3C DHP6  N0
        L.2   RV3C DHP6 RV3C DHP6 RV3C  03
        L.3   DHP6 RV3C DHP6 RV3C DHP6  5X
        L.4   RV3C DHP6 RV3C DHP6 RV3C  VA
        L.5   DHP6 RV3C DHP6 RV3C DHP6  34
        L.6   RV0  B9
        ALL   WN3G QSFR
    """
    wanted = paper_backup.BackupKeys({1: b"1" * 32}, {1: b"h" * 32}, b"l" * 64)
    assert paper_backup.from_lines(printed.splitlines()) == wanted


def test_a_page_of_before_a_rotation_adds_its_generation_to_the_file(
    keys: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """So that a backup of that time opens, and what has happened since is known."""
    sealed = sealing.worker_keys().seal_address("a@example.org", 7)
    typed = tmp_path / "typed"
    typed.write_text(page(capsys))
    rotate(keys)
    keyring.drop_generations_before(keys / "worker.key", 2)
    newer, intake = sealing.worker_keys(), (keys / "intake.pub").read_text()
    call_command("restore_keys", typed)
    both = sealing.worker_keys()
    assert both.open_address(sealed, 7, 1) == "a@example.org"
    assert both.generation == 2
    assert both.hash_keys == newer.hash_keys
    assert (keys / "intake.pub").read_text() == intake


def test_a_page_of_keys_that_were_rotated_apart_is_refused(
    keys: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    before, typed = (keys / "worker.key").read_text(), tmp_path / "typed"
    rotate(keys)
    typed.write_text(page(capsys))
    (keys / "worker.key").write_text(before)
    rotate(keys)
    with pytest.raises(CommandError, match="is another key"):
        call_command("restore_keys", typed)


def test_another_key_that_is_there_is_never_overwritten(
    keys: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    typed = tmp_path / "typed"
    typed.write_text(page(capsys))
    call_command("restore_keys", typed)  # The same ones: fine.
    (keys / "worker.key").write_text(f"1:{sealing.encode_key(b'x' * 32)}")
    with pytest.raises(CommandError, match="is another key"):
        call_command("restore_keys", typed)
    (keys / "worker.key").write_text("half a key")
    call_command("restore_keys", typed)
    assert sealing.worker_keys().generation == 1
    # Somebody may still make something of it.
    assert (keys / "worker.key.damaged-1").read_text() == "half a key"


def test_keys_are_not_printed_into_a_file_by_accident(keys: Path, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "WORKER_KEY_FILE": str(keys / "worker.key"),
        "LINKS_KEY_FILE": str(keys / "links.key"),
        "INTAKE_KEY_FILE": str(keys / "intake.pub"),
    }
    command = [sys.executable, "manage.py", "print_key_backup"]
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
        [sys.executable, "-m", "keys.destruction", str(keys)],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "DATABASE_URL": "rubbish"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert list(keys.iterdir()) == []
    nothing = subprocess.run(
        [sys.executable, "-m", "keys.destruction", str(keys)], cwd=ROOT, capture_output=True
    )
    assert nothing.returncode == 1


def test_the_key_that_opens_the_list_goes_first_and_its_copies_with_it(
    keys: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in ("worker.key.damaged-1", "old-worker.key", ".worker.key.swp"):
        (keys / name).write_text("a copy")
    for name in ("secret", "secret.bak", "unrelated"):
        (elsewhere / name).write_text("a copy under another name")
    found = destruction.find_key_files([keys / "links.key", keys, elsewhere / "secret"])
    names = [path.name for path in found]
    assert names[:2] == ["secret", "secret.bak"]
    assert names[2] == "worker.key"
    assert set(names[3:6]) == {"worker.key.damaged-1", "old-worker.key", ".worker.key.swp"}
    assert names[6:] == ["links.key", "intake.pub"]


def test_a_folder_that_cannot_be_listed_keeps_no_key_alive(
    keys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir()
    (closed / "links.key").write_text("within reach by its name")
    names_in = os.listdir

    def refused(folder: Path) -> list[str]:
        if folder == closed:
            raise PermissionError(13, "Permission denied")
        return names_in(folder)

    with monkeypatch.context() as patch:
        patch.setattr(os, "listdir", refused)
        found = destruction.find_key_files([closed, keys])
    assert {keys / "worker.key", closed / "links.key"} <= set(found)


def test_destroying_a_symbolic_link_destroys_its_target(keys: Path, tmp_path: Path) -> None:
    encrypted = tmp_path / "encrypted"
    encrypted.mkdir()
    (keys / "worker.key").rename(encrypted / "worker.key")
    (keys / "worker.key").symlink_to(encrypted / "worker.key")
    (encrypted / "worker.key.bak").write_text("a careless copy")
    assert destruction.destroy_files(destruction.find_key_files([keys / "worker.key"])) == []
    assert list(encrypted.iterdir()) == []
    assert not (keys / "worker.key").is_symlink()


def test_a_destroyed_keys_bytes_are_overwritten_before_truncation(
    keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = (keys / "worker.key").read_bytes()
    # A second name for the same bytes on the disk shows what is left of them.
    same = keys.parent / "the same file"
    os.link(keys / "worker.key", same)
    seen: list[bytes] = []
    truncate = os.ftruncate

    def looks_first(descriptor: int, length: int) -> None:
        seen.append(same.read_bytes())
        truncate(descriptor, length)

    with monkeypatch.context() as patch:
        patch.setattr(os, "ftruncate", looks_first)
        assert destruction.destroy_files([keys / "worker.key"]) == []
    # Random bytes share some with any text by chance, but not four places in a row.
    assert len(seen[0]) == len(secret)
    assert not any(secret[at : at + 4] in seen[0] for at in range(len(secret) - 3))
    assert same.read_bytes() == b""


def test_a_process_that_had_the_key_loses_it(keys: Path) -> None:
    sealing.worker_keys()
    (keys / "worker.key").unlink()
    with pytest.raises(KeyNotFound):
        sealing.worker_keys()
    assert not [place for place in sealing._loaded if place[0] == keys / "worker.key"]
