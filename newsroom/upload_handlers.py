"""What becomes of a file while it arrives: it stays in memory, or nothing of it is kept.

Django's own handlers put a large file into the temporary folder in clear. A list of subscribers
that somebody drops into the wrong form must not lie there, so no handler of ours writes a file.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

from django.core.files.uploadedfile import InMemoryUploadedFile
from django.core.files.uploadhandler import FileUploadHandler

from core.http import MAX_UPLOAD_BYTES


class InMemoryUploadHandler(FileUploadHandler):
    """Keeps a form's files in memory; of what is too large it keeps the size alone.

    So a form can say that it is too large: by its size, as of any other file.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._left = MAX_UPLOAD_BYTES
        self._content = BytesIO()

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self._content = BytesIO()

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """`start` is how much of this file has come before."""
        if start + len(raw_data) > self._left:
            self._content = BytesIO()
        elif self._content.tell() == start:
            self._content.write(raw_data)

    def file_complete(self, file_size: int) -> InMemoryUploadedFile:
        self._left -= self._content.tell()
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
