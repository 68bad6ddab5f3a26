"""The one sanitiser, and the one reading of what an editor's HTML says.

What you can type is what survives: the allow-list and the editor's toolbar are both read
off TOOLS. Whatever else arrives (a paste, an import, an attack) is dropped: by the form's field,
so that a person sees what is left, and by the column (articles.fields) whatever path a text takes.
What a column holds is trusted from there on.
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
class Tool:
    """One button of the editor, and the tags that it writes."""

    button: str
    tags: frozenset[str]


# A row of tools is a group on the toolbar. A button with no tags only acts on the text.
TOOLS: tuple[tuple[Tool, ...], ...] = (
    (Tool("Format", frozenset({"p", "h2", "h3"})),),
    (Tool("Bold", frozenset({"strong"})), Tool("Italic", frozenset({"em"}))),
    (Tool("Link", frozenset({"a"})), Tool("Unlink", frozenset())),
    (
        Tool("Picture", frozenset({"figure", "img", "figcaption"})),
        Tool("Table", frozenset({"table", "caption", "thead", "tbody", "tr", "th", "td"})),
    ),
    (
        Tool("BulletedList", frozenset({"ul", "li"})),
        Tool("NumberedList", frozenset({"ol", "li"})),
        Tool("Blockquote", frozenset({"blockquote"})),
    ),
    (
        Tool("PasteText", frozenset()),
        Tool("RemoveFormat", frozenset()),
        Tool("Typography", frozenset()),
        Tool("Undo", frozenset()),
        Tool("Redo", frozenset()),
        Tool("Maximize", frozenset()),
    ),
)

ALLOWED_TAGS = {tag for group in TOOLS for tool in group for tag in tool.tags} | {"br"}
ALLOWED_ATTRIBUTES = {
    "a": {"href"},
    "img": {"src", "alt", "width", "height"},
    "th": {"colspan", "rowspan", "scope"},
    "td": {"colspan", "rowspan"},
}
ALLOWED_SCHEMES = {"http", "https", "mailto"}

BLOCKS = frozenset({"p", "h2", "h3", "li", "blockquote", "figure", "caption", "tr"})
CELL = " | "
WHITE_SPACE = re.compile(r"\s+")
# An HTML5 parser opens these again in every paragraph that follows, three of a kind, but as many
# as there are where their attributes differ: 64 KB then become 200 MB.
FORMATTING = re.compile(
    r"<(b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)[\s/][^>]*>?", re.IGNORECASE
)
TAG_OPEN = re.compile("</?[a-zA-Z]")
# As the sanitiser writes them.
ANY_TAG = re.compile(r'<(/?)([a-z][a-z0-9]*)(?: [a-z]+="[^"]*")*>')
VOID = frozenset({"br", "img"})
WITHOUT_SOURCE = re.compile(r"<img(?![^>]* src=)[^>]*>")
FIGURE = re.compile(r"<figure>.*?</figure>", re.DOTALL)
PICTURE = re.compile(rf"(?P<figure>{FIGURE.pattern})|{renditions.IMAGE.pattern}", re.DOTALL)
EMPTY_FIGURE = re.compile(r"<figure>(?:(?!<img|</figure>).)*</figure>", re.DOTALL)
EMPTY_PARAGRAPH = re.compile(r"<p>(?:\s|&nbsp;|<br>)*</p>\s*")
BETWEEN_TAGS = re.compile(r">\s+<")
PLAIN_PARAGRAPH = re.compile(r"\s*<p>([^<]*)</p>")
AFTER_PARAGRAPH = re.compile("(?<=</p>)")
# As the sanitiser writes them: every value in double quotes, with no such quote within.
TAG = re.compile(r'<[a-z][a-z0-9]*(?: [a-z]+="[^"]*")+>')
ADDRESS = re.compile(r' (href|src)="([^"]*)"')
NOT_IN_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
FINGERPRINT_SCHEME = 1
LONGEST = 200_000
"""Characters of a body; the longest commentary has a tenth of that."""
MAX_TAGS = 20_000
"""In a body, those that close counted as well; a table of a thousand rows has eight thousand."""
MAX_DEPTH = 100
"""Of tags within one another; a list of nine levels in a quotation has twenty. Inlining the styles
of a letter ends the process at some ten thousand."""
LONGEST_LEAD = 2_000
"""Characters of a lead, which is a paragraph."""


def toolbar() -> list[list[str]]:
    """The editor's toolbar, as CKEditor wants it."""
    return [[tool.button for tool in group] for group in TOOLS]


class SanitisedHtml(str):
    """What `clean` returned. Any operation on it gives an ordinary text, which is cleaned anew."""

    __slots__ = ()


class TooIntricate(ValueError):
    """More than MAX_TAGS tags, or more than MAX_DEPTH of them within one another."""


def clean(html: str, *, strict: bool = False) -> SanitisedHtml:
    """What may be kept of the HTML; empty if nothing of it can be read.

    Takes a time that grows with the length alone. What is too intricate keeps its words and loses
    its markup from there on; with `strict` it raises TooIntricate instead.
    """
    if isinstance(html, SanitisedHtml):
        return html
    if not html:
        return SanitisedHtml()
    end = _end_of_markup(html)
    sanitised = _sanitised(html, end)
    kept = _flattened(sanitised)
    if strict and (end < len(html) or kept != sanitised):
        raise TooIntricate
    kept = EMPTY_FIGURE.sub("", WITHOUT_SOURCE.sub("", kept))
    # A paste leaves empty paragraphs as distances.
    kept = EMPTY_PARAGRAPH.sub("", kept).strip()
    # An emptied editor leaves <p>&nbsp;</p>, which would count as a translation.
    says_something = any(block.text or block.kind == "figure" for block in each_block(kept))
    return SanitisedHtml(kept if says_something else "")


def _sanitised(html: str, end: int) -> str:
    bounded = FORMATTING.sub(r"<\1>", html[:end]) + escape(html[end:], quote=False)
    return nh3.clean(
        bounded,
        tags=ALLOWED_TAGS,
        attributes=ALLOWED_ATTRIBUTES,
        url_schemes=ALLOWED_SCHEMES,
        link_rel="noopener noreferrer",
        attribute_filter=_only_ours,
    ).strip()


def _end_of_markup(html: str) -> int:
    """Where the first tag stands that is one too many, else the end."""
    too_many = next(islice(TAG_OPEN.finditer(html), MAX_TAGS, None), None)
    return len(html) if too_many is None else too_many.start()


def _flattened(html: str) -> str:
    """Sanitised HTML without the tags that are deeper than MAX_DEPTH. Their text stays."""
    depth = 0

    def allowed(tag: re.Match[str]) -> str:
        nonlocal depth
        if tag[2] in VOID:
            return tag[0]
        if tag[1]:
            depth -= 1
            return tag[0] if depth < MAX_DEPTH else ""
        depth += 1
        return tag[0] if depth <= MAX_DEPTH else ""

    # The sanitiser closes whatever it opens.
    return html if html.count("</") <= MAX_DEPTH else ANY_TAG.sub(allowed, html)


def _only_ours(tag: str, attribute: str, value: str) -> str | None:
    """A picture that came through the newsroom's own door, and no other."""
    if (tag, attribute) == ("img", "src"):
        return value if renditions.ADDRESS.fullmatch(value) else None
    if attribute in {"width", "height", "colspan", "rowspan"}:
        return value if value.isascii() and value.isdigit() and len(value) < 5 else None
    return value


def without_pictures(html: str) -> str:
    """For a letter: each picture's words in its place, since loading one tells who reads."""
    told = FIGURE.sub(lambda found: f"<p><em>[{_words_of(found[0])}]</em></p>", html)
    return renditions.IMAGE.sub(_alt_in_place, told)


def with_bare_pictures_described(html: str) -> str:
    """The words of pictures that stand outside a figure, which are no block of their own."""
    return PICTURE.sub(lambda one: one[0] if one["figure"] else _alt_in_place(one), html)


def _alt_in_place(image: re.Match[str]) -> str:
    given = dict(renditions.ATTRIBUTE.findall(image["attributes"]))
    return f"<em>[{escape(unescape(given.get('alt', ''))).strip() or '…'}]</em>"


def _words_of(figure: str) -> str:
    # A caption may hold paragraphs, lists or a second figure: each is a block.
    words = " ".join(block.text for block in blocks(figure) if block.text)
    return escape(words or "…")


def absolute(html: str, page: str) -> str:
    """Sanitised HTML whose links and pictures are found from anywhere; `page` is its address."""

    def resolve(match: re.Match[str]) -> str:
        return f' {match[1]}="{_joined(page, match[2])}"'

    return TAG.sub(lambda tag: ADDRESS.sub(resolve, tag[0]), html)


def _joined(page: str, address: str) -> str:
    try:
        return urljoin(page, address)
    except ValueError:
        # An address that is none, such as one with half a bracket: it leads nowhere either way.
        return address


def for_xml(text: str) -> str:
    """Without the characters that no XML document can hold."""
    return NOT_IN_XML.sub("", text)


@dataclass(frozen=True)
class Block:
    """A paragraph, heading, list item or quotation, as plain text."""

    kind: str
    text: str
    links: tuple[str, ...] = ()


class _Reader(HTMLParser):
    """Cuts HTML into blocks. Unknown tags are looked through."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[Block] = []
        self._open: list[str] = []
        self._within: Counter[str] = Counter()
        """How often each is open, so that nobody looks through all of them for each tag."""
        self._text: list[str] = []
        self._links: list[str] = []

    def read(self, part: str) -> None:
        """As `feed`, which takes ten times as long for a paragraph that is nothing but text."""
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
        elif tag in BLOCKS or tag in {"ul", "ol"}:
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
        elif tag in BLOCKS or tag in {"ul", "ol"}:
            self.end_block()
            while self._within[tag]:
                ended = self._open.pop()
                self._within[ended] -= 1
                if ended == tag:
                    break

    def _is_in_row(self, tag: str) -> bool:
        """Whether it is a paragraph or list in a cell, as Word and Google Docs write them."""
        return self._within["tr"] > 0 and tag != "tr" and tag in BLOCKS | {"ul", "ol"}

    def end_cell(self) -> None:
        """A table's row is one block, its cells side by side."""
        self._text.append(CELL)

    def handle_data(self, data: str) -> None:
        self._text.append(data)

    def end_block(self) -> None:
        text = " ".join("".join(self._text).split()).removesuffix(CELL.strip()).strip()
        kind = self._kind()
        if kind == "tr" and not text.strip(CELL):
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
        return self._open[-1] if self._open and self._open[-1] in BLOCKS else "p"


def blocks(html: str) -> list[Block]:
    """The HTML's blocks in their order, white space collapsed."""
    return list(each_block(html))


def each_block(html: str) -> Iterator[Block]:
    """As `blocks`, read no further than is asked for."""
    reader, told = _Reader(), 0
    for part in AFTER_PARAGRAPH.split(html):
        reader.read(part)
        yield from reader.blocks[told:]
        told = len(reader.blocks)
    reader.close()
    reader.end_block()
    yield from reader.blocks[told:]


def squeezed(html: str) -> str:
    """For comparing two HTML texts: an editor breaks and indents lines as it likes."""
    return WHITE_SPACE.sub(" ", BETWEEN_TAGS.sub("><", html)).strip()


def fingerprint(title: str, lead: str, body: str) -> str:
    """What one language's text says, as "scheme:SHA-256".

    Built from block structure, text and link targets (NFC, white space collapsed), so that
    a change of markup or of the sanitiser is no change of text.
    """
    digest = hashlib.sha256()
    for part in _parts(title, lead, body):
        said = WHITE_SPACE.sub(" ", unicodedata.normalize("NFC", part)).strip()
        digest.update(said.encode() + b"\0")
    return f"{FINGERPRINT_SCHEME}:{digest.hexdigest()}"


def _parts(title: str, lead: str, body: str) -> Iterator[str]:
    yield title
    yield lead
    for block in blocks(body):
        yield block.kind
        yield block.text
        yield from block.links
