"""FILE_UPLOAD_HANDLERS: uploads stay in memory.

Django's TemporaryFileUploadHandler would write a list of subscribers that is uploaded to the wrong
form to the disk, unencrypted.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

from django.core.files.uploadedfile import InMemoryUploadedFile
from django.core.files.uploadhandler import FileUploadHandler

from core.http import MAX_UPLOAD_BYTES


class InMemoryUploadHandler(FileUploadHandler):
    """Keeps files in memory; of one that is too large only the size, for the form's error."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._remaining = MAX_UPLOAD_BYTES
        self._content = BytesIO()

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self._content = BytesIO()

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """`start` is the offset in the file."""
        if start + len(raw_data) > self._remaining:
            self._content = BytesIO()
        elif self._content.tell() == start:
            self._content.write(raw_data)

    def file_complete(self, file_size: int) -> InMemoryUploadedFile:
        self._remaining -= self._content.tell()
        self._content.seek(0)
        return InMemoryUploadedFile(
            self._content,
            self.field_name,
            str(self.file_name),
            self.content_type,
            file_size,
            self.charset,
            self.content_type_extra,
        )
