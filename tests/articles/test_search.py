"""Readers' search."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.factories import make_article

pytestmark = pytest.mark.django_db


def test_an_inflected_word_finds_the_other_forms(client: Client) -> None:
    article = make_article(title="Выбары")
    page = client.post("/be/search/", {"q": "выбарах"}).content.decode()
    assert article.path_in("be") in page
    assert "<mark>Выбары</mark>" in page
