"""A file while it arrives: in memory, and never on the disk."""

from __future__ import annotations

import tempfile
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client, RequestFactory
from pytest_django.fixtures import Settings

from articles.models import Picture
from core.http import MAX_UPLOAD_BYTES
from newsletter.models import Import
from tests.factories import a_jpeg, make_user

LIST = "/admin/newsletter/import/add/"
PICTURE = "/admin/articles/picture/add/"


@pytest.fixture(autouse=True)
def nothing_on_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """No way of a file may lead into the temporary folder."""

    def caught(*_args: object, **_kwargs: object) -> None:
        raise AssertionError("A file in the temporary folder")

    for name in ("NamedTemporaryFile", "TemporaryFile", "SpooledTemporaryFile", "mkstemp"):
        monkeypatch.setattr(tempfile, name, caught)
    monkeypatch.setattr("django.core.files.temp.NamedTemporaryFile", caught)


def sent(**files: bytes) -> dict[str, tuple[int, bytes]]:
    """What a form gets of files of these contents: the size that was sent, and what was kept."""
    form: Any = {name: SimpleUploadedFile(name, content) for name, content in files.items()}
    request = RequestFactory().post("/", form)
    kept: Any = request.FILES
    got = {name: (file.size, file.read()) for name, file in kept.items()}
    request.close()
    return got


def test_a_file_is_handed_to_the_form_as_it_was_sent() -> None:
    a, b = bytes(range(256)) * 1000, b"x"
    assert sent(a=a, b=b) == {"a": (len(a), a), "b": (1, b)}


def test_of_a_file_that_is_too_large_only_its_size_is_kept() -> None:
    most = MAX_UPLOAD_BYTES
    assert sent(a=b"x" * most) == {"a": (most, b"x" * most)}
    assert sent(a=b"x" * (most + 1)) == {"a": (most + 1, b"")}


def test_many_files_take_no_more_memory_than_one() -> None:
    half = b"x" * (MAX_UPLOAD_BYTES // 2)
    got = sent(a=half, b=half, c=half, d=b"")
    assert [len(content) for _size, content in got.values()] == [len(half), len(half), 0, 0]
    assert [size for size, _content in got.values()] == [len(half)] * 3 + [0]


@pytest.mark.django_db
def test_a_list_in_the_wrong_form_never_lies_in_a_file(client: Client) -> None:
    client.force_login(make_user())
    paths = "/admin/login/", PICTURE, "/admin/articles/article/add/"
    for path, megabytes in (*((path, 3) for path in paths), (PICTURE, 24), (PICTURE, 33)):
        file = SimpleUploadedFile("list.csv", b"a@example.org\n" * (megabytes * 1024 * 1024 // 14))
        assert client.post(path, {"file": file}).status_code in {200, 302, 413}
    assert not Picture.objects.exists()


@pytest.mark.django_db
def test_a_picture_that_is_too_large_is_told_so_and_what_was_typed_is_still_there(
    client: Client,
) -> None:
    client.force_login(make_user())
    file = SimpleUploadedFile("x.jpg", a_jpeg() + b"\0" * 33_000_000)
    page = client.post(PICTURE, {"file": file, "credit": "Typed"}).content.decode()
    assert "larger than 20 MB" in page
    assert 'value="Typed"' in page


@pytest.mark.django_db
def test_a_list_of_any_size_never_lies_in_a_file(client: Client, settings: Settings) -> None:
    client.force_login(make_user())
    file = SimpleUploadedFile("list.csv", b"email\n" + b"a@example.org\n" * 2_500_000)
    assert client.post(LIST, {"file": file}).status_code == 302
    assert Import.objects.get().size > MAX_UPLOAD_BYTES
