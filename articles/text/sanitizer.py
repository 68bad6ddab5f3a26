"""The HTML sanitiser, and the parser that cuts HTML into blocks.

The allow-list and the editor's toolbar come from one table, TOOLBAR. The form field sanitises, so
that the editor sees the result, and so does the model field (articles.fields), whatever path a
text takes. What a column holds is trusted.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape, unescape
from html.parser import HTMLParser
from itertools import islice
from urllib.parse import urljoin

import nh3

from articles.images import renditions


@dataclass(frozen=True)
class ToolbarButton:
    """A button of CKEditor, and the tags that it writes."""

    button: str
    tags: frozenset[str]


# By toolbar group. A button without tags acts on existing text.
TOOLBAR: tuple[tuple[ToolbarButton, ...], ...] = (
    (ToolbarButton("Format", frozenset({"p", "h2", "h3"})),),
    (ToolbarButton("Bold", frozenset({"strong"})), ToolbarButton("Italic", frozenset({"em"}))),
    (ToolbarButton("Link", frozenset({"a"})), ToolbarButton("Unlink", frozenset())),
    (
        ToolbarButton("Picture", frozenset({"figure", "img", "figcaption"})),
        ToolbarButton("Table", frozenset({"table", "caption", "thead", "tbody", "tr", "th", "td"})),
    ),
    (
        ToolbarButton("BulletedList", frozenset({"ul", "li"})),
        ToolbarButton("NumberedList", frozenset({"ol", "li"})),
        ToolbarButton("Blockquote", frozenset({"blockquote"})),
    ),
    (
        ToolbarButton("PasteText", frozenset()),
        ToolbarButton("RemoveFormat", frozenset()),
        ToolbarButton("Typography", frozenset()),
        ToolbarButton("Undo", frozenset()),
        ToolbarButton("Redo", frozenset()),
        ToolbarButton("Maximize", frozenset()),
    ),
)

ALLOWED_TAGS = {tag for group in TOOLBAR for tool in group for tag in tool.tags} | {"br"}
ALLOWED_ATTRIBUTES = {
    "a": {"href"},
    "img": {"src", "alt", "width", "height"},
    "th": {"colspan", "rowspan", "scope"},
    "td": {"colspan", "rowspan"},
}
ALLOWED_SCHEMES = {"http", "https", "mailto"}

BLOCK_TAGS = frozenset({"p", "h2", "h3", "li", "blockquote", "figure", "caption", "tr"})
CELL_SEPARATOR = " | "
WHITE_SPACE = re.compile(r"\s+")
# An HTML5 parser reopens unclosed formatting elements in each following paragraph: up to three of
# a kind, but without limit where attributes differ. 64 KB would become 200 MB.
FORMATTING = re.compile(
    r"<(b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)[\s/][^>]*>?", re.IGNORECASE
)
TAG_OPEN = re.compile("</?[a-zA-Z]")
# In the sanitiser's output.
ANY_TAG = re.compile(r'<(/?)([a-z][a-z0-9]*)(?: [a-z]+="[^"]*")*>')
VOID_TAGS = frozenset({"br", "img"})
IMG_WITHOUT_SRC = re.compile(r"<img(?![^>]* src=)[^>]*>")
FIGURE = re.compile(r"<figure>.*?</figure>", re.DOTALL)
PICTURE = re.compile(rf"(?P<figure>{FIGURE.pattern})|{renditions.IMG_TAG.pattern}", re.DOTALL)
EMPTY_FIGURE = re.compile(r"<figure>(?:(?!<img|</figure>).)*</figure>", re.DOTALL)
EMPTY_PARAGRAPH = re.compile(r"<p>(?:\s|&nbsp;|<br>)*</p>\s*")
BETWEEN_TAGS = re.compile(r">\s+<")
PLAIN_PARAGRAPH = re.compile(r"\s*<p>([^<]*)</p>")
AFTER_PARAGRAPH = re.compile("(?<=</p>)")
# In the sanitiser's output every value is in double quotes, and holds none.
TAG = re.compile(r'<[a-z][a-z0-9]*(?: [a-z]+="[^"]*")+>')
URL_ATTRIBUTE = re.compile(r' (href|src)="([^"]*)"')
NOT_IN_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
FINGERPRINT_SCHEME = 1
MAX_BODY_LENGTH = 200_000
"""Characters; the longest commentary has a tenth of that."""
MAX_TAGS = 20_000
"""Closing tags included; a table of a thousand rows has eight thousand."""
MAX_DEPTH = 100
"""Of nested tags; a list of nine levels in a quotation has twenty. The newsletter's CSS inliner
crashes at some ten thousand."""
MAX_LEAD_LENGTH = 2_000
"""Characters."""


def toolbar() -> list[list[str]]:
    """CKEditor's `toolbar` setting."""
    return [[tool.button for tool in group] for group in TOOLBAR]


class SanitisedHtml(str):
    """The output of `clean`. Any operation on it gives a plain str, which is sanitised again."""

    __slots__ = ()


class TooComplex(ValueError):
    """More than MAX_TAGS tags, or nested deeper than MAX_DEPTH."""


def clean(html: str, *, strict: bool = False) -> SanitisedHtml:
    """Sanitised HTML; empty if it has neither text nor pictures.

    Takes linear time. Beyond MAX_TAGS or MAX_DEPTH, markup is dropped and text stays; with `strict`
    it raises TooComplex instead.
    """
    if isinstance(html, SanitisedHtml):
        return html
    if not html:
        return SanitisedHtml()
    end = _end_of_markup(html)
    sanitised = _sanitise(html, end)
    result = _flatten(sanitised)
    if strict and (end < len(html) or result != sanitised):
        raise TooComplex
    result = EMPTY_FIGURE.sub("", IMG_WITHOUT_SRC.sub("", result))
    # Pasted texts use empty paragraphs as spacing.
    result = EMPTY_PARAGRAPH.sub("", result).strip()
    # An emptied editor leaves <p>&nbsp;</p>, which would count as a translation.
    has_content = any(block.text or block.kind == "figure" for block in iter_blocks(result))
    return SanitisedHtml(result if has_content else "")


def _sanitise(html: str, end: int) -> str:
    bounded = FORMATTING.sub(r"<\1>", html[:end]) + escape(html[end:], quote=False)
    return nh3.clean(
        bounded,
        tags=ALLOWED_TAGS,
        attributes=ALLOWED_ATTRIBUTES,
        url_schemes=ALLOWED_SCHEMES,
        link_rel="noopener noreferrer",
        attribute_filter=_filter_attribute,
    ).strip()


def _end_of_markup(html: str) -> int:
    """The offset of the first tag beyond MAX_TAGS, else the length."""
    too_many = next(islice(TAG_OPEN.finditer(html), MAX_TAGS, None), None)
    return len(html) if too_many is None else too_many.start()


def _flatten(html: str) -> str:
    """Removes tags nested deeper than MAX_DEPTH, and keeps their text."""
    depth = 0

    def allowed(tag: re.Match[str]) -> str:
        nonlocal depth
        if tag[2] in VOID_TAGS:
            return tag[0]
        if tag[1]:
            depth -= 1
            return tag[0] if depth < MAX_DEPTH else ""
        depth += 1
        return tag[0] if depth <= MAX_DEPTH else ""

    # The sanitiser's output is balanced.
    return html if html.count("</") <= MAX_DEPTH else ANY_TAG.sub(allowed, html)


def _filter_attribute(tag: str, attribute: str, value: str) -> str | None:
    """Only uploaded pictures, and only small numbers as sizes."""
    if (tag, attribute) == ("img", "src"):
        return value if renditions.URL_PATTERN.fullmatch(value) else None
    if attribute in {"width", "height", "colspan", "rowspan"}:
        return value if value.isascii() and value.isdigit() and len(value) < 5 else None
    return value


def images_as_text(html: str) -> str:
    """For e-mail: alt text and caption instead of pictures, whose loading could be tracked."""
    replaced = FIGURE.sub(lambda figure: f"<p><em>[{_figure_text(figure[0])}]</em></p>", html)
    return renditions.IMG_TAG.sub(_alt_text, replaced)


def bare_images_as_text(html: str) -> str:
    """Alt text instead of pictures outside a figure, which are no block."""
    return PICTURE.sub(lambda one: one[0] if one["figure"] else _alt_text(one), html)


def _alt_text(image: re.Match[str]) -> str:
    given = dict(renditions.ATTRIBUTE.findall(image["attributes"]))
    return f"<em>[{escape(unescape(given.get('alt', ''))).strip() or '…'}]</em>"


def _figure_text(figure: str) -> str:
    # A caption may hold several blocks.
    words = " ".join(block.text for block in blocks(figure) if block.text)
    return escape(words or "…")


def with_absolute_urls(html: str, page: str) -> str:
    """Sanitised HTML with absolute href and src; `page` is the base URL."""

    def resolve(match: re.Match[str]) -> str:
        return f' {match[1]}="{_joined(page, match[2])}"'

    return TAG.sub(lambda tag: URL_ATTRIBUTE.sub(resolve, tag[0]), html)


def _joined(page: str, address: str) -> str:
    try:
        return urljoin(page, address)
    except ValueError:
        # An invalid URL, such as one with an unclosed bracket.
        return address


def without_invalid_xml(text: str) -> str:
    """Without the characters that XML 1.0 (2.2) forbids."""
    return NOT_IN_XML.sub("", text)


@dataclass(frozen=True)
class Block:
    """A paragraph, heading, list item or quotation, as plain text."""

    kind: str
    text: str
    links: tuple[str, ...] = ()


class _BlockParser(HTMLParser):
    """Cuts HTML into blocks. Unknown tags are transparent."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[Block] = []
        self._open: list[str] = []
        self._within: Counter[str] = Counter()
        """How often each tag is open, for constant-time look-ups."""
        self._text: list[str] = []
        self._links: list[str] = []

    def read(self, part: str) -> None:
        """Like `feed`, ten times as fast for a paragraph of plain text."""
        plain = PLAIN_PARAGRAPH.fullmatch(part)
        if plain is None or self.rawdata or self.cdata_elem:
            self.feed(part)
            return
        self.handle_starttag("p", [])
        self.handle_data(unescape(plain[1]))
        self.handle_endtag("p")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._is_in_row(tag):
            self._text.append(" ")
        elif tag in BLOCK_TAGS or tag in {"ul", "ol"}:
            self.end_block()
            self._open.append(tag)
            self._within[tag] += 1
        elif tag == "br":
            self._text.append(" ")
        elif tag == "img" and (self._within["figure"] or self._within["tr"]):
            self._text.append(f"{dict(attrs).get('alt') or ''} ")
        elif tag == "a":
            self._links.extend(value for name, value in attrs if name == "href" and value)

    def handle_endtag(self, tag: str) -> None:
        if tag in {"td", "th"}:
            self.end_cell()
        if self._is_in_row(tag):
            self._text.append(" ")
        elif tag in BLOCK_TAGS or tag in {"ul", "ol"}:
            self.end_block()
            while self._within[tag]:
                ended = self._open.pop()
                self._within[ended] -= 1
                if ended == tag:
                    break

    def _is_in_row(self, tag: str) -> bool:
        """A paragraph or list in a table cell, as pasted from Word or Google Docs."""
        return self._within["tr"] > 0 and tag != "tr" and tag in BLOCK_TAGS | {"ul", "ol"}

    def end_cell(self) -> None:
        """A table row is one block."""
        self._text.append(CELL_SEPARATOR)

    def handle_data(self, data: str) -> None:
        self._text.append(data)

    def end_block(self) -> None:
        text = " ".join("".join(self._text).split()).removesuffix(CELL_SEPARATOR.strip()).strip()
        kind = self._kind()
        if kind == "tr" and not text.strip(CELL_SEPARATOR):
            text = ""
        if text or self._links or self._open[-1:] == ["figure"]:
            self.blocks.append(Block(kind, text, tuple(self._links)))
        self._text, self._links = [], []

    def _kind(self) -> str:
        # A paragraph inside an item or a quotation is that item or quotation.
        for outer in ("blockquote", "li"):
            if self._within[outer]:
                if outer == "li" and self._within["ol"]:
                    return "ol-li"
                return outer
        return self._open[-1] if self._open and self._open[-1] in BLOCK_TAGS else "p"


def blocks(html: str) -> list[Block]:
    """In document order, white space collapsed."""
    return list(iter_blocks(html))


def iter_blocks(html: str) -> Iterator[Block]:
    """Like `blocks`, but parsed lazily."""
    parser, count = _BlockParser(), 0
    for part in AFTER_PARAGRAPH.split(html):
        parser.read(part)
        yield from parser.blocks[count:]
        count = len(parser.blocks)
    parser.close()
    parser.end_block()
    yield from parser.blocks[count:]


def normalize_whitespace(html: str) -> str:
    """For comparing two HTML texts, whatever their line breaks and indentation."""
    return WHITE_SPACE.sub(" ", BETWEEN_TAGS.sub("><", html)).strip()


def fingerprint(title: str, lead: str, body: str) -> str:
    """Of one language's text, as "scheme:SHA-256".

    Hashes block structure, text and link targets (NFC, white space collapsed), so a change of
    markup or of the sanitiser leaves it the same.
    """
    digest = hashlib.sha256()
    for part in _parts(title, lead, body):
        text = WHITE_SPACE.sub(" ", unicodedata.normalize("NFC", part)).strip()
        digest.update(text.encode() + b"\0")
    return f"{FINGERPRINT_SCHEME}:{digest.hexdigest()}"


def _parts(title: str, lead: str, body: str) -> Iterator[str]:
    yield title
    yield lead
    for block in blocks(body):
        yield block.kind
        yield block.text
        yield from block.links
