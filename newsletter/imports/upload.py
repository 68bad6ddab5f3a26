"""Taking a file in: sealed piece by piece before any of it touches a disk or a database."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, StopUpload
from django.db import transaction
from django.utils.translation import gettext as _

from keys import sealing
from newsletter.imports.reading import NoList
from newsletter.models import Edition, Import, ImportChunk, ImportStatus
from staff.audit import record
from staff.models import AuditAction

PIECE = 256 * 1024
"""Bytes of the file in one sealed chunk."""


def purpose(import_id: int, position: int) -> str:
    """What a piece is sealed for: its place in its file, so that none opens in another's."""
    return f"import {import_id} {position}"


def most_bytes() -> int:
    """How large a file may be."""
    return int(settings.IMPORT_MAX_MB) * 1024 * 1024


class TooLarge(NoList):
    """More than is taken."""

    def __init__(self) -> None:
        super().__init__(
            _("The file is larger than %(size)s MB. Cut it in two, or import it by the command.")
            % {"size": settings.IMPORT_MAX_MB}
        )


class Intake:
    """Seals what is given to it into the chunks of one import."""

    def __init__(self, now: dt.datetime, by: Any = None, *, limit: int | None = None) -> None:
        """Raises KeyMissing where there is nothing to seal with."""
        sealing.intake_key()
        self.row = Import.objects.create(uploaded_at=now, uploaded_by=by)
        self._limit, self._waiting, self._chunks = limit, bytearray(), 0

    def take(self, piece: bytes) -> None:
        """Raises TooLarge; then nothing of the file is kept."""
        self.row.size += len(piece)
        if self._limit is not None and self.row.size > self._limit:
            self.drop()
            raise TooLarge
        self._waiting += piece
        while len(self._waiting) >= PIECE:
            self._seal(PIECE)

    def finish(self) -> Import:
        """All of it is there. Raises NoList for a file without a byte."""
        if not self.row.size:
            self.drop()
            raise NoList(_("The file is empty."))
        if self._waiting:
            self._seal(len(self._waiting))
        self.row.save(update_fields=["size"])
        return self.row

    def drop(self) -> None:
        """Nothing of it stays."""
        self._waiting.clear()
        Import.objects.filter(pk=self.row.pk).delete()

    def _seal(self, length: int) -> None:
        piece = bytes(self._waiting[:length])
        del self._waiting[:length]
        ImportChunk.objects.create(
            belongs_to=self.row,
            position=self._chunks,
            sealed=sealing.seal_intake(piece, purpose(self.row.pk, self._chunks)),
        )
        self._chunks += 1


class SealedUpload(UploadedFile):  # type: ignore[type-arg]
    """What the form gets in the place of a file: the import whose chunks hold it."""

    def __init__(self, row: Import) -> None:
        super().__init__(name="list.csv", size=row.size)
        self.row = row


class SealingUploadHandler(FileUploadHandler):
    """Django's parser gives it the file piece by piece; neither memory nor disk holds all of it."""

    def __init__(self, now: dt.datetime, by: Any) -> None:
        super().__init__()
        self._now, self._by = now, by
        self._intake: Intake | None = None
        self.refused: NoList | None = None

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        if self._intake is not None:
            raise StopUpload(connection_reset=True)  # One file is asked for.
        self._intake = Intake(self._now, self._by, limit=most_bytes())

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        assert self._intake is not None
        try:
            self._intake.take(raw_data)
        except NoList as refusal:
            self.refused = refusal
            raise StopUpload(connection_reset=True) from None

    def file_complete(self, file_size: int) -> SealedUpload | None:
        assert self._intake is not None
        try:
            return SealedUpload(self._intake.finish())
        except NoList as refusal:
            self.refused = refusal
            return None

    def upload_interrupted(self) -> None:
        if self._intake is not None:
            self._intake.drop()


@transaction.atomic
def hand_to_worker(row: Import, edition: Edition | None, by: Any, now: dt.datetime) -> None:
    """The form is whole: a worker may look at the file."""
    row.move(ImportStatus.UPLOADED, {ImportStatus.UPLOADING}, edition=edition)
    record(AuditAction.UPLOADED, row, by=by, now=now)


def take_whole(pieces: Iterable[bytes], edition: Edition | None, now: dt.datetime) -> Import:
    """For the command: a file of any size. Raises NoList, KeyMissing."""
    intake = Intake(now)
    for piece in pieces:
        intake.take(piece)
    row = intake.finish()
    hand_to_worker(row, edition, None, now)
    return row
