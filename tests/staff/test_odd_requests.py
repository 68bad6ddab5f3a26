"""Odd ids, NULs and forms that are too large, on every page of the admin: no failure."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from django.contrib import admin
from django.contrib.admin import ModelAdmin
from django.db import transaction
from django.http import HttpResponse
from django.test import Client, override_settings
from django.urls import URLPattern, URLResolver, get_resolver

from articles.admin.object_actions import ObjectActionsAdmin
from core.http import MAX_FORM_BYTES, MAX_TEXT_FORM_BYTES
from tests.factories import (
    make_article,
    make_mailing,
    make_page,
    make_picture,
    make_user,
)
from tests.staff.browser import LOGIN

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("rows")]
ODD_IDS = [
    *("abc", "-1", "0", "1e3", "1.0", "None", "add", "+1", "1_0", "01", " 1", "1 ", "٣", "１", "²"),
    *(str(2**63), "1" + "0" * 40, "9" * 5000, "1/1", "../1", "_31", "1_2Fx", "%2e", "';--"),
    *("\N{RIGHT-TO-LEFT OVERRIDE}1", "💩", "\ufffe"),
]
SOME_ODD_IDS = ["abc", "-1", "٣", "1" + "0" * 40]
NUL_IDS = ["\0", "1\0", "\x001"]
HUGE = [str(2**31), str(2**63), "1" + "0" * 40, "9" * 5000]
PARAMETER = re.compile(r"<(?:(\w+):)?(\w+)>")
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(autouse=True)
def no_page_for_what_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole one is read from the database, hundreds of times over."""
    monkeypatch.setattr(
        "newsroom.urls.handler404", lambda *_args, **_kwargs: HttpResponse(status=404)
    )


@pytest.fixture(scope="module")
def rows(shared_rows: None, tmp_path_factory: pytest.TempPathFactory) -> None:
    """One of most kinds, to be mistaken for another."""
    make_mailing()
    make_page()
    with override_settings(MEDIA_ROOT=tmp_path_factory.mktemp("media")):
        make_picture()


def below(model_admin: ModelAdmin, *words: str) -> str:
    opts = model_admin.opts
    return "/".join(["/admin", opts.app_label, str(opts.model_name), *words, ""])


REGISTERED = sorted(admin.site._registry.values(), key=lambda one: one.opts.label_lower)
WITH_VERBS = [one for one in REGISTERED if isinstance(one, ObjectActionsAdmin)]


def test_most_models_have_object_actions() -> None:
    assert len(WITH_VERBS) >= 4
    assert sum(len(one.object_actions) for one in WITH_VERBS) >= 15


@pytest.mark.both_databases
def test_an_odd_id_is_the_id_of_no_row_whatever_is_to_be_done_with_it(desk: Client) -> None:
    verbs = [
        (model_admin, verb) for model_admin in WITH_VERBS for verb in model_admin.object_actions
    ]
    # All verbs go through one door: each gets a third, and every third is of several.
    for number, (model_admin, verb) in enumerate(verbs):
        for odd in ODD_IDS[number % 3 :: 3]:
            path = below(model_admin, quote(odd, safe="%/"), "do", verb.name)
            assert desk.post(path).status_code == 404, path
        # A GET asks first.
        assert desk.get(path).status_code == 404, path


@pytest.mark.long
@pytest.mark.both_databases
def test_no_page_of_a_row_fails_on_an_odd_id(desk: Client) -> None:
    """Django leads from a row that is not there to the list, and says so."""
    pages = "change", "delete", "history", "password", "do/x"
    for number, (model_admin, page) in enumerate(itertools.product(REGISTERED, pages)):
        for odd in (SOME_ODD_IDS[number % 4], NUL_IDS[number % 3], SOME_ODD_IDS[number % 3]):
            path = below(model_admin, quote(odd, safe="%/"), page)
            status = desk.get(path).status_code
            assert status in {302, 400, 403, 404, 405}, (path, status)


def routes(within: URLResolver, before: str = "") -> Iterator[str]:
    for one in within.url_patterns:
        route = before + str(one.pattern)
        yield from [route] if isinstance(one, URLPattern) else routes(one, route)


NUMBERED = sorted({one for one in routes(get_resolver()) if re.match(r"admin/.*<int:", one)})
GOOD = {
    "slug": "x",
    "language": "be",
    "kind": "full",
    "part": "html",
    "target": "be",
    "verb": "begin",
    "wish": "forget",
}


def test_the_table_of_numbered_addresses_is_whole() -> None:
    assert len(NUMBERED) >= 10
    assert "admin/articles/article/draft/<int:pk>/<slug:verb>/" in NUMBERED


@pytest.mark.both_databases
def test_a_number_that_no_column_holds_is_the_number_of_nothing(desk: Client) -> None:
    for route, huge in itertools.product(NUMBERED, HUGE):
        for wrong in [found[1] for found in PARAMETER.findall(route) if found[0] == "int"]:
            values = {**GOOD, "pk": "1", "edition": "1", "link": "1", wrong: huge}
            path = "/" + PARAMETER.sub(lambda found, v=values: v[found[2]], route)
            for send in (desk.get, desk.post):
                with transaction.atomic():
                    status = send(path).status_code
                    transaction.set_rollback(True)
                assert status in {302, 404, 405}, (path, status)


# --- NUL ------------------------------------------------------------------------------------


def filters(model_admin: ModelAdmin) -> Iterator[str]:
    """The parameters of its list, its own filters' among them."""
    yield from ("q", "p", "o", "e", "_popup", "_to_field", "id__exact")
    for one in model_admin.list_filter:
        name = one[0] if isinstance(one, tuple) else one
        name = name if isinstance(name, str) else name.parameter_name
        yield from (name, f"{name}__exact", f"{name}__id__exact")


@pytest.mark.both_databases
def test_a_nul_in_a_filter_or_a_search_is_refused_and_said(desk: Client) -> None:
    for model_admin in REGISTERED:
        for name in filters(model_admin):
            answer = desk.get(f"{below(model_admin)}?{name}=a%00b")
            assert answer.status_code == 400, name
            assert "no text can have" in answer.content.decode()
        for asked in ("?a%00=b", "?a=%00", "?a=b&%00"):
            assert desk.get(below(model_admin) + asked).status_code == 400, asked


def forms(model_admin: ModelAdmin) -> Iterator[str]:
    yield below(model_admin)
    # The upload of a list reads its form by itself; see the next test.
    if model_admin.opts.model_name != "import":
        yield below(model_admin, "add")
    row = model_admin.model._default_manager.first()
    if row is not None:
        verbs = [f"do/{verb.name}" for verb in getattr(model_admin, "object_actions", ())]
        yield from (below(model_admin, str(row.pk), page) for page in ("change", "delete", *verbs))


@pytest.mark.both_databases
def test_a_nul_in_a_form_is_refused_and_changes_nothing(desk: Client) -> None:
    for path in itertools.chain.from_iterable(map(forms, REGISTERED)):
        for answer in (
            desk.post(path, {"remark_be": "a\0b"}),
            desk.post(path, {"a\0b": "x"}),
            desk.post(path, "remark_be=a%00b", content_type=FORM),
        ):
            assert answer.status_code == 400, path
            assert "Nothing was changed" in answer.content.decode()


@pytest.mark.both_databases
def test_a_nul_in_the_form_of_an_upload_is_no_edition(desk: Client) -> None:
    answer = desk.post("/admin/newsletter/import/add/", {"edition": "1\0"})
    assert answer.status_code == 400


@pytest.mark.both_databases
def test_a_nul_in_an_autosave_keeps_nothing_of_it(desk: Client) -> None:
    article = make_article()
    sent = {"language": "be", "article": str(article.pk), "body": "a\0b"}
    assert desk.post("/admin/articles/article/draft/", sent).status_code == 400


@pytest.mark.both_databases
def test_a_nul_in_the_login_form_is_refused(client: Client) -> None:
    assert client.post(LOGIN, {"login": "a\0b", "password": "x"}).status_code == 400
    assert client.get(f"{LOGIN}?next=%00").status_code == 400


# --- What a request may carry ---------------------------------------------------------------

TOO_MUCH = "too much at once"
STRANGERS = [LOGIN, "/admin/", "/admin/articles/article/add/", "/admin/articles/picture/add/"]
STRANGERS += ["/admin/newsletter/import/add/", "/admin/articles/article/draft/", "/en/subscribe/"]


def size(path: str, client: Client, length: int) -> int:
    """What a form of so many bytes is answered, of which nothing is there to be read."""
    return client.post(
        path, b"", content_type=FORM, headers={"Content-Length": str(length)}
    ).status_code


@pytest.mark.parametrize("path", STRANGERS)
def test_anonymous_requests_are_limited_on_every_path(path: str) -> None:
    client = Client()
    assert size(path, client, MAX_FORM_BYTES + 1) == 413
    assert size(path, client, MAX_FORM_BYTES) != 413
    page = client.post(path, "a" * (MAX_FORM_BYTES + 1), content_type=FORM)
    assert TOO_MUCH in page.content.decode()


def test_nothing_of_a_form_that_is_too_large_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def unread(*_args: object) -> None:
        raise AssertionError("It was read.")

    monkeypatch.setattr("django.test.client.FakePayload.read", unread)
    for path in STRANGERS:
        assert size(path, Client(), MAX_TEXT_FORM_BYTES) == 413, path


def test_larger_bodies_need_a_log_in_and_a_view_that_allows_them(desk: Client) -> None:
    article = make_article()
    for path in (
        "/admin/articles/article/add/",
        f"/admin/articles/article/{article.pk}/change/",
        f"/admin/articles/article/{article.pk}/translate/be/",
        "/admin/articles/article/draft/",
        "/admin/articles/digest/add/",
        "/admin/articles/page/add/",
        "/admin/articles/picture/add/",
    ):
        assert size(path, desk, MAX_TEXT_FORM_BYTES) != 413, path
        assert size(path, desk, MAX_TEXT_FORM_BYTES + 1) == 413, path
    for path in (
        "/admin/",
        LOGIN,
        "/admin/account/password/",
        "/admin/auth/user/add/",
        "/admin/newsletter/edition/add/",
        "/admin/newsletter/subscriber/ask/",
        f"/admin/articles/article/{article.pk}/share/",
    ):
        assert size(path, desk, MAX_FORM_BYTES) != 413, path
        assert size(path, desk, MAX_FORM_BYTES + 1) == 413, path


def test_after_the_password_alone_the_anonymous_limit_applies(client: Client) -> None:
    make_user()
    client.post(LOGIN, {"login": "editor", "password": "pass"})
    assert size("/admin/articles/article/add/", client, MAX_FORM_BYTES + 1) == 413


@pytest.mark.parametrize("length", ["", "5"])
def test_a_body_of_unknown_length_is_refused(length: str, desk: Client) -> None:
    headers = {"Transfer-Encoding": "chunked", **({"Content-Length": length} if length else {})}
    for path, client in itertools.product(STRANGERS, (Client(), desk)):
        assert client.post(path, "a=b", content_type=FORM, headers=headers).status_code == 411


@pytest.mark.parametrize("length", ["x", "²", "-1", "1e9", "+5", "9" * 30])
def test_a_length_that_is_no_number_is_refused(length: str, client: Client) -> None:
    for path in (LOGIN, "/en/subscribe/"):
        answer = client.post(path, "a=b", content_type=FORM, headers={"Content-Length": length})
        assert answer.status_code == 400
