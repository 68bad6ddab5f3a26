"""Templates are indented for who writes them, and sent without it."""

from __future__ import annotations

import re

from django.template.base import Origin
from django.template.loaders import filesystem

INDENTATION = re.compile(r"\n[ \t]+")


class Loader(filesystem.Loader):
    """The project's own, whose HTML would be a quarter larger. Text and XML stay as they are."""

    def get_contents(self, origin: Origin) -> str:
        contents = str(super().get_contents(origin))
        return INDENTATION.sub("\n", contents) if origin.name.endswith(".html") else contents
