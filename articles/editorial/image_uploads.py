"""The one door for pictures: covers, bodies and the demo's all come through it."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from articles.images import decoding, renditions
from articles.images.decoding import BadPicture
from articles.images.processing import Prepared
from articles.models import Article, Draft, Page, Picture, Revision


class CannotKeep(BadPicture):
    """The files could not be written; nothing of them is left."""


def admit(data: bytes, *, by: Any, now: dt.datetime) -> Picture:
    """Keeps an upload as a picture. Raises BadPicture; then neither row nor file is left."""
    return keep(decoding.prepare(data), Picture(), by=by, now=now)


def keep(prepared: Prepared, picture: Picture, *, by: Any, now: dt.datetime) -> Picture:
    """Writes the files and the row of what was prepared. Raises CannotKeep."""
    picture.width, picture.height = prepared.width, prepared.height
    picture.uploaded_by, picture.uploaded_at = by, now
    folder = _folder(picture.key)
    try:
        _write(prepared, folder)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        told = _("The picture cannot be written (%(reason)s). Tell whoever keeps the server.")
        raise CannotKeep(told % {"reason": error.strerror}) from None
    try:
        with transaction.atomic():
            picture.save()
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return picture


def uses_of(picture: Picture) -> list[Article]:
    """Articles whose cover it is, or that name it in a body, now or in a revision."""
    address = renditions.PATH + picture.key
    once = Revision.objects.filter(body__contains=address).values("article")
    named = Article.objects.naming(address) | Article.objects.filter(pk__in=once)
    return list((Article.objects.filter(cover=picture) | named).distinct())


def is_used(picture: Picture) -> bool:
    """Also by a page that stands, and by what somebody is typing."""
    typed = Draft.objects.filter(body__contains=renditions.PATH + picture.key)
    pages = Page.objects.naming(renditions.PATH + picture.key)
    return bool(uses_of(picture)) or typed.exists() or pages.exists()


@transaction.atomic
def remove(picture: Picture) -> None:
    """Takes row and files away; the files only once the row is gone for good."""
    folder = _folder(picture.key)
    picture.delete()
    transaction.on_commit(lambda: shutil.rmtree(folder, ignore_errors=True))


def _folder(key: str) -> Path:
    return Path(settings.MEDIA_ROOT) / renditions.FOLDER / key


def _write(prepared: Prepared, folder: Path) -> None:
    """All of them or none: a folder appears under its name once everything is in it."""
    beside = folder.with_name(f".{folder.name}")
    beside.mkdir(parents=True)
    try:
        for name, content in prepared.files.items():
            (beside / name).write_bytes(content)
        beside.rename(folder)
    except OSError:
        shutil.rmtree(beside, ignore_errors=True)
        raise
