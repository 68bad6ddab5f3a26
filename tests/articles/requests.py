"""Requests to public pages and the search, and what tests read from the responses."""

from __future__ import annotations

import datetime as dt
import re
from html import unescape
from typing import Any

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.html import strip_tags

from articles.editorial.saving import save_article
from articles.models import Article
from tests.factories import MONDAY_MORNING, make_user
from tests.html_pages import normalize_html

LATER = MONDAY_MORNING + dt.timedelta(hours=1)


def submit_search(client: Client, words: str, language: str = "be", **more: Any) -> str:
    """Posts the search form. Returns the path of the results."""
    answer = client.post(f"/{language}/search/", {"q": words, **more})
    assert answer.status_code == 303, words
    return answer.headers["Location"]


def search(client: Client, words: str, language: str = "be", status: int = 200, **more: Any) -> str:
    page = more.pop("page", None)
    answer = client.post(f"/{language}/search/", {"q": words, **more})
    if answer.status_code == 303:
        path = answer.headers["Location"]
        answer = client.get(f"{path}{page}/" if page else path)
    assert answer.status_code == status, words
    return normalize_html(answer.content.decode())


def result_titles(page: str) -> list[str]:
    """The titles, in order."""
    return [unescape(strip_tags(title)) for title in re.findall(r"<h3>(.*?)</h3>", page, re.DOTALL)]


def save_text(article: Article, language: str, **texts: str) -> None:
    """Saves these fields of an article."""
    for field, text in texts.items():
        setattr(article, f"{field}_{language}", text)
    save_article(article, by=make_user(), now=LATER)


def get_page(client: Client, path: str, status: int = 200) -> str:
    """The page's normalised HTML."""
    answer = client.get(path)
    assert answer.status_code == status, path
    return normalize_html(answer.content.decode())


def count_queries(client: Client, path: str) -> int:
    """The number of queries of a page, with warm caches."""
    client.get(path)
    with CaptureQueriesContext(connection) as asked:
        assert client.get(path).status_code in {200, 404}, path
    return len(asked)
