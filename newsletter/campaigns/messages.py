"""The content of each kind of mail."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from zoneinfo import ZoneInfo

from django.urls import reverse
from django.utils import translation
from django.utils.safestring import SafeString, mark_safe

from articles.editorial.coverage import gap_policies, text_for_edition
from articles.models import Article, ArticleText, Digest, SiteSettings
from articles.text import sanitizer
from core.languages import LocalizedContent
from keys import tokens
from keys.tokens import TokenKind
from newsletter import mime
from newsletter.campaigns import rendering
from newsletter.mime import FrozenLetter, Placeholders, RenderedMail, Sender
from newsletter.models import Edition, MailKind, OutboxMail, Subscriber, VariantKind

NO_MAILING = 0
"""In place of a mailing's id, in the unsubscribe link of a transactional mail."""
PREFERENCES_LINK_TTL = dt.timedelta(hours=1)
"""How long the mailed link to the preferences is valid."""


@dataclass(frozen=True)
class ArticleInEdition(LocalizedContent):
    """An article in the language in which an edition shows it, labelled if that is another."""

    article: Article
    text: ArticleText

    @property
    def byline(self) -> str:
        return ", ".join(str(author) for author in self.article.authors.all())

    @cached_property
    def body(self) -> str:
        """Sanitised again: the web process writes this column, and the worker does not trust it."""
        return sanitizer.clean(self.text.body)

    @property
    def letter_body(self) -> SafeString:
        """With headings one level down, below the article's title."""
        lowered = sanitizer.images_as_text(self.body)
        lowered = lowered.replace("h3>", "h4>").replace("h2>", "h3>")
        return mark_safe(lowered)  # noqa: S308

    @property
    def plain_body(self) -> str:
        return rendering.plain_text(self.body)

    @property
    def plain_lead(self) -> str:
        return "\n".join(rendering.wrap(self.text.lead))


def contents_of(digest: Digest, edition: Edition) -> list[ArticleInEdition]:
    """The digest's articles that the edition shows, each in its language there."""
    [(_edition, contents)] = contents_of_each(digest, [edition])
    return contents


def contents_of_each(
    digest: Digest, editions: list[Edition]
) -> list[tuple[Edition, list[ArticleInEdition]]]:
    """For several editions, with the digest read once."""
    articles, policies = digest.ordered_articles(), gap_policies(digest)
    found = []
    for edition in editions:
        picked = ((one, text_for_edition(one, edition.languages, policies)) for one in articles)
        contents = [
            ArticleInEdition(text.language, edition.language, one, text)
            for one, text in picked
            if text
        ]
        found.append((edition, contents))
    return found


def digest_letter(
    digest: Digest, edition: Edition, contents: list[ArticleInEdition], kind: VariantKind
) -> FrozenLetter:
    """The week's letter, frozen, with the full texts: the site is blocked for many subscribers."""
    discreet, placeholders = kind == VariantKind.DISCREET, Placeholders.draw()
    return mime.freeze(
        render_digest(digest, edition, contents, kind, placeholders),
        sender_of(edition, kind),
        placeholders,
        list_id=edition.discreet_list_id if discreet else edition.list_id,
        list_name=edition.discreet_sender_name if discreet else edition.sender_name,
        unsubscribe_url=_unsubscribe_url(edition, placeholders, discreet=discreet),
    )


def render_digest(
    digest: Digest,
    edition: Edition,
    contents: list[ArticleInEdition],
    kind: VariantKind,
    placeholders: Placeholders,
) -> RenderedMail:
    """The week's letter rendered, with placeholders for what differs per subscriber."""
    discreet = kind == VariantKind.DISCREET
    language = edition.language
    unsubscribe_url = _unsubscribe_url(edition, placeholders, discreet=discreet)
    with translation.override(language):
        masthead = SiteSettings.current()
        context: dict[str, object] = {
            "masthead": masthead,
            "digest": digest,
            "edition": edition,
            "language": language,
            "week_label": digest.week.label(language),
            "introduction": digest.introduction_in(language),
            "contents": contents,
            "unsubscribe_url": unsubscribe_url,
            "web_url": "" if discreet else tokens.absolute_url("week", language, digest.week),
        }
        rendered = rendering.render("digest", context, language, with_html=not discreet)
    return RenderedMail(edition.discreet_subject, rendered.text, "") if discreet else rendered


def sender_of(edition: Edition, kind: str) -> Sender:
    """A discreet letter has a neutral sender."""
    if kind == VariantKind.DISCREET:
        return Sender(edition.discreet_sender_name, edition.discreet_sender_address)
    return Sender(edition.sender_name, edition.sender_address)


def transactional_mail(mail: OutboxMail, subscriber: Subscriber, now: dt.datetime) -> RenderedMail:
    """A transactional mail, rendered. Contains nothing that somebody typed into a form."""
    edition, language = subscriber.edition, subscriber.language
    discreet = subscriber.variant == VariantKind.DISCREET
    context = CONTEXT_BUILDERS[MailKind(mail.kind)](subscriber, now) | {
        "edition": edition,
        "language": language,
        "discreet": discreet,
    }
    with translation.override(language):
        context["masthead"] = SiteSettings.current()
        rendered = rendering.render(mail.kind, context, language, with_html=not discreet)
    return RenderedMail(edition.discreet_subject, rendered.text, "") if discreet else rendered


def _confirmation(subscriber: Subscriber, _now: dt.datetime) -> dict[str, object]:
    """Double opt-in: only the owner of the address can confirm."""
    token = tokens.make_token(TokenKind.CONFIRM, subscriber.pk, subscriber.sign_up_timestamp)
    return {"confirm_url": _link("confirm", subscriber, token)}


def _welcome(subscriber: Subscriber, now: dt.datetime) -> dict[str, object]:
    """For a subscriber without a latest issue: says when the first digest comes."""
    edition = subscriber.edition
    first_at = edition.due_at(edition.coming_week(now))
    token = tokens.make_token(TokenKind.LETTER, subscriber.pk, NO_MAILING)
    return {
        "first_at": first_at.astimezone(ZoneInfo(edition.time_zone)),
        "unsubscribe_url": _link("letter", subscriber, token),
    }


def _preferences(subscriber: Subscriber, now: dt.datetime) -> dict[str, object]:
    """The link to the subscriber's preferences, valid for PREFERENCES_LINK_TTL."""
    until = int((now + PREFERENCES_LINK_TTL).timestamp())
    token = tokens.make_token(TokenKind.PREFERENCES, subscriber.pk, until)
    return {"preferences_url": _link("preferences", subscriber, token)}


CONTEXT_BUILDERS = {
    MailKind.CONFIRMATION: _confirmation,
    MailKind.WELCOME: _welcome,
    MailKind.PREFERENCES: _preferences,
}
"""Each builds the context of the templates in templates/email/<kind>."""


def _link(view: str, subscriber: Subscriber, token: str) -> str:
    discreet = subscriber.variant == VariantKind.DISCREET
    path = reverse(view, args=[subscriber.language, token])
    return _base_url(subscriber.edition, discreet=discreet) + path


def _base_url(edition: Edition, *, discreet: bool) -> str:
    """A discreet letter must not name the newsroom's site."""
    return (
        edition.discreet_site_url.rstrip("/")
        if discreet
        else tokens.absolute_url("root").rstrip("/")
    )


def _unsubscribe_url(edition: Edition, placeholders: Placeholders, *, discreet: bool) -> str:
    path = reverse("letter", args=[edition.language, placeholders.token])
    return _base_url(edition, discreet=discreet) + path
