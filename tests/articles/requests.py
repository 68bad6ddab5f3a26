"""Readers’ pages and searches, as the tests of them ask and read them."""

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
from tests.html_pages import dense

LATER = MONDAY_MORNING + dt.timedelta(hours=1)


def ask(client: Client, words: str, language: str = "be", **more: Any) -> str:
    """What the form asks. Returns the address that it leads to."""
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
    return dense(answer.content.decode())


def found(page: str) -> list[str]:
    """The titles, in their order."""
    return [unescape(strip_tags(title)) for title in re.findall(r"<h3>(.*?)</h3>", page, re.DOTALL)]


def say(article: Article, language: str, **texts: str) -> None:
    """The desk saves that."""
    for field, text in texts.items():
        setattr(article, f"{field}_{language}", text)
    save_article(article, by=make_user(), now=LATER)


def page(client: Client, path: str, status: int = 200) -> str:
    """What is answered there, which is there unless said otherwise."""
    answer = client.get(path)
    assert answer.status_code == status, path
    return dense(answer.content.decode())


def queries_of(client: Client, path: str) -> int:
    """How often the database is asked for a page, once whatever is read once has been."""
    client.get(path)
    with CaptureQueriesContext(connection) as asked:
        assert client.get(path).status_code in {200, 404}, path
    return len(asked)
