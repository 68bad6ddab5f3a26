"""Screenshots of the demo in Chromium: `make screenshots`.

Runs the demo newsroom on free ports in a folder of its own, photographs the site, the admin
and the caught letters at the widths of a phone, a tablet and a desktop, in light and dark mode,
into var/screenshots/, and puts the best, made small, into docs/pictures/. Exits with 1 if a page is
wider than its window.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from demo.mail_catcher.letters import Letter, LetterBox  # noqa: E402
from tests.chromium import running_chromium  # noqa: E402
from tests.services import ServiceNotInstalled  # noqa: E402

OUTPUT = ROOT / "var" / "screenshots"
PICTURES = ROOT / "docs" / "pictures"
PHONE, TABLET, DESKTOP = 360, 768, 1280
HEIGHTS = {PHONE: 740, TABLET: 1024, DESKTOP: 900}
THEMES = ("light", "dark")
COLOURS = 128
"""Of a picture in the documents."""
READY = "Ctrl-C stops everything"


@dataclass(frozen=True)
class Shot:
    """One page, photographed at these widths in both themes."""

    name: str
    path: str
    widths: tuple[int, ...] = (PHONE, TABLET, DESKTOP)
    whole: bool = True
    """The whole page, or only what the window shows."""
    focus: str = ""
    """A selector to scroll to first."""
    press: str = ""
    """A selector to click first."""


SITE = (
    Shot("home", "/en/"),
    Shot("home-be", "/be/"),
    Shot("article", "{article}"),
    Shot("article-be", "{article_be}"),
    Shot("week", "{week}"),
    Shot("topic", "/ru/topics/elite/"),
    Shot("weeks", "/en/weeks/"),
    Shot("author", "/be/authors/marta-zubr/"),
    Shot("search", "/ru/search/?q=министерство"),
    Shot("barometer", "/en/barometer/"),
    Shot("barometer-be", "/be/barometer/"),
    Shot("about", "/ru/about/"),
    Shot("privacy", "/be/privacy/"),
    Shot("subscribe", "/be/subscribe/"),
    Shot("subscribed", "/ru/subscribe/done/", (PHONE, DESKTOP)),
    Shot("leaving", "{leaving}", (PHONE, DESKTOP)),
    Shot("broken-link", "/be/letter/nonsense/", (PHONE, DESKTOP)),
    Shot("no-such-page", "/ru/nowhere/", (PHONE, DESKTOP)),
)
ADMIN = (
    Shot("admin-login", "/admin/login/", (PHONE, DESKTOP)),
    Shot("admin", "/admin/", (PHONE, DESKTOP)),
    Shot("admin-articles", "/admin/articles/article/", whole=False),
    Shot(
        "admin-chosen", "/admin/articles/article/", (PHONE, DESKTOP), False, press="#action-toggle"
    ),
    Shot("admin-article", "{admin_article}"),
    Shot(
        "admin-editor",
        "{admin_article}",
        (PHONE, DESKTOP),
        whole=False,
        press="[role=tab]:text-is('Беларуская')",
        focus=".cke_chrome:visible",
    ),
    Shot(
        "admin-withdraw",
        "{admin_article}",
        (PHONE, DESKTOP),
        False,
        press=".action-question summary",
    ),
    Shot("admin-translate", "{admin_translate}", (PHONE, DESKTOP), False),
    Shot("admin-revisions", "{admin_revisions}", (PHONE, DESKTOP), False),
    Shot("admin-pages", "/admin/articles/page/", (PHONE, DESKTOP), False),
    Shot("admin-picture", "{admin_picture}", (PHONE, DESKTOP)),
    Shot("admin-pictures", "/admin/articles/picture/", (PHONE, DESKTOP), False),
    Shot("admin-audit", "/admin/staff/auditentry/", (PHONE, DESKTOP), False),
    Shot("admin-digest", "{admin_digest}", (PHONE, DESKTOP)),
    Shot("admin-mailings", "/admin/newsletter/mailing/", (PHONE, DESKTOP)),
    Shot("admin-mailing", "{admin_mailing}", (PHONE, DESKTOP)),
    Shot("admin-edition", "{admin_edition}", (PHONE, DESKTOP)),
    Shot("admin-users", "/admin/auth/user/", (PHONE, DESKTOP)),
)
LETTERS = tuple(
    Shot(f"letter-{edition}-{part}", f"{{letter_{edition}_{part}}}", (PHONE, DESKTOP))
    for edition in ("en", "be")
    for part in ("html", "text", "discreet")
)
# The picture's name, and the photograph that it is made of.
CHOSEN = {
    "home": "home-1280-light",
    "home-dark": "home-be-1280-dark",
    "barometer": "barometer-1280-light",
    "phone": "article-be-360-light",
    "article": "article-1280-light",
    "editor": "admin-editor-1280-light",
    "desk": "admin-articles-1280-light",
    "digest": "admin-mailing-1280-dark",
    "translating": "admin-translate-1280-light",
    "first-page": "admin-1280-light",
    "matrix": "admin-digest-1280-light",
    "letter": "letter-be-html-1280-light",
    "discreet": "letter-en-discreet-1280-light",
}
MAX_HEIGHT = 1400
"""Of a picture in the documents, in pixels."""


class TooWide(Exception):
    """A page that has to be scrolled sideways; says which."""


def take(page: Page, url: str, path: str, shot: Shot, width: int, theme: str, output: Path) -> Path:
    """Photographs one page. Raises TooWide, after the photograph."""
    page.set_viewport_size({"width": width, "height": HEIGHTS[width]})
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    # The editor is put together after the page has loaded.
    page.goto(url + path, wait_until="networkidle" if "/admin/" in path else "load")
    if shot.press:
        page.locator(shot.press).first.click()
    if shot.focus:
        page.wait_for_selector(shot.focus)
        page.locator(shot.focus).first.evaluate("it => it.scrollIntoView({block: 'center'})")
    if shot.press or shot.focus:
        # Unfold's menus and bars slide in.
        page.wait_for_timeout(400)
    file = output / f"{shot.name}-{width}-{theme}.png"
    output.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=file, full_page=shot.whole, animations="disabled", caret="hide")
    wide = page.evaluate("document.documentElement.scrollWidth")
    if wide > width:
        raise TooWide(f"{file.name}: {path} is {wide} pixels wide")
    return file


# --- The demo ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Demo:
    """A demo that runs, and where its things are."""

    port: int
    folder: Path

    @property
    def site(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def catcher(self) -> str:
        return f"http://127.0.0.1:{self.port + 1}"

    def password(self) -> str:
        return (self.folder / "keys" / "demo-password").read_text().strip()

    def letters(self) -> list[Letter]:
        return LetterBox(self.folder / "mail").letters()


def free_ports(count: int) -> int:
    """The first of so many free ports in a row."""
    for first in range(18000, 19000, count):
        with contextlib.ExitStack() as stack:
            try:
                for port in range(first, first + count):
                    stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:
                continue
        return first
    raise RuntimeError("no free ports")


@contextlib.contextmanager
def running_demo(folder: Path) -> Iterator[Demo]:
    """`make run` in a folder of its own, until the letters are out."""
    port = free_ports(3)
    environment = {**os.environ, "VAR_DIR": str(folder), "PORT": str(port)}
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, str(ROOT / "manage.py"), "run_demo"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        if not any(READY in line for line in process.stdout):
            raise RuntimeError(f"The demo ended with {process.wait()}.")
        yield Demo(port, folder)
    finally:
        process.terminate()
        process.wait()


def log_in(page: Page, demo: Demo) -> None:
    """Into the admin, as the demo's editor."""
    page.goto(f"{demo.site}/admin/")
    page.locator("input[type=text]:visible").first.fill("editor")
    page.locator("input[type=password]:visible").fill(demo.password())
    page.keyboard.press("Enter")
    page.wait_for_url(f"{demo.site}/admin/")


def addresses(page: Page, demo: Demo) -> dict[str, str]:
    """Where the newest of each kind is, for the paths of the shots."""

    def first(path: str, link: str) -> str:
        page.goto(demo.site + path)
        return page.locator(link).first.get_attribute("href") or ""

    found = {
        "article": first("/en/", ".item h2 a"),
        "article_be": first("/be/", ".item h2 a"),
        "week": first("/be/", ".this-week .more-link a"),
        "admin_article": first("/admin/articles/article/", "#result_list tbody th a"),
        "admin_picture": first("/admin/articles/picture/", "#result_list tbody th a"),
        "admin_digest": first("/admin/articles/digest/", "#result_list tbody th a"),
        "admin_mailing": first("/admin/newsletter/mailing/", "#result_list tbody th a"),
        "admin_edition": first("/admin/newsletter/edition/", "#result_list tbody th a"),
    }
    article = found["admin_article"].removesuffix("change/")
    found["admin_translate"] = f"{article}translate/be/"
    found["admin_revisions"] = f"{article}revisions/be/"
    for letter in demo.letters():
        edition = "be" if re.search("[а-я]", letter.subject) else "en"
        if letter.contents.html:
            found.setdefault(f"letter_{edition}_html", f"/letters/{letter.name}/html")
            found.setdefault(f"letter_{edition}_text", f"/letters/{letter.name}/text")
            [leaving] = re.findall(r"/(?:en|be)/letter/\w+/", letter.contents.text)[:1]
            found.setdefault("leaving", leaving)
        else:
            found.setdefault(f"letter_{edition}_discreet", f"/letters/{letter.name}/text")
    return found


# --- All of it ---------------------------------------------------------------------------


def take_all(browser: Browser, demo: Demo, wanted: str) -> list[str]:
    """Photographs everything whose name has `wanted` in it; returns what is too wide."""
    staff, visitor = browser.new_context(locale="en"), browser.new_context(locale="en")
    admin_page, public_page = staff.new_page(), visitor.new_page()
    log_in(admin_page, demo)
    paths, too_wide = addresses(admin_page, demo), []
    for shots, url in ((SITE, demo.site), (ADMIN, demo.site), (LETTERS, demo.catcher)):
        for shot in shots:
            if wanted not in shot.name:
                continue
            is_admin = shots is ADMIN and shot.name != "admin-login"
            page = admin_page if is_admin else public_page
            path = shot.path.format(**paths)
            print(shot.name, flush=True)
            for width in shot.widths:
                for theme in THEMES:
                    try:
                        take(page, url, path, shot, width, theme, OUTPUT)
                    except TooWide as error:
                        too_wide.append(str(error))
    return too_wide


def choose(output: Path, pictures: Path) -> None:
    """Makes the chosen photographs small and puts them into the documents."""
    for name, source in CHOSEN.items():
        with Image.open(output / f"{source}.png") as image:
            part = image.convert("RGB").crop((0, 0, image.width, min(image.height, MAX_HEIGHT)))
        small = part.quantize(COLOURS, dither=Image.Dither.NONE)
        small.save(pictures / f"{name}.png", optimize=True)


def main() -> None:
    """The entry; a word photographs only what has it in its name, and leaves docs/ alone."""
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    with (
        tempfile.TemporaryDirectory(prefix="screenshots-") as folder,
        running_demo(Path(folder)) as demo,
        running_chromium() as browser,
    ):
        too_wide = take_all(browser, demo, wanted)
    if not wanted:
        choose(OUTPUT, PICTURES)
    print(f"The pictures are in {OUTPUT}/")
    for line in too_wide:
        print(f"TOO WIDE: {line}")
    sys.exit(1 if too_wide else 0)


if __name__ == "__main__":
    try:
        main()
    except ServiceNotInstalled as missing:
        sys.exit(str(missing))
