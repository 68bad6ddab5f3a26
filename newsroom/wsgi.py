"""The WSGI application: the page cache in front of Django."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from articles import site_version
from keys.ephemeral import HOURLY_KEYS
from newsroom import server, startup_checks
from newsroom.page_cache import PageCache, VersionPoller

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "newsroom.settings")

# Before the server forks: a query that one web process encrypts, another decrypts.
HOURLY_KEYS.allocate()

with startup_checks.exit_on_startup_error():
    django = server.without_process_environment(get_wsgi_application())
    startup_checks.refuse_worker_key("The web process")
    application = PageCache(
        django, VersionPoller(site_version.current).current, settings.PAGE_CACHE_MB * 1024 * 1024
    )
