"""The web process's entry: public pages from memory, and Django behind."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from articles import site_version

# `ephemeral` is there before the server forks, so that its workers share the memory of the keys.
from newsroom import server, startup_checks
from newsroom.page_cache import PageCache, Version

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "newsroom.settings")

with startup_checks.or_say_why():
    django = server.without_our_environment(get_wsgi_application())
    startup_checks.refuse_worker_key("The web process")
    application = PageCache(
        django, Version(site_version.current).current, settings.PAGE_CACHE_MB * 1024 * 1024
    )
