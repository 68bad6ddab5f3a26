"""A browser at the desk."""

import pytest
from django.test import Client

from articles.keeping.store import Store
from tests.factories import make_user


@pytest.fixture
def desk() -> Client:
    """A superuser's browser."""
    client = Client()
    client.force_login(make_user())
    return client


@pytest.fixture
def nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each page is made anew, as for its first visitor: PAGE_CACHE_MB=0."""
    monkeypatch.setattr(Store, "is_used", False)
