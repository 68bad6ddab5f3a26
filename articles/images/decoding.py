"""A picture's files, made in a process of their own: what a hostile upload can take is its.

`processing` is that process; here it is started, watched and understood.
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

from articles.images import processing, renditions
from articles.images.processing import Prepared, Refused
from core.http import MAX_UPLOAD_BYTES

MOST_BYTES = MAX_UPLOAD_BYTES
TIMEOUT_SECONDS = 50
"""For waiting until other pictures are done and for its own; a proxy waits for a minute."""
KEPT_VARIABLES = ("LD_LIBRARY_PATH",)
"""All that the process is told of our environment, which has secrets."""
BUSY = gettext_lazy("The site is busy with other pictures. Try again in a minute.")
REFUSALS = {
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
"""What is said of an upload, by the codes of `Refused`."""

logger = logging.getLogger(__name__)


class BadPicture(Exception):
    """The upload is no picture that can be shown; says what to do."""


def prepare(data: bytes) -> Prepared:
    """All the files of a picture; one at a time on this host. Raises BadPicture."""
    if len(data) > MOST_BYTES:
        raise BadPicture(too_heavy())
    try:
        done = subprocess.run(  # noqa: S603
            # Isolated: neither our folder nor a variable decides what it imports.
            [sys.executable, "-I", processing.__file__, *map(str, renditions.RUNGS)],
            input=data,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ},
            cwd="/",
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except (subprocess.TimeoutExpired, OSError) as error:
        logger.warning("No picture was made: %s", type(error).__name__)
        raise BadPicture(str(BUSY)) from None
    return _understood(done)


def prepare_own(data: bytes) -> Prepared:
    """Of a picture that we drew ourselves: in this process, several at a time."""
    return processing.process(data, renditions.RUNGS)


def too_heavy() -> str:
    """What to say to an upload of more than MOST_BYTES, which need not be read for that."""
    return _("The picture is larger than %(most)s MB. Make it smaller.") % {
        "most": MOST_BYTES // 1024 // 1024
    }


def _understood(done: subprocess.CompletedProcess[bytes]) -> Prepared:
    """What the process found. Raises BadPicture."""
    if done.returncode in {-signal.SIGXCPU, -signal.SIGKILL}:
        raise BadPicture(_explained(Refused("costly")))
    if done.returncode:
        # A decoder broke on it, which no limit foresaw.
        logger.warning("A picture's process ended with %d", done.returncode)
        raise BadPicture(_explained(Refused("damaged")))
    head, _newline, contents = done.stdout.partition(b"\n")
    said = json.loads(head)
    if "refused" in said:
        raise BadPicture(_explained(Refused(said["refused"], **said["numbers"])))
    files, start = {}, 0
    for name, size in said["sizes"].items():
        files[name] = contents[start : start + size]
        start += size
    return Prepared(said["width"], said["height"], files)


def _explained(refused: Refused) -> str:
    return str(REFUSALS[refused.code]) % refused.numbers
