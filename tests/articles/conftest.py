"""A browser at the desk."""

import pytest
from django.test import Client

from tests.factories import make_user


@pytest.fixture
def desk() -> Client:
    """A superuser's browser."""
    client = Client()
    client.force_login(make_user())
    return client
