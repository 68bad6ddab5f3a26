"""Uploads: each chunk is sealed before any of it reaches a disk or the database."""

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
from newsletter.imports.reading import UnreadableFile
from newsletter.models import Edition, Import, ImportChunk, ImportStatus
from staff.audit import record
from staff.models import AuditAction

CHUNK_BYTES = 256 * 1024
"""Of the file, per sealed chunk."""


def chunk_purpose(import_id: int, position: int) -> str:
    """Binds a sealed chunk to its position, so that it opens in no other."""
    return f"import {import_id} {position}"


def max_upload_bytes() -> int:
    """IMPORT_MAX_MB in bytes."""
    return int(settings.IMPORT_MAX_MB) * 1024 * 1024


class FileTooLarge(UnreadableFile):
    """Larger than IMPORT_MAX_MB."""

    def __init__(self) -> None:
        super().__init__(
            _("The file is larger than %(size)s MB. Cut it in two, or import it by the command.")
            % {"size": settings.IMPORT_MAX_MB}
        )


class ChunkWriter:
    """Seals what is written to it as the chunks of one import."""

    def __init__(self, now: dt.datetime, by: Any = None, *, limit: int | None = None) -> None:
        """Raises KeyNotFound where there is no intake key."""
        sealing.intake_key()
        self.row = Import.objects.create(uploaded_at=now, uploaded_by=by)
        self._limit, self._buffer, self._position = limit, bytearray(), 0

    def write(self, data: bytes) -> None:
        """Raises FileTooLarge; then nothing of the file is kept."""
        self.row.size += len(data)
        if self._limit is not None and self.row.size > self._limit:
            self.discard()
            raise FileTooLarge
        self._buffer += data
        while len(self._buffer) >= CHUNK_BYTES:
            self._seal(CHUNK_BYTES)

    def close(self) -> Import:
        """Seals the rest. Raises UnreadableFile for an empty file."""
        if not self.row.size:
            self.discard()
            raise UnreadableFile(_("The file is empty."))
        if self._buffer:
            self._seal(len(self._buffer))
        self.row.save(update_fields=["size"])
        return self.row

    def discard(self) -> None:
        """Deletes the import with its chunks."""
        self._buffer.clear()
        Import.objects.filter(pk=self.row.pk).delete()

    def _seal(self, length: int) -> None:
        chunk = bytes(self._buffer[:length])
        del self._buffer[:length]
        ImportChunk.objects.create(
            belongs_to=self.row,
            position=self._position,
            sealed=sealing.seal_intake(chunk, chunk_purpose(self.row.pk, self._position)),
        )
        self._position += 1


class SealedUpload(UploadedFile):  # type: ignore[type-arg]
    """What the form gets instead of a file: the import whose chunks hold it."""

    def __init__(self, row: Import) -> None:
        super().__init__(name="list.csv", size=row.size)
        self.row = row


class SealingUploadHandler(FileUploadHandler):
    """Seals the upload as it streams in; neither memory nor disk ever holds all of it."""

    def __init__(self, now: dt.datetime, by: Any) -> None:
        super().__init__()
        self._now, self._by = now, by
        self._writer: ChunkWriter | None = None
        self.error: UnreadableFile | None = None

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        if self._writer is not None:
            raise StopUpload(connection_reset=True)  # The form has one file field.
        self._writer = ChunkWriter(self._now, self._by, limit=max_upload_bytes())

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        assert self._writer is not None
        try:
            self._writer.write(raw_data)
        except UnreadableFile as error:
            self.error = error
            raise StopUpload(connection_reset=True) from None

    def file_complete(self, file_size: int) -> SealedUpload | None:
        assert self._writer is not None
        try:
            return SealedUpload(self._writer.close())
        except UnreadableFile as error:
            self.error = error
            return None

    def upload_interrupted(self) -> None:
        if self._writer is not None:
            self._writer.discard()


@transaction.atomic
def queue_import(row: Import, edition: Edition | None, by: Any, now: dt.datetime) -> None:
    """The form is valid: a worker may check the file."""
    row.transition(ImportStatus.UPLOADED, {ImportStatus.UPLOADING}, edition=edition)
    record(AuditAction.UPLOADED, row, by=by, now=now)


def import_from_chunks(
    chunks: Iterable[bytes], edition: Edition | None, now: dt.datetime
) -> Import:
    """For the command: a file of any size. Raises UnreadableFile, KeyNotFound."""
    writer = ChunkWriter(now)
    for chunk in chunks:
        writer.write(chunk)
    row = writer.close()
    queue_import(row, edition, None, now)
    return row
