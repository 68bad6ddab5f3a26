"""The Django project."""

from keys import core_dumps
from newsroom.celery import app as celery_app

# Every process imports this package.
core_dumps.disable()

__all__ = ["celery_app"]
