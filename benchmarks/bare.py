"""The least that Django can do: one view that answers with the bytes of a file. See pages.py."""

import os
from pathlib import Path

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import re_path

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="bare")
BODY = Path(os.environ["BARE_FILE"]).read_bytes()


def answer(request: HttpRequest) -> HttpResponse:
    """Always the same."""
    return HttpResponse(BODY)


urlpatterns = [re_path("", answer)]
application = get_wsgi_application()
