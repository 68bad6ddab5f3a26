"""The web process's entry."""

import os

from django.core.wsgi import get_wsgi_application

from newsroom import starting

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "newsroom.settings")

with starting.or_say_why():
    application = get_wsgi_application()
    starting.refuse_worker_key("The web process")
