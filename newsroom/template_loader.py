"""Strips the indentation of HTML templates."""

from __future__ import annotations

import re

from django.template.base import Origin
from django.template.loaders import filesystem

INDENTATION = re.compile(r"\n[ \t]+")


class UnindentedLoader(filesystem.Loader):
    """Saves a quarter of the HTML. Text and XML are unchanged."""

    def get_contents(self, origin: Origin) -> str:
        contents = str(super().get_contents(origin))
        return INDENTATION.sub("\n", contents) if origin.name.endswith(".html") else contents
