"""The letter as it arrives."""

from __future__ import annotations

import datetime as dt
import email
import email.policy
from email.message import EmailMessage
from email.utils import format_datetime

import pytest

from articles import publishing
from articles.gathering import gather
from newsletter import approving, rendering
from newsletter.models import Variant, VariantKind
from newsletter.rendering import LetterBroken, Personal, Rendered, Sender, WireLetter
from newsroom import links
from newsroom.links import Kind
from tests.factories import (
    MONDAY_MORNING,
    WEEK,
    make_article,
    make_edition,
    make_topic,
    make_user,
)

pytestmark = pytest.mark.django_db
TOKEN = "a" * links.TOKEN_LENGTH
PERSONAL = Personal(
    recipient="reader@example.org",
    token=TOKEN,
    message_token="b" * links.TOKEN_LENGTH,
    sent_at=MONDAY_MORNING,
)


def frozen(code: str = "be-ru", kind: VariantKind = VariantKind.FULL) -> bytes:
    make_edition(code=code, discreet=True)
    make_article(published_in=("ru",), topic=make_topic(code="west", position=2))
    make_article(verdict="worsened", topic=make_topic(code="elite", position=1))
    approving.approve(gather(WEEK), make_user(), MONDAY_MORNING)
    return bytes(Variant.objects.get(kind=kind).content)


def arrived(content: bytes, *, eight_bit: bool = True) -> EmailMessage:
    wire = WireLetter(content, eight_bit=eight_bit).to(PERSONAL)
    message = email.message_from_bytes(wire, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    return message


def part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    assert body is not None
    return str(body.get_content())


def test_its_headers_are_those_of_an_honest_list() -> None:
    message = arrived(frozen())
    assert message["To"] == "reader@example.org"
    assert message["From"].addresses[0].addr_spec == "be-ru@newsroom.example"
    assert message["From"].addresses[0].display_name == "Рэдакцыя"
    assert message["List-Id"].endswith("<be-ru.newsroom.example>")
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert f"/be/letter/{TOKEN}/" in message["List-Unsubscribe"]
    assert message["Message-ID"] == f"<{PERSONAL.message_token}@newsroom.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Date"].datetime == MONDAY_MORNING
    assert "16–22 лістапада 2026" in message["Subject"]


@pytest.mark.parametrize("kind", ["plain", "html"])
@pytest.mark.parametrize("eight_bit", [True, False])
def test_every_part_carries_the_full_texts_the_verdicts_and_the_link(
    kind: str, eight_bit: bool
) -> None:
    text = part(arrived(frozen(), eight_bit=eight_bit), kind)
    assert "Бюджэт расце." in text
    assert "Бюджет растёт." in text
    assert "16–22 лістапада 2026" in text
    assert TOKEN in text
    assert "▼" in text or "—" in text
    for placeholder in ("01token", "01recipient", "01date", "01message"):
        assert placeholder not in text


def test_a_text_in_another_language_says_so() -> None:
    message = arrived(frozen())
    assert "руская" in part(message, "plain")
    assert 'lang="ru"' in part(message, "html")


def test_a_letter_loads_nothing_from_elsewhere() -> None:
    html = part(arrived(frozen()), "html")
    for trace in ("<img", "<script", "src=", "url(", "<link", "@import"):
        assert trace not in html


def test_the_discreet_letter_names_nobody_outside_its_text() -> None:
    content = frozen("en", VariantKind.DISCREET)
    message = arrived(content)
    assert message["Subject"] == "Notes"
    assert message["From"].addresses[0].addr_spec == "notes@neutral.example"
    assert message.get_content_type() == "text/plain"
    assert b"newsroom" not in content.lower().replace(b"_01newsroom10_", b"")
    assert f"https://neutral.example/en/letter/{TOKEN}/" in part(message, "plain")


@pytest.mark.parametrize("eight_bit", [True, False])
def test_every_line_is_one_that_a_relay_takes(eight_bit: bool) -> None:
    make_edition(code="be-ru")
    long = "<p>" + "вельмі доўгі абзац " * 400 + "</p><p>.</p><p>.dot first</p>"
    article = make_article(published_in=())
    article.body_be = long
    article.save()
    publishing.publish(article, "be", MONDAY_MORNING)
    approving.approve(gather(WEEK), make_user(), MONDAY_MORNING)
    content = bytes(Variant.objects.get().content)
    wire = WireLetter(content, eight_bit=eight_bit).to(PERSONAL)
    lines = wire.split(b"\r\n")
    assert max(map(len, lines)) <= 998
    assert not any(b"\n" in line or b"\r" in line for line in lines)
    assert not any(line.startswith(b".") and not line.startswith(b"..") for line in lines)
    if not eight_bit:
        assert wire.isascii()
        assert max(map(len, wire.partition(b"\r\n\r\n")[2].split(b"\r\n"))) <= 77


def test_the_same_letter_has_the_same_message_id_for_the_same_reader() -> None:
    assert links.make_token(Kind.MESSAGE, 5, 6) == links.make_token(Kind.MESSAGE, 5, 6)
    assert links.make_token(Kind.MESSAGE, 5, 6) != links.make_token(Kind.MESSAGE, 6, 6)


def test_a_letter_without_a_way_to_leave_is_not_frozen() -> None:
    with pytest.raises(LetterBroken, match="leave"):
        rendering.freeze(
            Rendered("Subject", "no link at all", ""),
            Sender("A", "a@example.org"),
            list_id="l.example.org",
            list_name="L",
            unsubscribe_url=f"https://example.org/{rendering.TOKEN}",
        )


def test_a_word_that_no_line_holds_is_refused() -> None:
    with pytest.raises(LetterBroken, match="990"):
        rendering.freeze(
            Rendered("Subject", rendering.TOKEN + "x" * 2000, ""),
            Sender("A", "a@example.org"),
            list_id="l.example.org",
            list_name="L",
            unsubscribe_url=f"https://example.org/{rendering.TOKEN}",
        )


def test_plain_text_keeps_headings_lists_quotations_and_links() -> None:
    body = (
        "<h2>Head</h2><p>Text <a href='https://example.org/x'>here</a></p>"
        "<ul><li>one</li><li>two</li></ul><blockquote><p>said</p></blockquote>"
    )
    assert rendering.plain_text(body) == (
        "Head\n----\n\nText here <https://example.org/x>\n\n• one\n• two\n\n> said"
    )


def test_plain_text_keeps_a_tables_rows_on_lines_of_their_own() -> None:
    body = (
        "<p>Before</p><table><caption>Prices</caption><thead><tr><th>Year</th><th>Sum</th></tr></thead>"
        "<tbody><tr><td><p>2025</p></td><td><p>1</p><p>200</p></td></tr>"
        '<tr><td>2026</td><td><a href="https://example.org/">more</a></td></tr></tbody></table><p>After</p>'
    )
    assert rendering.plain_text(body) == (
        "Before\n\nPrices\n\nYear | Sum\n2025 | 1 200\n2026 | more <https://example.org/>\n\nAfter"
    )


def test_the_date_placeholder_is_as_long_as_a_date() -> None:
    moment = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    assert len(format_datetime(moment)) == len(rendering.DATE)
