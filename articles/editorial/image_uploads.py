"""Storing pictures: every upload goes through here, covers and the demo's included."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from articles.images import image_decoder, renditions
from articles.images.decoder_process import ProcessedImage
from articles.images.image_decoder import InvalidImage
from articles.models import Article, Draft, Page, Picture, Revision


class PictureNotStored(InvalidImage):
    """The files could not be written; none is left."""


def upload_picture(data: bytes, *, by: Any, now: dt.datetime) -> Picture:
    """Decodes and stores an upload. Raises BadPicture; then neither row nor file is left."""
    return store_picture(image_decoder.process_upload(data), Picture(), by=by, now=now)


def store_picture(
    prepared: ProcessedImage, picture: Picture, *, by: Any, now: dt.datetime
) -> Picture:
    """Writes files and row. Raises PictureNotStored."""
    picture.width, picture.height = prepared.width, prepared.height
    picture.uploaded_by, picture.uploaded_at = by, now
    folder = _folder(picture.key)
    try:
        _write(prepared, folder)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        told = _("The picture cannot be written (%(reason)s). Tell whoever keeps the server.")
        raise PictureNotStored(told % {"reason": error.strerror}) from None
    try:
        with transaction.atomic():
            picture.save()
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return picture


def articles_using(picture: Picture) -> list[Article]:
    """Articles with it as cover or in a body, revisions included."""
    address = renditions.MEDIA_PATH + picture.key
    once = Revision.objects.filter(body__contains=address).values("article")
    named = Article.objects.naming(address) | Article.objects.filter(pk__in=once)
    return list((Article.objects.filter(cover=picture) | named).distinct())


def is_picture_used(picture: Picture) -> bool:
    """By an article, a static page or an autosaved draft."""
    typed = Draft.objects.filter(body__contains=renditions.MEDIA_PATH + picture.key)
    pages = Page.objects.naming(renditions.MEDIA_PATH + picture.key)
    return bool(articles_using(picture)) or typed.exists() or pages.exists()


@transaction.atomic
def delete_picture(picture: Picture) -> None:
    """Deletes the row, and the files after the commit."""
    folder = _folder(picture.key)
    picture.delete()
    transaction.on_commit(lambda: shutil.rmtree(folder, ignore_errors=True))


def _folder(key: str) -> Path:
    return Path(settings.MEDIA_ROOT) / renditions.MEDIA_FOLDER / key


def _write(prepared: ProcessedImage, folder: Path) -> None:
    """All or none: the folder is renamed once it is complete."""
    beside = folder.with_name(f".{folder.name}")
    beside.mkdir(parents=True)
    try:
        for name, content in prepared.files.items():
            (beside / name).write_bytes(content)
        beside.rename(folder)
    except OSError:
        shutil.rmtree(beside, ignore_errors=True)
        raise
