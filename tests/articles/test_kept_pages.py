"""Pages that are kept: a change drops each page that shows it, and leaves the others."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from itertools import chain, repeat
from typing import Any
from unittest.mock import Mock

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from articles import pages, publishing
from articles.keeping import whole
from articles.keeping.store import Kept, Store, store
from articles.models import Article, Author, Correction, DigestEntry, Masthead, PageChange, Topic
from articles.models.changes import KEPT, Generation
from articles.standing import save_page
from articles.writing import save_article
from tests.articles.newsrooms import LAST_WEEK, Newsroom, make_newsroom
from tests.factories import MONDAY_MORNING, WEEK, make_article, make_page, make_user

pytestmark = pytest.mark.django_db
LATER = MONDAY_MORNING + timedelta(minutes=5)
Change = Callable[[Newsroom], object]


def visit(client: Client, path: str) -> tuple[int, bytes]:
    answer = client.get(path)
    return answer.status_code, answer.content


def made_anew(client: Client, paths: set[str], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    with monkeypatch.context() as nothing_is_kept:
        nothing_is_kept.setattr(Store, "is_used", False)
        return {path: visit(client, path) for path in paths}


def is_kept(path: str) -> bool:
    page = store.get(("http", path))
    return page is not None and page.is_current(PageChange.objects.generation())


def save(article: Article, **values: Any) -> None:
    found = Article.objects.get(pk=article.pk)
    for name, value in values.items():
        setattr(found, name, value)
    save_article(found, by=make_user(), now=LATER)


def rename(row: Any, **values: Any) -> None:
    for name, value in values.items():
        setattr(row, name, value)
    row.save()


def swap(newsroom: Newsroom) -> None:
    first, second = newsroom.digest.entries.all()
    entries = DigestEntry.objects
    entries.filter(pk=first.pk).update(position=second.position)
    entries.filter(pk=second.pk).update(position=first.position)


def correct_about(newsroom: Newsroom) -> None:
    newsroom.about.body_be = "<p>Іншае.</p>"
    save_page(newsroom.about, by=make_user(), now=LATER)


CHANGES: dict[str, Change] = {
    "a caption is corrected": lambda n: rename(n.cover, caption_be="Іншы подпіс"),
    "a correction is noted": lambda n: Correction.objects.create(
        article=n.early, language="be", corrected_at=LATER, note="Лічба."
    ),
    "corrections are noted": lambda n: Correction.objects.bulk_create(
        [Correction(article=n.other, language="be", corrected_at=LATER, note="Імя.")]
    ),
    "a digest has another order": swap,
    "a digest has an introduction": lambda n: rename(n.digest, introduction_be="Тыдзень."),
    "a digest is opened again": lambda n: n.digest.reopen(),
    "a body is corrected": lambda n: save(n.new, body_be="<p>Іншае.</p>"),
    "a title is corrected": lambda n: save(n.last, title_be="Іншы"),
    "a lead is corrected": lambda n: save(n.early, lead_en="Another."),
    "a verdict is corrected": lambda n: save(n.new, verdict="improved"),
    "a verdict is taken back": lambda n: save(n.last, verdict=""),
    "a cover is taken away": lambda n: save(n.new, cover=None),
    "an article goes to another topic": lambda n: save(n.early, topic=n.media),
    "an article goes to another week": lambda n: save(n.new, week=LAST_WEEK, verdict=""),
    "an article goes to a newer week": lambda n: save(n.early, week=WEEK.next()),
    "an author is added": lambda n: n.new.authors.add(n.anton),
    "an author adds an article": lambda n: n.anton.articles.add(n.early),
    "authors are set": lambda n: n.last.authors.set([n.anton]),
    "authors are cleared": lambda n: n.other.authors.clear(),
    "an author is renamed": lambda n: rename(n.marta, name_be="Іншая"),
    "an author is deleted": lambda n: Author.objects.filter(pk=n.marta.pk).delete(),
    "a topic is renamed": lambda n: rename(n.media, name_be="Іншая"),
    "topics change their order": lambda n: Topic.objects.filter(pk=n.elite.pk).update(position=9),
    "a topic is added": lambda n: Topic.objects.create(code="next", name_en="Next"),
    "the newsroom is renamed": lambda n: rename(n.masthead, name_be="Іншая"),
    "an edition is renamed": lambda n: rename(n.edition, name="English"),
    "a draft is published": lambda n: publishing.publish(n.draft, "be", LATER),
    "a translation is published": lambda n: publishing.publish(n.last, "ru", LATER),
    "a language is withdrawn": lambda n: publishing.withdraw_language(n.new, "be", LATER),
    "an early language is withdrawn": lambda n: publishing.withdraw_language(n.early, "be", LATER),
    "an article is withdrawn": lambda n: publishing.withdraw(n.other, LATER),
    "a note on a withdrawal changes": lambda n: publishing.tell_why(
        n.gone, {"be": "Іншая."}, LATER, by=make_user()
    ),
    "a page is corrected": correct_about,
    "a page is added": lambda n: make_page(code="privacy"),
    "an article is deleted": lambda n: n.early.delete(),
}
NAMED_WIDELY = {
    "an author is renamed",
    "an author is deleted",
    "a topic is renamed",
    "topics change their order",
    "a topic is added",
    "the newsroom is renamed",
    "an edition is renamed",
    "a page is added",
    # Which text the others' lists show may depend on it.
    "a translation is published",
    "a language is withdrawn",
    "an early language is withdrawn",
    "an article is withdrawn",
    "an article is deleted",
}
"""Whatever has any of it drops more than shows it: these are seldom. See articles.tags."""
NAMED_COARSELY = re.compile(
    r"(/be)?/|/be/weeks/|/be/barometer/.*|(/be)?/sitemap.*|/be/(topics/.*/)?feed.xml|/ru/[0-9]+/"
)
"""Lists of everything are dropped by whatever could be in them, and a page that only
says where a text is by what changes the text; see articles.tags."""


def test_whatever_changes_no_page_is_kept_that_shows_it_and_no_other_is_dropped(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    newsroom = make_newsroom()
    paths = set(newsroom.paths())
    before = made_anew(client, paths, monkeypatch)
    for name, change in CHANGES.items():
        for path in paths:
            assert visit(client, path) == before[path], (path, "before", name)
        there = set(filter(is_kept, paths))
        assert len(there) > 20
        change(newsroom)
        dropped = {path for path in there if not is_kept(path)}
        after = made_anew(client, paths, monkeypatch)
        changed = {path for path in there if after[path] != before[path]}
        assert changed, f"Nobody sees that {name}"
        assert not changed - dropped, name
        if name not in NAMED_WIDELY:
            more = {path for path in dropped - changed if not NAMED_COARSELY.fullmatch(path)}
            assert not more, name
        before = after


def test_what_no_reader_sees_drops_nothing(client: Client) -> None:
    newsroom = make_newsroom()
    paths = newsroom.paths()
    for path in paths:
        visit(client, path)
    there = set(filter(is_kept, paths))
    save(newsroom.draft, title_be="Іншы", topic=newsroom.elite)
    publishing.hand_in(newsroom.draft, "be")
    newsroom.digest.reopen()
    for path in paths:
        visit(client, path)
    # Nobody sees a digest that is open.
    swap(newsroom)
    Author.objects.create(code="new", name_be="Новы")
    newsroom.new.refresh_from_db()
    newsroom.new.save()
    assert set(filter(is_kept, paths)) == there


def test_a_page_that_is_kept_asks_one_question(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    path = f"/be/{make_article().pk}/"
    first = client.get(path)
    with django_assert_num_queries(1):
        again = client.get(path)
    assert again.content == first.content
    assert again.headers == first.headers


def test_parts_that_pages_share_are_made_once(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest week, which stands beside each article."""
    first, second = make_article(), make_article(title="Other")
    made = []
    week_page = pages.week_page
    monkeypatch.setattr(pages, "week_page", lambda *about: made.append(about) or week_page(*about))
    texts = [client.get(f"/be/{article.pk}/").content.decode() for article in (first, second)]
    assert len(made) == 1
    assert all("Other be" in text and "Бюджэт be" in text for text in texts)


def test_what_was_searched_for_stands_among_parts_that_are_kept_and_is_not(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_article()
    client.get("/be/weeks/")
    week_page = Mock(side_effect=pages.week_page)
    monkeypatch.setattr(pages, "week_page", week_page)
    [(path, _status)] = client.get("/be/search/?q=бюджэт", follow=True).redirect_chain
    assert "Бюджэт be" in client.get(path).content.decode()
    assert not week_page.called
    assert store.get(("http", path)) is None


def test_whoever_has_a_page_is_told_that_nothing_has_changed(client: Client) -> None:
    article = make_article()
    path = f"/be/{article.pk}/"
    etag = client.get(path).headers["ETag"]
    for _kept in range(2):
        answer = client.get(path, headers={"if-none-match": etag})
        assert (answer.status_code, answer.content) == (304, b"")
    save(article, body_be="<p>Іншае.</p>")
    answer = client.get(path, headers={"if-none-match": etag})
    assert answer.status_code == 200
    assert answer.headers["ETag"] != etag
    publishing.withdraw(article, LATER)
    etag = client.get(path).headers["ETag"]
    assert client.get(path, headers={"if-none-match": etag}).status_code == 410


def test_no_page_is_used_without_asking(client: Client) -> None:
    """Neither by a browser nor by a proxy."""
    assert client.get(f"/be/{make_article().pk}/").headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("path", ["/be/none/", "/be/search/", "/be/subscribe/"])
def test_what_is_not_there_or_asks_for_something_is_not_kept(client: Client, path: str) -> None:
    make_article()
    client.get(path)
    assert store.get(("http", path)) is None


def test_what_a_network_adds_to_a_shared_link_makes_no_other_page(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    path = f"/be/{make_article().pk}/"
    first = client.get(f"{path}?fbclid=one")
    with django_assert_num_queries(1):
        again = client.get(f"{path}?fbclid=two")
    assert again.content == first.content == client.get(path).content
    assert b"fbclid" not in first.content


def test_a_page_that_changed_while_it_was_made_is_not_kept(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    article = make_article()
    path = f"/be/{article.pk}/"
    note = whole.tag

    def correct_meanwhile(response: Any) -> None:
        note(response)
        save(article, body_be="<p>Іншае.</p>")

    monkeypatch.setattr(whole, "tag", correct_meanwhile)
    assert "Бюджэт расце" in client.get(path).content.decode()
    monkeypatch.undo()
    assert store.get(("http", path)) is None
    assert "Іншае" in client.get(path).content.decode()


def test_the_other_of_two_transactions_is_seen_though_its_row_comes_in_below() -> None:
    """The one that began first ended last: the newest row is no sign of what is new."""
    make_article()
    first, second = PageChange(pk=10**6, tag="lists"), PageChange(pk=10**6 + 1, tag="lists")
    second.save()
    before = PageChange.objects.generation(["lists"])
    first.save()
    assert PageChange.objects.generation(["lists"]) != before


def test_a_database_that_is_away_is_no_reason_to_trust_a_page(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/be/{make_article().pk}/"
    client.get(path)
    monkeypatch.setattr(whole.connection, "close", lambda: None)
    monkeypatch.setattr(Kept, "is_current", Mock(side_effect=chain([DatabaseError], repeat(True))))
    made = Mock(side_effect=pages.alternates)
    monkeypatch.setattr(pages, "alternates", made)
    assert client.get(path).status_code == 200
    assert made.called


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_broke_meanwhile_takes_no_page_down(client: Client) -> None:
    path = f"/be/{make_article().pk}/"
    page = client.get(path)
    connection.connection.close()
    again = client.get(path)
    assert (again.status_code, again.content) == (200, page.content)


def test_a_host_that_is_not_ours_is_not_answered_from_what_is_kept(client: Client) -> None:
    path = f"/be/{make_article().pk}/"
    assert client.get(path).status_code == 200
    assert client.get(path, headers={"host": "bad host"}).status_code == 400


def test_head_is_answered_as_get_is(client: Client) -> None:
    path = f"/be/{make_article().pk}/"
    page = client.get(path)
    head = client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers == page.headers


def test_a_small_store_lets_what_was_asked_for_least_lately_go() -> None:
    small = Store(1000)
    for number in range(6):
        small.put(number, Kept(number, 200, (), Generation(0, None), Generation(0, None)))
        assert small.get(0), "asked for each time"
    assert [number for number in range(6) if small.get(number)] == [0, 2, 3, 4, 5]
    small.put("huge", Kept("huge", 900, (), Generation(0, None), Generation(0, None)))
    assert small.get("huge") is None


def test_the_log_of_changes_is_trimmed(client: Client) -> None:
    path = f"/be/{make_article().pk}/"
    client.get(path)
    PageChange.objects.note(str(number) for number in range(KEPT))
    assert is_kept(path)
    assert PageChange.objects.trim() > 0
    assert PageChange.objects.count() == KEPT
    assert PageChange.objects.trim() == 0
    assert not is_kept(path), "What it stood on is gone, so it is made anew"


def test_a_change_that_is_rolled_back_drops_nothing(client: Client) -> None:
    Masthead.objects.create(pk=1, name_be="Погляд")
    path = f"/be/{make_article().pk}/"
    client.get(path)
    with transaction.atomic():
        rename(Masthead.current(), name_be="Іншая")
        assert not is_kept(path)
        transaction.set_rollback(True)
    assert is_kept(path)
