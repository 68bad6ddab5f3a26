"""The composition root, and the leaves that every app may use."""

from newsroom.celery import app as celery_app

__all__ = ["celery_app"]
