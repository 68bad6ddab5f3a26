"""The letter as it arrives."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage

import pytest

from articles.editorial import workflow
from articles.editorial.digest_builder import build_digest
from keys import tokens
from keys.tokens import TokenKind
from newsletter import mime
from newsletter.campaigns import approval, rendering
from newsletter.mime import (
    EncodedLetter,
    FrozenLetter,
    InvalidLetter,
    Personalisation,
    Placeholders,
    RenderedMail,
    Sender,
)
from newsletter.models import Variant, VariantKind
from tests.factories import (
    MONDAY_MORNING,
    WEEK,
    make_article,
    make_edition,
    make_topic,
    make_user,
)

pytestmark = pytest.mark.django_db
TOKEN = "a" * tokens.TOKEN_LENGTH
PERSONAL = Personalisation(
    recipient="reader@example.org",
    token=TOKEN,
    message_token="b" * tokens.TOKEN_LENGTH,
    sent_at=MONDAY_MORNING,
)


def frozen(code: str = "be-ru", kind: VariantKind = VariantKind.FULL) -> FrozenLetter:
    make_edition(code=code, discreet=True)
    make_article(published_in=("ru",), topic=make_topic(code="west", position=2))
    make_article(verdict="worsened", topic=make_topic(code="elite", position=1))
    approval.approve(build_digest(WEEK), make_user(), MONDAY_MORNING)
    return Variant.objects.get(kind=kind).letter


def arrived(letter: FrozenLetter, *, eight_bit: bool = True) -> EmailMessage:
    wire = EncodedLetter(letter, eight_bit=eight_bit).to(PERSONAL)
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


def test_a_text_in_another_language_says_so() -> None:
    message = arrived(frozen())
    assert "руская" in part(message, "plain")
    assert 'lang="ru"' in part(message, "html")


def test_a_letter_loads_nothing_from_elsewhere() -> None:
    html = part(arrived(frozen()), "html")
    for trace in ("<img", "<script", "src=", "url(", "<link", "@import"):
        assert trace not in html


def test_the_discreet_letter_names_nobody_outside_its_text() -> None:
    letter = frozen("en", VariantKind.DISCREET)
    message = arrived(letter)
    assert message["Subject"] == "Notes"
    assert message["From"].addresses[0].addr_spec == "notes@neutral.example"
    assert message.get_content_type() == "text/plain"
    assert b"newsroom" not in letter.content.lower()
    assert f"https://neutral.example/en/letter/{TOKEN}/" in part(message, "plain")


@pytest.mark.parametrize("eight_bit", [True, False])
def test_every_line_is_one_that_a_relay_takes(eight_bit: bool) -> None:
    make_edition(code="be-ru")
    long = "<p>" + "вельмі доўгі абзац " * 400 + "</p><p>.</p><p>.dot first</p>"
    article = make_article(published_in=())
    article.body_be = long
    article.save()
    workflow.publish(article, "be", MONDAY_MORNING)
    approval.approve(build_digest(WEEK), make_user(), MONDAY_MORNING)
    wire = EncodedLetter(Variant.objects.get().letter, eight_bit=eight_bit).to(PERSONAL)
    lines = wire.split(b"\r\n")
    assert max(map(len, lines)) <= 998
    assert not any(b"\n" in line or b"\r" in line for line in lines)
    assert not any(line.startswith(b".") and not line.startswith(b"..") for line in lines)
    if not eight_bit:
        assert wire.isascii()
        assert max(map(len, wire.partition(b"\r\n\r\n")[2].split(b"\r\n"))) <= 77


def test_the_same_letter_has_the_same_message_id_for_the_same_reader() -> None:
    assert tokens.make_token(TokenKind.MESSAGE, 5, 6) == tokens.make_token(TokenKind.MESSAGE, 5, 6)
    assert tokens.make_token(TokenKind.MESSAGE, 5, 6) != tokens.make_token(TokenKind.MESSAGE, 6, 6)


def freeze(text: str, html: str = "", **changed: str) -> FrozenLetter:
    """A letter of these parts, in which LINK stands for the link to leave by."""
    marks = Placeholders.draw()
    link = f"https://example.org/{marks.token}"
    fields = {
        "subject": "Subject",
        "name": "A",
        "address": "a@example.org",
        "list_id": "l.example.org",
        "list_name": "L",
        **changed,
    }
    return mime.freeze(
        RenderedMail(fields["subject"], text.replace("LINK", link), html.replace("LINK", link)),
        Sender(fields["name"], fields["address"]),
        marks,
        list_id=fields["list_id"],
        list_name=fields["list_name"],
        unsubscribe_url=link,
    )


@pytest.mark.parametrize(
    ("text", "html"), [("none", ""), ("LINK", "none"), ("LINK LINK", ""), ("LINK", "LINK, LINK")]
)
def test_a_part_without_just_one_way_to_leave_is_not_frozen(text: str, html: str) -> None:
    with pytest.raises(InvalidLetter, match="one link to leave by"):
        freeze(text, html)


def test_a_word_that_no_line_holds_is_refused() -> None:
    with pytest.raises(InvalidLetter, match="990"):
        freeze("LINK" + "x" * 2000)


@pytest.mark.parametrize("field", ["subject", "name", "address", "list_id", "list_name"])
@pytest.mark.parametrize("line_break", ["\r\n", "\n", "\r", "\x85", "\u2028"])
def test_no_field_of_an_edition_adds_a_header(field: str, line_break: str) -> None:
    with pytest.raises(InvalidLetter, match="no header"):
        freeze(
            "LINK", **{field: f"a@b.example{line_break}Disposition-Notification-To: x@y.example"}
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
