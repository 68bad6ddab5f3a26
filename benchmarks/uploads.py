"""What hostile pictures take of memory and time, and of which process.

    python benchmarks/uploads.py [--rounds 1] [--workers 2]

Starts the site on a database of its own, logs in, and uploads one picture after
another in the admin: each is as large as the bounds allow, in another format, or hides something
that unpacks to much more. Prints for each what the site said, how long it took, the peak of the
web processes and that of the process that decodes; and in the end what the web processes hold
before and after all of them. Needs Linux, which tells a process's peak in /proc.
"""

from __future__ import annotations

import argparse
import html
import http.cookiejar
import io
import os
import re
import secrets
import struct
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.http_observatory import free_ports, manage  # noqa: E402
from demo import process_manager  # noqa: E402

WIDTH, HEIGHT = 8_660, 5_773
"""50 million pixels."""
ADD = "/admin/articles/picture/add/"
LOG_IN = "/admin/account/login/"
DECODER = "image_processing"
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Of a PNG, by its kind of colour."""
KB = 1024
EVERY_SECONDS = 0.01


# --- The pictures ------------------------------------------------------------------------


def chunk(kind: bytes, content: bytes) -> bytes:
    """One of a PNG's."""
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def png(width: int, height: int, depth: int, colour: int, more: bytes = b"") -> bytes:
    """The same row again and again, so that 400 MB of pixels are a file of some megabytes."""
    row = (
        b"\0"
        + (bytes(range(256)) * (width * 8 // 256 + 1))[: width * CHANNELS[colour] * depth // 8]
    )
    packer = zlib.compressobj(1)
    rows = b"".join([packer.compress(row) for _ in range(height)] + [packer.flush()])
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    return start + more + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    """As Pillow writes it."""
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def slope(mode: str = "RGB", size: tuple[int, int] = (WIDTH, HEIGHT)) -> Image.Image:
    """A picture that is not of one colour."""
    grey = Image.radial_gradient("L").resize(size)
    return Image.merge("RGB", (grey, grey, grey)).convert(mode)


def packed_text(count: int) -> bytes:
    """Chunks of text that unpack to a megabyte each."""
    text = zlib.compress(bytes(1024 * 1024 - 9), 9)
    return b"".join(chunk(b"zTXt", b"k%d\0\0" % number + text) for number in range(count))


def commented_gif() -> bytes:
    """20 MB of comments in pieces of 255 bytes."""
    plain = encoded(Image.new("P", (400, 300)), "GIF")
    start = 13 + (3 << ((plain[10] & 7) + 1) if plain[10] & 0x80 else 0)
    comment = b"\x21\xfe" + (b"\xff" + b"c" * 255) * 78_000 + b"\0"
    return plain[:start] + comment + plain[start:]


def many_frames() -> bytes:
    """An animation of 3,000 frames."""
    frames = [Image.new("P", (400, 300), number % 250) for number in range(3_000)]
    return encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])


PALETTE = chunk(b"PLTE", bytes(range(256)) * 3) + chunk(b"tRNS", bytes(range(256)))
PICTURES: dict[str, Callable[[], bytes]] = {
    "PNG, RGBA of 16 bits": lambda: png(WIDTH, HEIGHT, 16, 6),
    "PNG, RGB of 16 bits": lambda: png(WIDTH, HEIGHT, 16, 2),
    "PNG, RGBA, not to be halved": lambda: png(7_000, 7_100, 8, 6),
    "PNG, transparent palette": lambda: png(WIDTH, HEIGHT, 8, 3, PALETTE),
    "PNG, 2 GB of text": lambda: png(800, 450, 8, 2, packed_text(2_000)),
    "PNG, a million chunks": lambda: png(800, 450, 8, 2, chunk(b"tEXt", b"a\0b") * 1_200_000),
    "JPEG": lambda: encoded(slope(), "JPEG"),
    "JPEG, progressive, 4:4:4": lambda: encoded(slope(), "JPEG", progressive=True, subsampling=0),
    "JPEG, progressive, CMYK": lambda: encoded(slope("CMYK"), "JPEG", progressive=True),
    "JPEG, a profile of 15 MB": lambda: encoded(
        slope(size=(800, 450)), "JPEG", icc_profile=bytes(15 << 20)
    ),
    "WebP": lambda: encoded(slope(size=(16_383, 3_051)), "WEBP", method=0),
    "WebP of 24 million pixels": lambda: encoded(slope(size=(6_000, 4_000)), "WEBP", method=0),
    "AVIF": lambda: encoded(slope(), "AVIF", speed=10),
    "AVIF of 24 million pixels": lambda: encoded(slope(size=(6_000, 4_000)), "AVIF", speed=10),
    "GIF": lambda: encoded(slope("P"), "GIF"),
    "GIF, 20 MB of comments": commented_gif,
    "GIF, 3,000 frames": many_frames,
    "320 x 16,000": lambda: png(320, 16_000, 8, 2),
    "320 x 20,000": lambda: png(320, 20_000, 8, 2),
    "1920 x 16,000": lambda: png(1_920, 16_000, 8, 2),
    "a photo of 24 million pixels": lambda: encoded(slope(size=(6_000, 4_000)), "JPEG"),
}


# --- The site ----------------------------------------------------------------------------


@contextmanager
def site(folder: Path, workers: int) -> Iterator[tuple[str, dict[str, str], list[int]]]:
    """Its address, an editor's name and password, and the ids of its processes."""
    [port] = free_ports(1)
    account = {"login": "editor", "password": secrets.token_urlsafe(9)}
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        "PYTHONPATH": str(ROOT),
        "VAR_DIR": str(folder),
        "REQUIRE_SECOND_FACTOR": "0",
        "SITE_URL": f"http://127.0.0.1:{port}",
        "DJANGO_SUPERUSER_PASSWORD": account["password"],
    }
    manage(environment, "make_keys")
    manage(environment, "migrate")
    manage(
        environment, "createsuperuser", "--noinput", "--username", "editor", "--email", "e@e.org"
    )
    web = [sys.executable, "-m", "newsroom.web"]
    web += ["--bind", f"127.0.0.1:{port}", "--workers", str(workers)]
    with process_manager.running({"web": web}, environment, folder / "log") as processes:
        address = f"http://127.0.0.1:{port}"
        process_manager.wait_until_ready(f"{address}/healthz", processes)
        yield (
            address,
            account,
            [pid for pid in processes_of(r"newsroom\.(web|server).*127\.0\.0\.1:" + str(port))],
        )


@dataclass
class Editor:
    """Logged in, as a browser is."""

    address: str
    opener: urllib.request.OpenerDirector = field(
        default_factory=lambda: urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        )
    )

    def log_in(self, account: dict[str, str]) -> None:
        """Raises RuntimeError if the site does not let them in."""
        data = urllib.parse.urlencode({**account, "csrfmiddlewaretoken": self.token(LOG_IN)})
        with self.opener.open(self.address + LOG_IN, data.encode()) as answer:
            if answer.url.endswith(LOG_IN):
                raise RuntimeError("The site did not let us in.")

    def token(self, path: str) -> str:
        """Of a page's form."""
        with self.opener.open(self.address + path) as answer:
            found = re.search(r'csrfmiddlewaretoken" value="(\w+)"', answer.read().decode())
        return found[1] if found else ""

    def upload(self, picture: bytes, token: str) -> str:
        """What the site said of it."""
        end = secrets.token_hex(16)
        fields = {"csrfmiddlewaretoken": token, "credit": ""}
        part = f'--{end}\r\nContent-Disposition: form-data; name="'
        body = "".join(
            f'{part}{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()
        ).encode()
        body += f'{part}file"; filename="x"\r\nContent-Type: image/png\r\n\r\n'.encode()
        body += picture + f"\r\n--{end}--\r\n".encode()
        kind = {"Content-Type": f"multipart/form-data; boundary={end}"}
        try:
            with self.opener.open(urllib.request.Request(self.address + ADD, body, kind)) as answer:
                if not answer.url.endswith(ADD):
                    return "kept"
                found = re.search(
                    r'"errorlist[^>]*>\s*<li>(.*?)</li>', answer.read().decode(), re.DOTALL
                )
                return html.unescape(found[1]).strip() if found else "refused without a word"
        except urllib.error.HTTPError as error:
            return f"answered {error.code}"
        except OSError as error:
            return f"no answer: {type(error).__name__}"


# --- What it takes -----------------------------------------------------------------------


def processes_of(words: str) -> list[int]:
    """Ids of processes in whose command the words are found."""
    running = [int(entry.name) for entry in Path("/proc").glob("[0-9]*")]
    return [process for process in running if re.search(words, command_of(process))]


def command_of(process: int) -> str:
    """Empty once it has ended."""
    try:
        words = Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return ""
    return words.replace(b"\0", b" ").decode(errors="replace")


def megabytes(process: int, what: str) -> float:
    """VmHWM: the most it ever held since it was last reset; VmRSS: what it holds."""
    try:
        found = re.search(rf"{what}:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    except OSError:
        return 0.0
    return int(found[1]) / KB if found else 0.0


class Decoders(threading.Thread):
    """Looks again and again for what the web processes have started, while it runs."""

    def __init__(self, web: list[int]) -> None:
        super().__init__(daemon=True)
        self.peak, self._web, self._done = 0.0, web, threading.Event()

    def run(self) -> None:
        while not self._done.wait(EVERY_SECONDS):
            for process in self._web:
                for tasks in Path(f"/proc/{process}/task").glob("*/children"):
                    for child in map(int, tasks.read_text().split()):
                        # Until it runs a program of its own it is a copy of its parent.
                        if DECODER in command_of(child):
                            self.peak = max(self.peak, megabytes(child, "VmHWM"))

    def stop(self) -> float:
        """The most that any of them held, in MB."""
        self._done.set()
        self.join()
        return self.peak


def main() -> None:
    """The entry."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    pictures = {name: make() for name, make in PICTURES.items()}
    with (
        tempfile.TemporaryDirectory(prefix="uploads-") as folder,
        site(Path(folder), arguments.workers) as (address, account, web),
    ):
        editor = Editor(address)
        editor.log_in(account)
        before = [megabytes(process, "VmRSS") for process in web]
        print(f"{'':30}{'MB':>6}{'s':>7}{'web MB':>8}{'decoder':>9}  said")
        for _ in range(arguments.rounds):
            for name, picture in pictures.items():
                measure(name, picture, editor, web)
        after = [megabytes(process, "VmRSS") for process in web]
    print("held by each web process, MB:")
    print("  before:", *(f"{one:.0f}" for one in before))
    print("  after: ", *(f"{one:.0f}" for one in after))


def measure(name: str, picture: bytes, editor: Editor, web: list[int]) -> None:
    """Uploads one and prints its line."""
    token = editor.token(ADD)
    for process in web:
        Path(f"/proc/{process}/clear_refs").write_text("5")
    decoders = Decoders(web)
    decoders.start()
    began = time.monotonic()
    said = editor.upload(picture, token)
    seconds, decoder = time.monotonic() - began, decoders.stop()
    peak = max(megabytes(process, "VmHWM") for process in web)
    size = len(picture) / KB / KB
    print(f"{name:30}{size:6.1f}{seconds:7.1f}{peak:8.0f}{decoder:9.0f}  {said}", flush=True)


if __name__ == "__main__":
    main()
