"""Who can open what."""

import base64
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from keys import sealing
from keys.sealing import DecryptionError, KeyNotFound
from newsletter.subscribers import addresses


def test_only_a_worker_decrypts_what_the_web_process_encrypts() -> None:
    sealed = sealing.seal_intake(b"somebody@example.org", "sign-up")
    assert b"somebody" not in sealed
    assert sealing.worker_keys().open_intake(sealed, "sign-up") == b"somebody@example.org"


def test_the_web_process_cannot_decrypt_what_it_encrypted(without_worker_key: None) -> None:
    sealing.seal_intake(b"somebody@example.org", "sign-up")
    with pytest.raises(KeyNotFound, match="was not given the worker's key"):
        sealing.worker_keys()


def test_a_seal_is_good_for_its_purpose_only() -> None:
    sealed = sealing.seal_intake(b"x", "sign-up")
    with pytest.raises(DecryptionError):
        sealing.worker_keys().open_intake(sealed, "upload")


def test_a_seal_of_the_list_is_bound_to_its_row() -> None:
    keys = sealing.worker_keys()
    sealed = keys.seal_address("somebody@example.org", 7)
    assert keys.open_address(sealed, 7, keys.generation) == "somebody@example.org"
    with pytest.raises(DecryptionError):
        keys.open_address(sealed, 8, keys.generation)


def test_another_secret_decrypts_nothing(tmp_path: Path) -> None:
    sealed = sealing.worker_keys().seal_address("somebody@example.org", 7)
    stranger = sealing.WorkerKeys({1: os.urandom(32)})
    with pytest.raises(DecryptionError):
        stranger.open_address(sealed, 7, 1)
    ours = sealing.worker_keys().hash_address("a@example.org", 1)
    assert stranger.hash_address("a@example.org", 1) != ours


def test_every_sealed_address_is_as_long_as_the_longest_that_there_may_be() -> None:
    keys = sealing.worker_keys()
    longest = f"{'a' * 64}@{'b' * 185}.org"
    assert len(longest) == addresses.MAX_ADDRESS_LENGTH
    for address in ("a@b.by", "somebody@example.org", longest):
        sealed = keys.seal_address(address, 7)
        assert len(sealed) == sealing.SEALED_ADDRESS_BYTES
        assert keys.open_address(sealed, 7, keys.generation) == address
    with pytest.raises(ValueError, match="too long"):
        keys.seal_address(f"{longest}{'c' * 3}", 7)


def test_an_address_that_was_sealed_unpadded_still_opens(
    seal_without_padding: Callable[[str, int], bytes],
) -> None:
    keys = sealing.worker_keys()
    assert keys.open_address(seal_without_padding("a@example.org", 7), 7, 1) == "a@example.org"


def test_an_older_generation_still_decrypts() -> None:
    old = sealing.WorkerKeys({1: b"1" * 32})
    both = sealing.WorkerKeys({1: b"1" * 32, 2: b"2" * 32})
    assert both.open_address(old.seal_address("a@example.org", 1), 1, 1) == "a@example.org"
    with pytest.raises(KeyNotFound, match="generation 2"):
        old.open_address(both.seal_address("a@example.org", 1), 1, both.generation)


def test_keys_are_made_once_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    paths = [tmp_path / "keys" / name for name in ("worker.key", "intake.pub", "links.key")]
    assert sealing.make_keys(*paths) == paths
    before = [path.read_bytes() for path in paths]
    assert sealing.make_keys(*paths) == []
    assert [path.read_bytes() for path in paths] == before
    assert all(path.stat().st_mode & 0o077 == 0 for path in paths)


def test_a_lost_worker_key_is_not_silently_replaced(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("worker.key", "intake.pub", "links.key")]
    sealing.make_keys(*paths)
    paths[0].unlink()
    with pytest.raises(KeyNotFound, match="Put the worker's key back"):
        sealing.make_keys(*paths)


A_KEY = base64.b64encode(b"k" * 32).decode()


@pytest.mark.parametrize(
    "damage",
    [
        *(
            "",
            "1:",
            "1:short",
            "nonsense",
            f"x:{A_KEY}",
            f"hash:{A_KEY}",
            f"1:{A_KEY} hash-:{A_KEY}",
        ),
        f"1:{A_KEY} hash-2:{A_KEY}",
        "ключ",
    ],
)
def test_a_damaged_key_has_a_clear_error(settings: Settings, tmp_path: Path, damage: str) -> None:
    settings.WORKER_KEY_FILE = tmp_path / "worker.key"
    settings.WORKER_KEY_FILE.write_text(damage)
    with pytest.raises(KeyNotFound, match=r"worker\.key"):
        sealing.worker_keys()


def test_an_unreadable_key_has_a_clear_error(settings: Settings, tmp_path: Path) -> None:
    settings.LINKS_KEY_FILE = tmp_path
    with pytest.raises(KeyNotFound, match="LINKS_KEY_FILE"):
        sealing.links_key()
