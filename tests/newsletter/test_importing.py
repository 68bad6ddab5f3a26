"""A list from elsewhere."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from newsletter.importing import CannotImport, import_subscribers
from newsletter.models import Subscriber, SubscriberStatus
from newsroom.sealing import KeyMissing
from tests.factories import MONDAY_MORNING, make_edition, make_subscriber

pytestmark = pytest.mark.django_db
NOW = MONDAY_MORNING


def lines(text: str) -> io.StringIO:
    return io.StringIO(text)


def test_each_good_line_becomes_an_active_reader_of_its_edition() -> None:
    make_edition(code="en")
    make_edition(code="be-ru")
    report = import_subscribers(
        lines("email,edition\na@example.org,en\nB@Example.org,BE-RU\n"), NOW
    )
    assert (report.added, report.bad) == (2, [])
    assert Subscriber.objects.active().filter(edition__code="be-ru").count() == 1


def test_a_broken_line_is_named_by_its_number_and_the_rest_goes_on() -> None:
    make_edition(code="en")
    text = "email,edition\nnobody,en\na@example.org,fr\n\nb@example.org\nc@example.org,en,x\n"
    report = import_subscribers(lines(text), NOW)
    assert report.added == 1
    assert [number for number, _reason in report.bad] == [2, 3, 5]
    assert not any("nobody" in reason or "example" in reason for _, reason in report.bad[1:])


def test_nobody_is_imported_twice_or_brought_back() -> None:
    edition = make_edition(code="en")
    make_subscriber(edition=edition, address="known@example.org")
    gone = make_subscriber(edition=edition, address="gone@example.org")
    gone.end(SubscriberStatus.LEFT, NOW)
    text = "email,edition\nknown@example.org,en\ngone@example.org,en\nnew@example.org,en\n"
    report = import_subscribers(lines(text + "NEW@example.org,en\n"), NOW)
    assert (report.added, report.known_or_suppressed) == (1, 3)


@pytest.mark.parametrize("text", ["", "a@example.org,en\n", "name,edition\n"])
def test_a_file_without_its_columns_is_refused(text: str) -> None:
    with pytest.raises(CannotImport, match="email,edition"):
        import_subscribers(lines(text), NOW)


def test_it_runs_only_where_the_key_is(without_worker_key: None) -> None:
    with pytest.raises(KeyMissing):
        import_subscribers(lines("email,edition\n"), NOW)


def test_the_command_says_what_to_do(tmp_path: Path) -> None:
    make_edition(code="en")
    path = tmp_path / "list.csv"
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("import_subscribers", path)
    path.write_bytes("email,edition\nч@example.org,en\n".encode("cp1251"))
    with pytest.raises(CommandError, match="UTF-8"):
        call_command("import_subscribers", path)
    path.write_text("\ufeffemail,edition\na@example.org,en\n", encoding="utf-8")
    call_command("import_subscribers", path)
    assert Subscriber.objects.count() == 1
