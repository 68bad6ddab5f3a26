"""The web process's entry."""

import os

from django.core.wsgi import get_wsgi_application

# `ephemeral` is there before gunicorn forks, so that its workers share the memory of the keys.
from newsroom import ephemeral, starting  # noqa: F401

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "newsroom.settings")

with starting.or_say_why():
    application = get_wsgi_application()
    starting.refuse_worker_key("The web process")
