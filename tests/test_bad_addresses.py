"""Whatever stands in an address, a form or a Host: a page or a clear 4xx, never a failure.

The addresses come from the table that the site itself uses, so a new one is asked as well.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from articles.search import encrypted_query
from articles.search.encrypted_query import SearchInput
from core import languages
from core.http import MAX_FORM_BYTES, PUBLIC_URLCONF
from keys import tokens
from keys.tokens import TokenKind
from newsletter.models import Subscriber
from newsletter.subscribers.rate_limit import RateLimiter
from tests.factories import WEEK, make_article, make_edition, make_page, make_subscriber
from tests.html_pages import parse_html

pytestmark = pytest.mark.django_db

FORM = "application/x-www-form-urlencoded"
PARAMETER = re.compile(r"<(?:(\w+):)?(\w+)>")
HUGE = "1" + "0" * 30
NUL = "%00"
RUBBISH = [
    *("x", "0", "-1", HUGE, "1e3", "٣", "2026-11-17", "9999-12-27", "0000"),
    *(NUL, f"1{NUL}", "%FF%FE", "%ED%A0%80", "%0D%0ASet-Cookie:%20a=b", "%E2%80%AE"),
    *("..%2F..%2Fetc%2Fpasswd", "%5C%5Cattacker.example", "%zz", "';--", "<script>", "a" * 3000),
]
"""As they stand in an address: each way in which a number, a date or a name can be none."""
BEHIND = [HUGE, "x/", NUL, "%2F", "%FF"]
"""What follows on a good address."""
SEARCHED = {
    "ten thousand letters": "a" * 10_000,
    "five thousand words": "вол " * 5_000,
    "quotation marks": "\"'«»“”‘’\"\"\"'''",
    "operators": "AND OR NOT NEAR(a b, 2) a* -b +c ^d title_stems:x & | ! <-> (((",
    "NUL": "бюджэт\0бюджэт",
    "half a pair": "\ud800",
    "wildcards": "%_%_\\%",
    "nothing but spaces": " \t\r\n\N{NO-BREAK SPACE}",
    "the other direction": "\N{RIGHT-TO-LEFT OVERRIDE}бюджэт",
    "signs above signs": "и" + "\N{COMBINING BREVE}" * 500,
    "a picture": "💩",
}
HOSTS = [
    *("", " ", "a b", "[", "[::1", "]:80", "x:port", "x:999999999", "x:-1", ":80", "a" * 5000),
    *("<script>", "x/y", "x?y", "x#y", "x@y", "..", "x..y", "x\\y", "é.example", "127.0.0.1:80:80"),
    *("x\ty", "x,y", "x\N{FULLWIDTH FULL STOP}y", "\N{RIGHT-TO-LEFT OVERRIDE}x"),
]
ADMISSIBLE = {*range(200, 300), *range(300, 304), *range(400, 500)}


@pytest.fixture(scope="module")
def rows(shared_rows: None) -> dict[str, str]:
    """A value of each name in an address that leads somewhere."""
    article = make_article(verdict="worsened")
    make_page(code="about")
    edition = make_edition()
    make_edition(code="be-ru")
    make_subscriber(edition=edition)
    return {
        "language": "be",
        "pk": str(article.pk),
        "slug": "slug",
        "code": "elite",
        "week": str(WEEK),
        "year": str(WEEK.year),
        "page": "1",
        "number": "1",
        "version": "0" * 16,
        "path": "none.png",
        "token": tokens.make_token(TokenKind.LETTER, Subscriber.objects.get().pk, 1),
    }


@pytest.fixture
def good(rows: dict[str, str], db: None) -> dict[str, str]:
    encrypted = encrypted_query.encrypt_query(SearchInput("бюджэт", "", ""), timezone.now())
    return {**rows, "encrypted": encrypted}


def routes(within: URLResolver, before: str = "") -> Iterator[str]:
    """Every route of the public URLs, as `<language:language>/<int:pk>/`."""
    for one in within.url_patterns:
        route = before + str(one.pattern)
        if isinstance(one, URLPattern):
            yield route
        else:
            yield from routes(one, route)


ROUTES = sorted(set(routes(get_resolver(PUBLIC_URLCONF))))


def filled(route: str, values: dict[str, str]) -> str:
    return "/" + PARAMETER.sub(lambda found: values[found[2]], route)


def bad_addresses(route: str, good: dict[str, str]) -> Iterator[str]:
    """The route with one of its segments wrong, the language only where it stands alone."""
    for wrong in BEHIND:
        yield filled(route, good) + wrong
    for _kind, name in PARAMETER.findall(route):
        if name != "language" or route == "<language:language>/":
            for wrong in RUBBISH:
                yield filled(route, {**good, name: wrong})


def test_the_table_of_addresses_is_whole() -> None:
    assert {"<language:language>/<int:pk>/", "media/<path:path>"} <= set(ROUTES)
    assert "<language:language>/letter/<str:token>/" in ROUTES


def short(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Instead of the whole page that says so, which knows no more of an address than its language.

    test_the_page_that_says_so_bears_any_rubbish asks for the whole one.
    """
    return HttpResponse("No such page", status=404)


@pytest.mark.parametrize("step", [4, pytest.param(1, marks=pytest.mark.long)])
def test_an_address_with_rubbish_in_it_is_no_failure(
    client: Client, good: dict[str, str], monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """The test's client raises whatever a view does. One in four goes over all kinds too."""
    monkeypatch.setattr("newsroom.urls.handler404", short)
    for route in ROUTES:
        if "<language:language>/<" not in route:
            assert client.get(filled(route, good)).status_code in ADMISSIBLE
    every = [address for route in ROUTES for address in bad_addresses(route, good)]
    for address in every[::step]:
        answer = client.get(address)
        assert answer.status_code in ADMISSIBLE, address
        assert not answer.cookies, address


def test_the_page_that_says_so_bears_any_rubbish(client: Client) -> None:
    for before, wrong in zip(itertools.cycle(["/", "/be/", "/be/topics/"]), [*RUBBISH, *BEHIND]):
        # Another writing of a number leads to the usual one first.
        answer = client.get(f"{before}{wrong}/", follow=True)
        assert answer.status_code == 404, wrong
        assert "</html>" in answer.content.decode(), wrong
        assert not answer.cookies, wrong


def test_an_address_takes_no_harm_from_other_methods(client: Client, good: dict[str, str]) -> None:
    for route in ROUTES:
        with transaction.atomic():
            for method in ("post", "put", "delete", "options", "patch"):
                send = getattr(client, method)
                answer = send(filled(route, good), b"\0\xff{", content_type="application/json")
                assert answer.status_code in ADMISSIBLE, (route, method)
                assert not answer.cookies, (route, method)
            assert client.trace(filled(route, good)).status_code in ADMISSIBLE, route
            transaction.set_rollback(True)


@pytest.mark.parametrize(
    ("pk", "page"), [("0", "1"), (HUGE, "1"), ("1", "0"), ("1", HUGE), ("-1", "1"), ("1", "x")]
)
def test_a_number_that_no_row_has_is_no_page(
    client: Client, good: dict[str, str], pk: str, page: str
) -> None:
    if pk != "1":
        assert client.get(f"/be/{pk}/").status_code == 404
    if page != "1":
        for listing in ("topics/elite", "weeks", f"barometer/{WEEK.year}", "search"):
            assert client.get(f"/be/{listing}/{page}/?q=бюджэт").status_code == 404, listing


def test_a_week_that_is_no_monday_is_no_page(client: Client, good: dict[str, str]) -> None:
    assert client.get(f"/be/weeks/{WEEK.sunday}/").status_code == 404


def test_whatever_is_searched_for_gets_an_answer(client: Client, good: dict[str, str]) -> None:
    codes = itertools.cycle(languages.codes())
    for field, (name, words) in itertools.product(("q", "topic", "year"), SEARCHED.items()):
        sent = quote(words, errors="surrogatepass")
        body = f"{field}={sent}" if field == "q" else f"q=x&{field}={sent}"
        for answer in (
            client.get(f"/{next(codes)}/search/?{body}", follow=True),
            client.post(f"/{next(codes)}/search/", body, content_type=FORM, follow=True),
        ):
            assert answer.status_code in {200, 400} or len(body) > MAX_FORM_BYTES, name
            assert 'name="q"' in answer.content.decode() or answer.status_code == 413, name
            for address, _status in answer.redirect_chain:
                assert client.get(f"{address}2/").status_code in {200, 404}, name


def test_what_is_nearly_the_address_of_a_search_is_no_page(
    client: Client, good: dict[str, str]
) -> None:
    token = good["encrypted"]
    changed = [
        *(token[:-1], f"{token}a", token[:-9], token * 2, token * 12, token[:64]),
        *(f"{token[:-2]}{'a' if token[-2] != 'a' else 'b'}{token[-1]}", f"0{token[1:]}"),
        *(f"{token[:20]}%20{token[20:]}", f"{token[:-1]}=", f"ж{token[1:]}"),
    ]
    assert client.get(f"/be/search/{token}/").status_code == 200
    for wrong in changed:
        for address in (f"/be/search/{wrong}/", f"/be/search/{wrong}/2/"):
            assert client.get(address).status_code == 404, address
    for page in ("0", "2", HUGE, "9" * 19):
        assert client.get(f"/be/search/{token}/{page}/").status_code == 404, page


def test_whatever_is_typed_into_the_sign_up_gets_an_answer(
    client: Client, good: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = ("email", "edition", "variant", "website")
    for field, (name, words) in itertools.product(fields, SEARCHED.items()):
        # Each is the first to sign up, or the later ones would be refused unread.
        monkeypatch.setattr("newsletter.public.views.sign_up_limiter", RateLimiter())
        sent = quote(words, errors="surrogatepass")
        body = f"email=reader%40example.org&edition=en&{field}={sent}"
        with transaction.atomic():
            answer = client.post("/be/subscribe/", body, content_type=FORM)
            transaction.set_rollback(True)
        assert answer.status_code in {200, 302, 400, 413}, name


def test_a_host_of_rubbish_changes_nothing_in_a_page(client: Client, good: dict[str, str]) -> None:
    usual = client.get("/be/").content
    others = itertools.cycle(["/be/none/", f"/be/{good['pk']}", "/admin/", "//attacker.example/"])
    for host in HOSTS:
        for path in ("/be/", next(others)):
            answer = client.get(path, headers={"host": host})
            assert answer.status_code in ADMISSIBLE, (host, path)
            if answer.status_code == 200 and path == "/be/":
                assert answer.content == usual, host
            if answer.status_code == 400:
                assert '<html lang="' in answer.content.decode(), (host, path)
            # An address with a slash too few leads to the one with it, on the host that was asked.
            assert answer.get("Location", "/").startswith("/"), (host, path)


# --- What cannot be taken ---------------------------------------------------------------------

GARBLED = {"en": "This request is garbled", "be": "Запыт скажоны", "ru": "Запрос искажён"}
TOO_MUCH = {"en": "too much at once", "be": "зашмат за адзін раз", "ru": "много за один раз"}
NO_FORM = {"en": "takes nothing", "be": "нічога не прымае", "ru": "ничего не принимает"}
BAD_HOST = "[::1"


def is_a_refusal(answer: HttpResponse, status: int, code: str, words: dict[str, str]) -> None:
    """A page in the language of the path that leads to the first one, and nobody keeps."""
    text = answer.content.decode()
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Content-Language"] == code
    assert answer.headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert not answer.cookies
    [html] = parse_html(text).all("html")
    assert html.attributes["lang"] == code
    assert words[code] in text
    assert [link.attributes["href"] for link in html.all("a")] == [f"/{code}/"]


@pytest.mark.parametrize("code", languages.codes())
def test_a_request_that_cannot_be_read_is_told_so_in_the_language_of_its_path(
    code: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        is_a_refusal(Client().get(f"/{code}/", headers={"host": BAD_HOST}), 400, code, GARBLED)


@pytest.mark.parametrize("path", ["/", "/xx/", "/admin/"])
def test_a_path_without_a_language_is_refused_in_the_default_one(path: str) -> None:
    answer = Client().get(path, headers={"host": BAD_HOST})
    is_a_refusal(answer, 400, languages.default(), GARBLED)


def test_a_host_that_is_not_ours_is_refused_before_anything_is_asked(
    settings: Settings, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """Also where the first to look at the host stands before whoever knows the language."""
    settings.ALLOWED_HOSTS = ["news.example.org"]
    settings.SECURE_SSL_REDIRECT = True
    with django_assert_num_queries(0):
        answer = Client().get("/ru/", headers={"host": "attacker.example"})
    is_a_refusal(answer, 400, "ru", GARBLED)
    assert "attacker" not in answer.content.decode()


@pytest.mark.parametrize("code", languages.codes())
@pytest.mark.parametrize("host", ["testserver", BAD_HOST])
def test_a_form_that_is_too_large_is_told_so(
    code: str, host: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    body = "q=" + "a" * MAX_FORM_BYTES
    with django_assert_num_queries(0):
        answer = Client().post(f"/{code}/search/", body, content_type=FORM, headers={"host": host})
    is_a_refusal(answer, 413, code, TOO_MUCH)


@pytest.mark.parametrize("code", languages.codes())
def test_what_is_posted_to_a_page_without_a_form_is_told_so(code: str) -> None:
    client = Client(enforce_csrf_checks=True)
    is_a_refusal(client.post(f"/{code}/weeks/", {"a": "b"}), 403, code, NO_FORM)


def test_the_staff_are_told_by_django_what_their_browser_withheld() -> None:
    answer = Client(enforce_csrf_checks=True).post("/admin/login/", {"a": "b"})
    assert answer.status_code == 403
    assert "CSRF" in answer.content.decode()
