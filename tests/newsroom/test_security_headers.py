"""What every answer tells the browser to refuse."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from articles.public import selectors
from tests.articles.browser import change_url
from tests.factories import make_article, make_edition, make_picture

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parents[2]


def policy_of(answer: Any) -> dict[str, list[str]]:
    """The answer's content security policy, by directive."""
    directives = [part.split() for part in answer.headers["Content-Security-Policy"].split(";")]
    return {name: sources for name, *sources in directives}


def assert_runs_nothing(policy: dict[str, list[str]]) -> None:
    assert policy["default-src"] == ["'none'"]
    assert not [name for name in policy if name.startswith("script-src")]
    assert policy["frame-ancestors"] == policy["base-uri"] == ["'none'"]
    assert policy["form-action"] == policy["style-src"] == policy["img-src"] == ["'self'"]
    assert policy["require-trusted-types-for"] == ["'script'"]


def test_public_responses_forbid_scripts_and_external_resources(client: Client) -> None:
    make_edition()
    article = make_article(cover=make_picture())
    for path, status in {
        "/": 200,
        article.path_in("be"): 200,
        "/ru/subscribe/": 200,
        "/static/site.css": 200,
        article.cover.path: 200,
        "/en/nowhere/": 404,
        "/en/confirm/nonsense/": 404,
    }.items():
        answer = client.get(path)
        assert answer.status_code == status, path
        assert_runs_nothing(policy_of(answer))
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert "camera=()" in answer.headers["Permissions-Policy"]
        assert "Access-Control-Allow-Origin" not in answer.headers


def test_the_page_after_a_crash_forbids_as_much(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(_language: str) -> None:
        raise RuntimeError

    monkeypatch.setattr(selectors, "newest_week", breaks)
    answer = Client(raise_request_exception=False).get("/")
    assert answer.status_code == 500
    assert_runs_nothing(policy_of(answer))


def test_only_media_files_are_cross_origin(client: Client) -> None:
    article = make_article(cover=make_picture())

    def sharing(path: str) -> str:
        return str(client.get(path).headers["Cross-Origin-Resource-Policy"])

    assert sharing(article.cover.path) == "cross-origin"
    assert sharing("/") == sharing("/static/site.css") == sharing("/admin/login/") == "same-origin"


def test_only_a_page_with_the_editor_allows_what_the_editor_needs(desk: Client) -> None:
    without = [policy_of(desk.get(path)) for path in ("/admin/", "/admin/articles/article/")]
    for policy in without:
        assert policy["default-src"] == ["'none'"]
        assert policy["script-src"] == ["'self'", "'unsafe-eval'"]
        assert policy["style-src"] == policy["img-src"] == policy["connect-src"] == ["'self'"]
        assert not [name for name, sources in policy.items() if "'unsafe-inline'" in sources]
    for path in ("/admin/articles/article/add/", change_url(make_article())):
        policy = policy_of(desk.get(path))
        assert policy.pop("script-src-attr") == ["'unsafe-inline'"]
        assert policy.pop("style-src") == ["'self'", "'unsafe-inline'"]
        assert policy == {key: value for key, value in without[0].items() if key != "style-src"}


def test_the_admin_is_not_cached_and_sends_no_referrer_elsewhere(
    desk: Client,
) -> None:
    for path in ("/admin/", "/admin/login/", "/admin/jsi18n/", "/admin/nowhere/"):
        answer = desk.get(path)
        assert "no-store" in answer.headers["Cache-Control"], path
        assert answer.headers["Referrer-Policy"] == "same-origin"


def test_only_the_admin_may_use_passkeys(client: Client) -> None:
    asked = "publickey-credentials-get"
    assert f"{asked}=(self)" in client.get("/admin/login/").headers["Permissions-Policy"]
    assert f"{asked}=()" in client.get("/").headers["Permissions-Policy"]


def test_only_a_page_that_came_over_tls_upgrades_its_links(client: Client) -> None:
    assert "upgrade-insecure-requests" in policy_of(client.get("/", secure=True))
    assert "upgrade-insecure-requests" not in policy_of(client.get("/"))


def test_no_page_has_a_script_or_a_style_within(subtests: pytest.Subtests) -> None:
    """A policy that had to allow one would allow an attacker's too."""
    within = r"<style|<script(?![^>]*\bsrc=)|\sstyle=|\son[a-z]+=|javascript:"
    templates = [one for one in (ROOT / "templates").rglob("*.html") if "email" not in one.parts]
    assert len(templates) > 50
    for template in templates:
        with subtests.test(template=template.name):
            # What a search engine is told is data, which no browser runs.
            markup = template.read_text().replace('<script type="application/ld+json">', "")
            assert not re.search(within, markup)


def test_in_production_cookies_and_pages_insist_on_tls(tmp_path: Path) -> None:
    script = """
import django; django.setup()
from django.conf import settings
from django.test import Client
answer = Client(headers={"x-forwarded-proto": "https"}).get("/static/site.css")
print(answer.headers["Strict-Transport-Security"], settings.SESSION_COOKIE_NAME,
      settings.CSRF_COOKIE_NAME, settings.SESSION_COOKIE_SECURE, settings.CSRF_COOKIE_SECURE)
answer = Client().get("/en/")
print(answer.status_code, answer.headers["Location"], "default-src 'none'" in
      answer.headers["Content-Security-Policy"])
"""
    environment = {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "newsroom.settings",
        "VAR_DIR": str(tmp_path),
        "STATIC_ROOT": str(tmp_path),
        "PRODUCTION": "1",
        "SITE_URL": "https://example.org",
        "SECRET_KEY": secrets.token_urlsafe(50),
        "RELAY_URL": "smtp://relay.example.org",
        "ALLOWED_HOSTS": "testserver",
    }
    (tmp_path / "site.css").write_text("")
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.stdout.splitlines() == [
        "max-age=31536000; includeSubDomains; preload "
        "__Secure-sessionid __Secure-csrftoken True True",
        "301 https://testserver/en/ True",
    ], done.stderr
