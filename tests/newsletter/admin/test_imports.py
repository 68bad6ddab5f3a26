"""Bringing in a list by the admin, over a real server where the way of the file matters."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django.fixtures import Settings

from newsletter.imports.upload import CHUNK_BYTES
from newsletter.models import Edition, Import, ImportChunk, ImportStatus, Subscriber
from newsletter.tasks import process_import
from tests.factories import enrol, make_edition, make_user
from tests.html_pages import normalize_html

pytestmark = pytest.mark.django_db
ADD = "/admin/newsletter/import/add/"


@pytest.fixture(autouse=True)
def edition() -> Edition:
    return make_edition(code="en")


@pytest.fixture
def manager() -> Client:
    """Whose forms need their token, as from a browser."""
    user = make_user(username="manager", is_superuser=False, enrolled=False)
    user.groups.add(Group.objects.get(name="Manager"))
    enrol(user)
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    return client


@pytest.fixture(autouse=True)
def nothing_on_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """No way of the file may lead into a temporary one."""

    def caught(*_args: object, **_kwargs: object) -> None:
        raise AssertionError("A file in the temporary folder")

    monkeypatch.setattr("tempfile.NamedTemporaryFile", caught)
    monkeypatch.setattr("tempfile.mkstemp", caught)


def token(client: Client) -> str:
    return client.get(ADD).context["csrf_token"]


def upload(client: Client, content: bytes, **more: str) -> tuple[int, str]:
    form = {"csrfmiddlewaretoken": token(client), **more}
    form["file"] = SimpleUploadedFile("subscribers.csv", content)  # type: ignore[assignment]
    answer = client.post(ADD, form)
    return answer.status_code, answer.headers.get("Location", "") or answer.content.decode()


def do(client: Client, row: Import, verb: str, **more: str) -> None:
    form = {"csrfmiddlewaretoken": token(client), **more}
    client.post(f"/admin/newsletter/import/{row.pk}/do/{verb}/", form)
    process_import(row.pk)
    row.refresh_from_db()


def test_a_manager_uploads_looks_applies_and_undoes(manager: Client) -> None:
    edition = str(Edition.objects.get().pk)
    status, where = upload(manager, b"email\nplanted@example.org\nrubbish\n", edition=edition)
    assert status == 302
    row = Import.objects.get()
    assert manager.get(where).headers["Refresh"] == "2"
    process_import(row.pk)
    page = manager.get(where)
    assert "Refresh" not in page.headers
    said = normalize_html(page.content.decode())
    assert "Checked: waits for you" in said
    assert "Line 3: This is no address" in said
    assert "planted" not in said
    assert "<dt>New</dt><dd>0–9</dd>" in said
    assert "<dt>Invalid</dt><dd>1</dd>" in said
    do(manager, row, "apply")
    assert row.status == ImportStatus.APPLIED
    assert Subscriber.objects.active().count() == 1
    do(manager, row, "undo")
    assert not Subscriber.objects.exists()


def test_a_large_file_is_sealed_in_chunks_and_none_of_it_in_clear(
    manager: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = b"x" * 200
    lines = b"".join(b"planted%04d@example.org,%s\n" % (one, name) for one in range(2_000))
    status, _where = upload(manager, b"email,name\n" + lines, edition=str(Edition.objects.get().pk))
    assert status == 302
    sizes = [len(bytes(chunk.sealed)) for chunk in ImportChunk.objects.all()]
    assert len(sizes) == -(-(len(lines) + 11) // CHUNK_BYTES) > 1
    assert not any(b"planted" in bytes(chunk.sealed) for chunk in ImportChunk.objects.all())
    process_import(Import.objects.get().pk)
    assert Import.objects.get().new == 2_000


def test_without_its_token_nothing_of_the_file_stays(manager: Client) -> None:
    file = SimpleUploadedFile("list.csv", b"email\na@example.org\n")
    answer = manager.post(ADD, {"file": file})
    assert answer.status_code == 403
    assert not Import.objects.exists()
    assert not ImportChunk.objects.exists()


def test_without_permission_the_file_is_not_read() -> None:
    client = Client()
    user = make_user(username="other", is_superuser=False, enrolled=False)
    user.groups.add(Group.objects.get(name="Editor"))
    enrol(user)
    client.force_login(user)
    file = SimpleUploadedFile("list.csv", b"email\na@example.org\n")
    assert client.post(ADD, {"file": file}).status_code == 403
    assert client.get(ADD).status_code == 403
    assert not Import.objects.exists()


@pytest.mark.parametrize("content", [b"", b"x" * 1_100_000])
def test_an_empty_or_too_large_file_is_refused_and_leaves_nothing(
    content: bytes, manager: Client, settings: Settings
) -> None:
    settings.IMPORT_MAX_MB = 1
    status, said = upload(manager, content)
    assert status == 400
    assert "empty" in said or "larger than 1 MB" in said
    assert not Import.objects.exists()


def test_two_gigabytes_are_refused_before_they_are_read(manager: Client) -> None:
    answer = manager.generic(
        "POST",
        ADD,
        b"--x--",
        content_type="multipart/form-data; boundary=x",
        headers={"Content-Length": str(2 * 1024**3)},
    )
    assert answer.status_code == 413
    assert "larger than 256 MB" in answer.content.decode()


def test_without_a_key_to_seal_with_the_page_says_so(manager: Client, settings: Settings) -> None:
    csrf = token(manager)
    settings.INTAKE_KEY_FILE = settings.INTAKE_KEY_FILE.with_name("none")
    file = SimpleUploadedFile("list.csv", b"email\na@example.org\n")
    answer = manager.post(ADD, {"csrfmiddlewaretoken": csrf, "file": file})
    assert answer.status_code == 503
    assert "make_keys" in answer.content.decode()


def test_a_form_without_a_file_is_told_so(manager: Client) -> None:
    answer = manager.post(ADD, {"csrfmiddlewaretoken": token(manager)})
    assert answer.status_code == 400


def test_columns_that_nobody_knows_are_named_by_a_person(manager: Client) -> None:
    edition = str(Edition.objects.get().pk)
    _status, where = upload(manager, b"who,when\na@example.org,2024-01-01\n", edition=edition)
    row = Import.objects.get()
    process_import(row.pk)
    assert "Needs you to name the columns" in manager.get(where).content.decode()
    asked = manager.get(f"/admin/newsletter/import/{row.pk}/do/name-columns/").content.decode()
    assert ">who<" in asked
    assert ">when<" in asked
    do(manager, row, "name-columns", **{"column-0": "address", "column-1": "consent"})
    assert (row.status, row.lines) == (ImportStatus.CHECKED, 1)


def test_an_upload_may_be_discarded(manager: Client) -> None:
    upload(manager, b"email\na@example.org\n", edition=str(Edition.objects.get().pk))
    row = Import.objects.get()
    form = {"csrfmiddlewaretoken": token(manager)}
    manager.post(f"/admin/newsletter/import/{row.pk}/do/throw-away/", form)
    assert not Import.objects.exists()
    assert not ImportChunk.objects.exists()


def test_without_lookups_left_the_file_is_not_read(manager: Client, settings: Settings) -> None:
    settings.SUBSCRIBER_LOOKUPS_PER_DAY = 0
    status, said = upload(manager, b"email\na@example.org\n")
    assert status == 429
    assert "used up" in said
    assert not Import.objects.exists()
