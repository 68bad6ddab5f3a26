"""Promise 6.10: what you can type is what survives."""

import itertools
import re

import pytest

from articles.text import sanitizer

FIGURE = (
    '<figure><img src="/media/pictures/0123456789abcdef01234567/640.jpg" alt="A gate" width="640" '
    'height="360"><figcaption>The gate</figcaption></figure>'
)
TABLE = (
    "<table><caption>Prices</caption>"
    '<thead><tr><th scope="col">Year</th><th>Price</th></tr></thead>'
    '<tbody><tr><td>2025</td><td colspan="2">7</td></tr></tbody></table>'
)
EMPTY_TABLE = "<table><tbody><tr><td>&nbsp;</td><td></td><td>&nbsp;</td></tr></tbody></table>"


def test_what_you_can_type_is_what_survives() -> None:
    typed = (
        "<h2>Head</h2><h3>Below</h3><p>One <strong>bold</strong> <em>word</em><br>"
        '<a href="https://example.org/">link</a></p>'
        "<ul><li>a</li></ul><ol><li>b</li></ol><blockquote><p>said</p></blockquote>"
        f"{FIGURE}{TABLE}"
    )
    kept = sanitizer.clean(typed)
    for tag in sanitizer.ALLOWED_TAGS:
        assert f"<{tag}" in kept
    assert sanitizer.clean(str(kept)) == kept


@pytest.mark.parametrize(
    "attack",
    [
        "<script>alert(1)</script>",
        '<p onclick="alert(1)">x</p>',
        '<a href="javascript:alert(1)">x</a>',
        '<img src=x onerror="alert(1)">',
        "<svg><script>alert(1)</script></svg>",
        '<iframe src="https://example.org"></iframe>',
        '<p style="background:url(https://example.org/pixel)">x</p>',
        "<style>*{display:none}</style>",
    ],
)
def test_nothing_else_survives(attack: str) -> None:
    kept = sanitizer.clean(attack + "<p>text</p>")
    for trace in ("alert", "script", "onclick", "onerror", "style", "example.org", "<img"):
        assert trace not in kept
    assert "<p>text</p>" in kept


@pytest.mark.parametrize(
    "emptied", ["", "<p>&nbsp;</p>", "<p><br></p>", " \n", "<ul><li></li></ul>", EMPTY_TABLE]
)
def test_empty_is_empty(emptied: str) -> None:
    assert sanitizer.clean(emptied) == ""


def test_the_toolbar_and_the_allow_list_are_one_table() -> None:
    buttons = [button for group in sanitizer.toolbar() for button in group]
    assert {"Bold", "Italic", "Link", "BulletedList", "NumberedList", "Blockquote"} <= set(buttons)
    assert {"strong", "em", "a", "ul", "ol", "li", "blockquote"} <= set(sanitizer.ALLOWED_TAGS)


def test_a_change_of_markup_is_no_change_of_text() -> None:
    one = sanitizer.fingerprint("Title", "Lead", "<p>Some  <strong>bold</strong> text</p>")
    other = sanitizer.fingerprint("Title ", "Lead", "<p>Some <em>bold</em>\n text</p>\n")
    assert one == other


@pytest.mark.parametrize(
    "body",
    [
        "<p>Some bold words</p>",
        "<h2>Some bold text</h2>",
        '<p>Some <a href="https://example.org">bold</a> text</p>',
        "<p>Some bold</p><p>text</p>",
    ],
)
def test_words_structure_and_links_are_text(body: str) -> None:
    assert sanitizer.fingerprint("T", "L", body) != sanitizer.fingerprint(
        "T", "L", "<p>Some bold text</p>"
    )


def test_composed_and_decomposed_letters_are_the_same() -> None:
    assert sanitizer.fingerprint("ў", "", "") == sanitizer.fingerprint("ў", "", "")


@pytest.mark.parametrize(
    "source",
    [
        "https://example.org/pixel.png",
        "//example.org/media/pictures/0123456789abcdef01234567/640.jpg",
        "/media/pictures/../../admin/logout/",
        "/media/covers/x.jpg",
        "data:image/png;base64,AAAA",
        "/media/pictures/0123456789abcdef01234567/640.jpg?x",
        "javascript:alert(1)",
    ],
)
def test_only_pictures_that_came_through_the_door_are_kept(source: str) -> None:
    kept = sanitizer.clean(
        f'<p>Text</p><figure><img src="{source}" alt="x"><figcaption>y</figcaption></figure>'
    )
    assert kept == "<p>Text</p>"


def test_a_picture_alone_is_a_text_and_its_words_count() -> None:
    assert sanitizer.clean(FIGURE) == FIGURE
    [block] = sanitizer.blocks(FIGURE)
    assert (block.kind, block.text) == ("figure", "A gate The gate")
    other = FIGURE.replace("A gate", "A fence")
    assert sanitizer.fingerprint("", "", FIGURE) != sanitizer.fingerprint("", "", other)
    moved = FIGURE.replace("0123456789abcdef01234567", "f" * 24)
    assert sanitizer.fingerprint("", "", FIGURE) == sanitizer.fingerprint("", "", moved)


def test_a_row_of_a_table_is_one_block() -> None:
    found = [(block.kind, block.text) for block in sanitizer.blocks(TABLE)]
    assert found == [("caption", "Prices"), ("tr", "Year | Price"), ("tr", "2025 | 7")]


def test_paragraphs_and_lists_in_a_cell_stay_in_their_row() -> None:
    [row] = sanitizer.blocks(
        "<table><tbody><tr><td><p>a</p><p>b</p></td><td><ul><li>c</li><li>d</li></ul></td></tr></tbody></table>"
    )
    assert (row.kind, row.text) == ("tr", "a b | c d")


def test_empty_paragraphs_do_not_keep_a_distance() -> None:
    assert (
        sanitizer.clean("<p>a</p><p>&nbsp;</p>\n<p> <br></p><p>b</p><p></p>") == "<p>a</p><p>b</p>"
    )


def test_a_letter_has_a_pictures_words_in_its_place() -> None:
    assert sanitizer.images_as_text(f"<p>a</p>{FIGURE}<p>b</p>") == (
        "<p>a</p><p><em>[A gate The gate]</em></p><p>b</p>"
    )


BARE = '<img src="/media/pictures/0123456789abcdef01234567/640.jpg" alt="A &lt;b&gt; gate">'


@pytest.mark.parametrize(
    "body",
    [
        f"<p>a {BARE}</p>",
        BARE,
        BARE.replace("A &lt;b&gt; gate", ""),
        f"<ul><li>{BARE}</li></ul>",
        f"<table><tbody><tr><td>{BARE}</td></tr></tbody></table>",
        f"<h2><a href='/x'>{BARE}</a></h2>",
        f"<figure>{BARE}<figure>{BARE}</figure>{BARE}<figcaption>{BARE}</figcaption></figure>",
        f"<figcaption>{BARE}</figcaption>",
    ],
)
def test_no_picture_is_left_in_a_letter_wherever_it_stands(body: str) -> None:
    cleaned = sanitizer.clean(f"<p>text</p>{body}")
    assert "<img" in cleaned
    told = sanitizer.images_as_text(cleaned)
    assert "<img" not in told
    assert "/media/" not in told
    assert "<b>" not in told
    assert "[A &lt;b&gt; gate]" in told or "[…]" in told


def test_a_picture_outside_a_figure_is_told_where_it_stood() -> None:
    assert sanitizer.images_as_text(sanitizer.clean(f"<p>a {BARE} b</p>")) == (
        "<p>a <em>[A &lt;b&gt; gate]</em> b</p>"
    )


# --- Markup without end ----------------------------------------------------------------


def within(tags: str, times: int) -> str:
    names = re.findall("[a-z0-9]+", tags)
    return tags * times + "text" + "".join(f"</{name}>" for name in reversed(names)) * times


@pytest.mark.parametrize(
    "body",
    [
        within("<ul><li>", 4_000),
        within("<blockquote>", 8_000),
        "<ul><li>" * 20_000 + "text",
        "<table><tr><td>" * 10_000 + "text",
        "text" + "<p>x</p>" * 30_000,
        "<ul>" * 15_000 + "</div>" * 20_000 + "text",
    ],
)
def test_what_is_too_intricate_keeps_its_words_and_is_refused_by_a_form(body: str) -> None:
    with pytest.raises(sanitizer.TooComplex):
        sanitizer.clean(body, strict=True)
    kept = sanitizer.clean(body)
    assert "text" in kept
    assert deepest(kept) <= sanitizer.MAX_DEPTH
    if "&lt;" not in kept:
        assert sanitizer.clean(str(kept), strict=True) == kept


def deepest(body: str) -> int:
    steps = [-1 if closes else 1 for closes in re.findall("<(/?)(?!br|img)[a-z]", body)]
    return max(itertools.accumulate(steps))


@pytest.mark.parametrize(
    "tag", ["em id={}", "STRONG/id={}", "b\tid={}", "font\nsize={}", "u a='{}'"]
)
def test_no_text_grows_while_it_is_cleaned(tag: str) -> None:
    """An HTML5 parser opens what was left open again in each paragraph that follows."""
    opened = "".join(f"<{tag.format(number)}>" for number in range(2_000))
    body = f"<p>{opened}</p>" + "<p>x</p>" * 2_000
    assert len(sanitizer.clean(body)) < 3 * len(body)


def test_a_long_table_and_a_deep_list_of_a_person_are_kept_as_they_are() -> None:
    row = "<tr><td>a</td><td>b</td><td>c</td></tr>"
    table = f"<table><tbody>{row * 1000}</tbody></table>"
    deep = within("<ul><li>", 20)
    for body in (table, deep, f"<blockquote>{deep}</blockquote>"):
        assert sanitizer.clean(body, strict=True) == body


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("/be/7/", "https://a.example/be/7/"),
        ("#note", "https://a.example/be/1/slug/#note"),
        ("?a=1&amp;b=2", "https://a.example/be/1/slug/?a=1&amp;b=2"),
        ("//b.example/c", "https://b.example/c"),
        ("https://b.example/?c=1", "https://b.example/?c=1"),
        ("mailto:desk@b.example", "mailto:desk@b.example"),
        ("http://[half", "http://[half"),
    ],
)
def test_an_address_is_found_from_anywhere(address: str, found: str) -> None:
    page = "https://a.example/be/1/slug/"
    markup = '<p><a href="{}" rel="noopener">x</a><img src="{}" alt=" href=&quot;/y&quot;"></p>'
    assert sanitizer.with_absolute_urls(markup.format(address, address), page) == markup.format(
        found, found
    )


def test_words_that_look_like_an_address_stay_words() -> None:
    markup = '<p>Write href="/x" or src="/y".</p>'
    assert sanitizer.with_absolute_urls(markup, "https://a.example/") == markup


def test_xml_gets_no_character_that_it_cannot_hold() -> None:
    assert sanitizer.without_invalid_xml("a\x00\x0b\x1f\ud800\ufffe\uffffb\t\n😀ў") == "ab\t\n😀ў"


def test_a_plain_paragraph_is_read_as_any_other() -> None:
    """It takes a shorter way, which an attribute or a tag inside leads away from."""
    inside = "Цана &amp; кошт\u00a0— &lt;5&#37;,\n не  больш"
    for text in (
        f"<p>{inside}</p>",
        f"<ul><li><p>{inside}</p></li></ul>\n<p>{inside}</p>",
        f"<blockquote><p>{inside}</p>\n<p>{inside}</p></blockquote>",
        f"<table><tr><td><p>{inside}</p>\n<p>{inside}</p></td><td><p></p></td></tr></table>",
        f"{inside}<p>{inside}",
    ):
        longer = text.replace("<p>", "<p><strong></strong>")
        assert sanitizer.blocks(text) == sanitizer.blocks(longer), text


def test_no_more_is_read_than_is_asked_for() -> None:
    first = next(sanitizer.iter_blocks("<p>One</p>" + "<p>Two</p>" * 3))
    assert first.text == "One"
    assert [one.text for one in sanitizer.iter_blocks("<h2>A</h2><p>B</p>C")] == ["A", "B", "C"]
