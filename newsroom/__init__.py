"""The composition root, and the leaves that every app may use."""

from keys import core_dumps
from newsroom.celery import app as celery_app

# Here, since there is no process of ours that does not come by.
core_dumps.forbid()

__all__ = ["celery_app"]
