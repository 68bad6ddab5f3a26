"""Pictures: one door, decoded within bounds, re-encoded without what the camera knew."""

from __future__ import annotations

import fcntl
import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import translation
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from pytest_django.fixtures import Settings

from articles.editorial import image_uploads
from articles.editorial.image_uploads import PictureNotStored, upload_picture
from articles.images import decoder_process, image_decoder, renditions
from articles.images.decoder_process import ImageRejected
from articles.images.image_decoder import InvalidImage
from articles.models import Picture
from newsletter.campaigns import messages
from tests.articles.browser import analyst_client, change_url, form_data_of, visible_text
from tests.factories import MONDAY_MORNING, a_jpeg, make_article, make_picture, make_user
from tests.html_pages import normalize_html

ADD = "/admin/articles/picture/add/"
WORDS = {f"{field}_{code}": "" for field in ("alt", "caption") for code in ("en", "be", "ru")}


def a_png_of(width: int, height: int) -> bytes:
    """A header that promises so many pixels, and next to nothing behind it."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def a_progressive_of(width: int, height: int) -> bytes:
    """A progressive JPEG for print whose header promises so many pixels."""
    buffer = io.BytesIO()
    Image.new("CMYK", (400, 300)).save(buffer, "JPEG", progressive=True)
    data = buffer.getvalue()
    size = data.index(b"\xff\xc2") + 5
    return data[:size] + struct.pack(">HH", height, width) + data[size + 4 :]


def files(settings: Settings) -> list[Path]:
    return [path for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()]


def folders(settings: Settings) -> list[Path]:
    return list((Path(settings.MEDIA_ROOT) / "pictures").glob("*"))


# --- What comes in -------------------------------------------------------------------


def with_secrets() -> bytes:
    """As a telephone makes it: where, with what, and a note in XMP."""
    picture = Image.new("RGB", (800, 450), "teal")
    exif = picture.getexif()
    exif[0x010F] = "SECRETPHONE"
    exif.get_ifd(0x8825)[2] = (53.9, 27.5, 33.0)
    exif[0x0112] = 6  # To be turned upright.
    buffer = io.BytesIO()
    picture.save(
        buffer, "JPEG", exif=exif, xmp=b"<x:xmpmeta>SECRETNOTE</x:xmpmeta>", comment=b"SECRETWORD"
    )
    return buffer.getvalue()


def test_nothing_of_what_the_camera_knew_is_left_in_any_file() -> None:
    upload = with_secrets()
    assert b"SECRETPHONE" in upload
    assert b"SECRETNOTE" in upload
    prepared = image_decoder.process_upload(upload)
    assert (prepared.width, prepared.height) == (450, 800)
    assert prepared.files
    for name, content in prepared.files.items():
        assert b"SECRET" not in content, name
        with Image.open(io.BytesIO(content)) as shown:
            assert dict(shown.getexif()) == {}, name
            assert not {"exif", "xmp", "comment", "icc_profile"} & shown.info.keys(), name


def test_each_width_is_there_in_each_format_and_none_is_blown_up() -> None:
    prepared = image_decoder.process_upload(a_jpeg(1000, 500))
    widths = [320, 640, 960, 1000]
    assert widths == renditions.widths(1000)
    assert set(prepared.files) == {f"{w}.{end}" for w in widths for end in renditions.FORMATS}
    for name in prepared.files:
        assert renditions.FILE_PATTERN.fullmatch(f"pictures/{'a' * 24}/{name}")
    with Image.open(io.BytesIO(prepared.files["640.webp"])) as shown:
        assert (shown.format, shown.size) == ("WEBP", (640, 320))
    assert image_decoder.process_upload(a_jpeg(3000, 400)).width == 1920


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "I;16", "1", "CMYK"])
def test_every_kind_of_colour_is_read(mode: str) -> None:
    buffer = io.BytesIO()
    Image.new(mode, (400, 300)).save(buffer, "JPEG" if mode == "CMYK" else "PNG")
    assert image_decoder.process_upload(buffer.getvalue()).width == 400


def test_a_moving_picture_stands_still() -> None:
    buffer = io.BytesIO()
    frames = [Image.new("RGB", (400, 300), colour) for colour in ("red", "blue")]
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    assert image_decoder.process_upload(buffer.getvalue()).width == 400


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "a script named .png": (lambda: b"<script>alert(1)</script>", "This is no JPEG"),
    "an SVG": (lambda: SVG, "This is no JPEG"),
    "nothing": (lambda: b" ", "This is no JPEG"),
    "a truncated file": (lambda: a_jpeg()[:600], "damaged or cut short"),
    "30,000 x 30,000 pixels": (lambda: a_png_of(30_000, 30_000), "million pixels"),
    "a bomb": (lambda: a_png_of(60_000, 60_000), "million pixels"),
    "one long line": (lambda: a_png_of(50_000, 400), "million pixels"),
    "a promise without pixels": (lambda: a_png_of(800, 450), "damaged or cut short"),
    "progressive, in four colours": (lambda: a_progressive_of(8000, 6000), "too much memory"),
    "a ribbon": (lambda: a_jpeg(320, 20_000), "too tall: 20000 pixels where it is 320 wide"),
    "too narrow": (lambda: a_jpeg(200, 200), "narrower than 320 pixels"),
    "too heavy": (lambda: a_jpeg() + b"\0" * image_decoder.MAX_BYTES, "larger than 20 MB"),
}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.django_db
def test_what_is_no_good_picture_is_said_at_the_field_and_nothing_is_kept(
    desk: Client, settings: Settings, bad: str
) -> None:
    make, told = BAD[bad]
    upload = SimpleUploadedFile("holiday.png", make(), "image/png")
    page = desk.post(ADD, {**WORDS, "file": upload, "credit": "Typed"})
    assert page.status_code == 200
    assert told in visible_text(page)
    assert 'value="Typed"' in page.content.decode(), "what was typed is still there"
    assert not Picture.objects.exists()
    assert files(settings) == folders(settings) == []


def test_no_pixel_of_a_bomb_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(_picture: Image.Image) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(Image.Image, "load", load)
    with pytest.raises(ImageRejected, match="pixels"):
        decoder_process.process(a_png_of(30_000, 30_000), renditions.RENDITION_WIDTHS)


# --- The process that decodes ----------------------------------------------------------


@pytest.fixture
def decoder_running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Has the process run these lines where it would decode, with all its limits."""

    def instead(lines: str) -> None:
        program = tmp_path / "instead.py"
        program.write_text(
            "import os, signal, sys\n"
            f"sys.path.insert(0, {str(Path(image_decoder.__file__).parent)!r})\n"
            "import decoder_process\n"
            f"def decode(*_):\n    {lines}\n"
            "decoder_process.MAX_CPU_SECONDS = 1\n"
            "decoder_process._decode = decode\n"
            "decoder_process.main()\n"
        )
        monkeypatch.setattr(decoder_process, "__file__", str(program))

    return instead


def test_the_web_process_never_opens_an_upload(monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(*_args: Any, **_kwargs: Any) -> None:
        raise AssertionError("opened here")

    monkeypatch.setattr(Image, "open", opened)
    assert image_decoder.process_upload(a_jpeg()).width == 800


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("bytearray(2 * decoder_process.MAX_MEMORY_BYTES)", "too much memory or time"),
        ("while True: pass", "too much memory or time"),
        ("os.abort()", "damaged or cut short"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "damaged or cut short"),
        ("raise KeyError", "damaged or cut short"),
    ],
)
def test_whatever_a_decoder_does_is_said_of_the_picture(
    decoder_running: Callable[[str], None], lines: str, told: str
) -> None:
    decoder_running(lines)
    with pytest.raises(InvalidImage, match=told):
        image_decoder.process_upload(a_jpeg())


def test_a_picture_that_never_comes_to_an_end_is_given_up(
    decoder_running: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    decoder_running("signal.pause()")
    monkeypatch.setattr(image_decoder, "TIMEOUT_SECONDS", 0.5)
    with pytest.raises(InvalidImage, match="busy with other pictures"):
        image_decoder.process_upload(a_jpeg())


def test_pictures_wait_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    with open(decoder_process.__file__, "rb") as own:
        fcntl.flock(own, fcntl.LOCK_EX)
        with monkeypatch.context() as patch:
            patch.setattr(image_decoder, "TIMEOUT_SECONDS", 0.5)
            with pytest.raises(InvalidImage, match="busy with other pictures"):
                image_decoder.process_upload(a_jpeg())
    assert image_decoder.process_upload(a_jpeg()).width == 800


def test_the_process_is_told_none_of_our_secrets(
    decoder_running: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "known to us alone")
    decoder_running(
        "raise decoder_process.ImageRejected('pixels', most=int('SECRET_KEY' in os.environ))"
    )
    with pytest.raises(InvalidImage, match="more than 0 million"):
        image_decoder.process_upload(a_jpeg())


def test_a_refusal_is_in_the_editors_language() -> None:
    told = {}
    for language in ("en", "be", "ru"):
        with translation.override(language), pytest.raises(InvalidImage) as refused:
            image_decoder.process_upload(a_progressive_of(8000, 6000))
        told[language] = str(refused.value)
    assert len(set(told.values())) == 3


def test_a_large_jpeg_is_reduced_while_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[tuple[int, int]] = []
    flat = decoder_process._reduce_opaque

    def seen(picture: Image.Image, factor: int) -> Image.Image:
        sizes.append(picture.size)
        return flat(picture, factor)

    monkeypatch.setattr(decoder_process, "_reduce_opaque", seen)
    prepared = decoder_process.process(a_jpeg(8000, 400), renditions.RENDITION_WIDTHS)
    assert sizes == [(4000, 200)]
    assert (prepared.width, prepared.height) == (1920, 96)


def test_a_large_picture_held_sideways_is_as_wide_as_any_other() -> None:
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (400, 4000), "teal").save(buffer, "JPEG", exif=exif)
    prepared = image_decoder.process_upload(buffer.getvalue())
    assert (prepared.width, prepared.height) == (1920, 192)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_no_seam_shows_where_a_picture_is_made_opaque(
    monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    slope = Image.linear_gradient("L").resize((4000, 500))
    picture = Image.merge("LA", (slope, slope)).convert("RGBA")
    buffer = io.BytesIO()
    (picture.quantize(64) if mode == "P" else picture.convert(mode)).save(buffer, "PNG")
    at_once = decoder_process.process(buffer.getvalue(), renditions.RENDITION_WIDTHS[:1])
    monkeypatch.setattr(decoder_process, "STRIP_PIXELS", 30_000)
    assert decoder_process.process(buffer.getvalue(), renditions.RENDITION_WIDTHS[:1]) == at_once


def test_text_hidden_in_a_png_is_gone() -> None:
    note = PngInfo()
    note.add_text("Comment", "SECRETNOTE")
    buffer = io.BytesIO()
    Image.new("RGB", (400, 300)).save(buffer, "PNG", pnginfo=note)
    assert all(
        b"SECRET" not in one
        for one in image_decoder.process_upload(buffer.getvalue()).files.values()
    )


# --- What is kept --------------------------------------------------------------------


@pytest.mark.django_db
def test_an_upload_gets_a_name_that_says_nothing(desk: Client, settings: Settings) -> None:
    upload = SimpleUploadedFile("minsk-2026-hanna.jpg", a_jpeg(), "image/jpeg")
    sent = {**WORDS, "file": upload, "credit": "© H. L.", "alt_be": "Брама"}
    assert desk.post(ADD, sent).status_code == 302
    picture = Picture.objects.get()
    assert (picture.credit, picture.alt_in("be"), picture.alt_in("en")) == ("© H. L.", "Брама", "")
    assert picture.uploaded_by == make_user()
    names = {path.name for path in files(settings)}
    assert names == {f"{w}.{end}" for w in (320, 640, 800) for end in ("avif", "webp", "jpg")}
    assert [path.name for path in folders(settings)] == [picture.key]
    assert "hanna" not in " ".join(map(str, files(settings)))


@pytest.mark.django_db
def test_a_full_disk_leaves_neither_row_nor_file(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Path] = []

    def full_after_two(path: Path, content: bytes) -> int:
        written.append(path)
        if len(written) > 2:
            raise OSError(28, "No space left on device")
        with path.open("wb") as file:
            return file.write(content)

    monkeypatch.setattr(Path, "write_bytes", full_after_two)
    with pytest.raises(PictureNotStored, match="No space left on device"):
        upload_picture(a_jpeg(), by=make_user(), now=MONDAY_MORNING)
    assert folders(settings) == []
    assert not Picture.objects.exists()


@pytest.mark.django_db
def test_a_row_that_cannot_be_kept_leaves_no_file(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: Any, **_kwargs: Any) -> None:
        raise RuntimeError("for once")

    monkeypatch.setattr(Picture, "save", refuse)
    with pytest.raises(RuntimeError):
        upload_picture(a_jpeg(), by=make_user(), now=MONDAY_MORNING)
    assert folders(settings) == []


@pytest.mark.django_db(transaction=True)
def test_a_picture_that_nothing_shows_goes_with_its_files(desk: Client, settings: Settings) -> None:
    cover, inside, unused = (make_picture() for _ in range(3))
    body = f'<figure><img src="{inside.path}" alt="" width="640" height="360"></figure>'
    article = make_article(cover=cover)
    article.body_be = body
    article.save()
    assert image_uploads.articles_using(cover) == image_uploads.articles_using(inside) == [article]
    for used in (cover, inside):
        assert (
            desk.post(f"/admin/articles/picture/{used.pk}/delete/", {"post": "yes"}).status_code
            == 403
        )
    desk.post(f"/admin/articles/picture/{unused.pk}/delete/", {"post": "yes"})
    assert {path.name for path in folders(settings)} == {cover.key, inside.key}
    assert Picture.objects.count() == 2


# --- What is shown -------------------------------------------------------------------


@pytest.mark.django_db
def test_visitors_get_every_format_and_width_and_words_in_their_language(client: Client) -> None:
    picture = make_picture(
        width=1000, height=600, alt_be="Брама", alt_en="A gate", caption_be="Подпіс",
        credit="© H. L.", focal_x=90, focal_y=10,
    )  # fmt: skip
    article = make_article(cover=picture)
    page = normalize_html(client.get(article.path_in("be")).content.decode())
    assert f'<source type="image/avif" srcset="/media/pictures/{picture.key}/320.avif 320w' in page
    assert 'alt="Брама"' in page
    assert 'width="1000" height="600"' in page
    assert "focus-x4 focus-y0" in page
    assert 'Подпіс · <span lang="" translate="no">© H. L.</span>' in page
    assert "A gate" not in page
    for name in ("320.avif", "960.webp", "1000.jpg"):
        assert client.get(f"/media/pictures/{picture.key}/{name}").status_code == 200
    russian = client.get(article.path_in("ru")).content.decode()
    assert 'alt=""' in russian, "no other language's words"


@pytest.mark.django_db
def test_pictures_in_a_body_are_shown_in_every_width_too(desk: Client, client: Client) -> None:
    picture = make_picture()
    article = make_article(published_in=("be",))
    answer = desk.get(f"/admin/articles/picture/{picture.pk}/figure/be/").json()
    foreign = '<figure><img src="https://example.org/x.png"></figure>'
    body = f"<p>Тэкст.</p>{answer['html']}{foreign}"
    desk.post(change_url(article), form_data_of(article, body_be=body))
    page = client.get(article.path_in("be")).content.decode()
    assert f"/media/pictures/{picture.key}/320.webp 320w" in page
    assert "example.org" not in page


@pytest.mark.django_db
def test_a_letter_has_no_picture_and_says_its_words() -> None:
    figure = (
        f'<figure><img src="{make_picture().path}" alt="Брама" width="640" height="360">'
        "<figcaption>Подпіс</figcaption></figure>"
    )
    article = make_article()
    article.body_be = f"<p>Тэкст.</p>{figure}"
    content = messages.ArticleInEdition("be", "be", article, article.text_in("be"))
    assert "<img" not in content.letter_body
    assert "/media/" not in content.letter_body
    assert "[Брама Подпіс]" in content.letter_body
    assert "[Брама Подпіс]" in content.plain_body


@pytest.mark.django_db
def test_a_letter_loads_no_picture_that_stands_outside_a_figure_either() -> None:
    image = f'<img src="{make_picture().path}" alt="Брама" width="640" height="360">'
    article = make_article()
    article.body_be = f"<p>Тэкст {image} далей.</p><ul><li>{image}</li></ul>"
    article.save()
    content = messages.ArticleInEdition("be", "be", article, article.text_in("be"))
    for told in (content.letter_body, content.plain_body):
        assert "<img" not in told
        assert "/media/" not in told
        assert told.count("[Брама]") == 2


@pytest.mark.django_db
def test_a_name_that_no_picture_can_have_is_not_found(client: Client) -> None:
    good = f"pictures/{'a' * 24}"
    for name in (
        *("x" * 300 + ".jpg", "pictures/" + "a" * 5000, "a/" * 3000, "%00", "pictures/"),
        *(f"{good}/{'9' * 300}.jpg", f"{good}/640.jpg/x", f"{good}/640.jpg%0A"),
        f"pictures/.{'a' * 24}/640.jpg",
    ):
        assert client.get(f"/media/{name}").status_code == 404, name


def test_the_files_are_where_the_site_serves_them(settings: Settings) -> None:
    assert f"{settings.MEDIA_URL}{renditions.MEDIA_FOLDER}/" == renditions.MEDIA_PATH


@pytest.mark.django_db
def test_an_analyst_uploads_and_describes_and_does_not_delete() -> None:
    analyst = analyst_client(may=("add_picture", "change_picture", "view_picture"))
    upload = SimpleUploadedFile("x.jpg", a_jpeg(), "image/jpeg")
    assert analyst.post(ADD, {**WORDS, "file": upload, "credit": ""}).status_code == 302
    picture = Picture.objects.get()
    change = f"/admin/articles/picture/{picture.pk}/change/"
    sent = {**WORDS, "credit": "©", "focal_x": "10", "focal_y": "101"}
    assert "100" in visible_text(analyst.post(change, sent))
    assert analyst.post(change, {**sent, "focal_y": "90"}).status_code == 302
    picture.refresh_from_db()
    assert (picture.credit, picture.focal_x, picture.focal_y) == ("©", 10, 90)
    assert analyst.post(f"/admin/articles/picture/{picture.pk}/delete/").status_code == 403
    assert analyst.get(f"/admin/articles/picture/{picture.pk}/figure/xx/").status_code == 404
