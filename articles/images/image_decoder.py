"""Turns an uploaded image into its renditions, in a subprocess that a hostile file may crash.

This is the parent: it starts `decoder_process`, waits for it and reads its answer.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from articles.images import decoder_process
from articles.images.decoder_process import ImageRejected, ProcessedImage
from articles.images.renditions import RENDITION_WIDTHS
from core.http import MAX_UPLOAD_BYTES

MAX_BYTES = MAX_UPLOAD_BYTES
TIMEOUT_SECONDS = 50
"""Includes the wait for other images. Below the proxy's timeout of 60 seconds."""
PASSED_ENVIRONMENT = ("LD_LIBRARY_PATH",)
"""The environment holds secrets; the subprocess gets these variables only."""
BUSY_MESSAGE = gettext_lazy("The site is busy with other pictures. Try again in a minute.")
ERROR_MESSAGES = {
    "unknown": gettext_lazy(
        "This is no JPEG, PNG, WebP, AVIF or GIF. Export the picture as one of these."
    ),
    "damaged": gettext_lazy("The picture is damaged or cut short. Export it anew and upload that."),
    "pixels": gettext_lazy("The picture has more than %(most)s million pixels. Make it smaller."),
    "narrow": gettext_lazy("The picture is narrower than %(least)s pixels. Use a larger one."),
    "tall": gettext_lazy(
        "The picture is too tall: %(height)s pixels where it is %(width)s wide, and at most "
        "%(most)s can be kept. Cut it into several pictures."
    ),
    "costly": gettext_lazy(
        "To open the picture takes too much memory or time. Make it smaller, or export it as a "
        "plain JPEG."
    ),
}
"""By `ImageRejected.code`."""

logger = logging.getLogger(__name__)


class InvalidImage(Exception):
    """The upload cannot be used. The message says what to do."""


def process_upload(data: bytes) -> ProcessedImage:
    """All renditions of an upload; one upload at a time per host. Raises InvalidImage."""
    if len(data) > MAX_BYTES:
        raise InvalidImage(too_large_message())
    try:
        done = subprocess.run(  # noqa: S603
            # -I: neither the working directory nor PYTHONPATH decides what it imports.
            [sys.executable, "-I", decoder_process.__file__, *map(str, RENDITION_WIDTHS)],
            input=data,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={name: os.environ[name] for name in PASSED_ENVIRONMENT if name in os.environ},
            cwd="/",
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except (subprocess.TimeoutExpired, OSError) as error:
        logger.warning("Image processing failed: %s", type(error).__name__)
        raise InvalidImage(str(BUSY_MESSAGE)) from None
    return _parse(done)


def process_trusted(data: bytes) -> ProcessedImage:
    """Of an image that the project drew itself: in this process, without the queue."""
    return decoder_process.process(data, RENDITION_WIDTHS)


def too_large_message() -> str:
    """For an upload of more than MAX_BYTES, which need not be read."""
    return _("The picture is larger than %(most)s MB. Make it smaller.") % {
        "most": MAX_BYTES // 1024 // 1024
    }


def _parse(done: subprocess.CompletedProcess[bytes]) -> ProcessedImage:
    """The subprocess's answer. Raises InvalidImage."""
    if done.returncode in {-signal.SIGXCPU, -signal.SIGKILL}:
        raise InvalidImage(_message(ImageRejected("costly")))
    if done.returncode:
        # A decoder crashed within its limits.
        logger.warning("The image decoder exited with %d", done.returncode)
        raise InvalidImage(_message(ImageRejected("damaged")))
    head, _newline, contents = done.stdout.partition(b"\n")
    answer = json.loads(head)
    if "rejected" in answer:
        raise InvalidImage(_message(ImageRejected(answer["rejected"], **answer["numbers"])))
    files, start = {}, 0
    for name, size in answer["sizes"].items():
        files[name] = contents[start : start + size]
        start += size
    return ProcessedImage(answer["width"], answer["height"], files)


def _message(rejected: ImageRejected) -> str:
    return str(ERROR_MESSAGES[rejected.code]) % rejected.numbers
