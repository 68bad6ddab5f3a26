"""One small function for each kind of mail."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from zoneinfo import ZoneInfo

from django.urls import reverse
from django.utils import translation
from django.utils.safestring import SafeString, mark_safe

from articles.editorial.coverage import pick, policies_of
from articles.models import Article, ArticleText, Digest, Masthead
from articles.text import sanitizer
from core.languages import InLanguage
from keys import tokens
from keys.tokens import Kind
from newsletter import mime
from newsletter.campaigns import rendering
from newsletter.mime import FrozenLetter, Marks, Rendered, Sender
from newsletter.models import Edition, MailKind, OutboxMail, Subscriber, VariantKind

NO_MAILING = 0
"""In the place of a mailing's id: the link to leave by in a mail that belongs to none."""
PREFERENCES_FOR = dt.timedelta(hours=1)
"""How long the mailed link opens the preferences."""


@dataclass(frozen=True)
class Content(InLanguage):
    """An article as an edition shows it; in another language the letter says so."""

    article: Article
    text: ArticleText

    @property
    def byline(self) -> str:
        return ", ".join(str(author) for author in self.article.authors.all())

    @cached_property
    def body(self) -> str:
        """Sanitised once more, the one time that a column is not trusted: the web process fills it,
        and what it writes must not reach a mailbox past the worker."""
        return sanitizer.clean(self.text.body)

    @property
    def letter_body(self) -> SafeString:
        """Headings one level down, below the article's title."""
        lowered = sanitizer.without_pictures(self.body)
        lowered = lowered.replace("h3>", "h4>").replace("h2>", "h3>")
        return mark_safe(lowered)  # noqa: S308

    @property
    def plain_body(self) -> str:
        return rendering.plain_text(self.body)

    @property
    def plain_lead(self) -> str:
        return "\n".join(rendering.wrap(self.text.lead))


def contents_of(digest: Digest, edition: Edition) -> list[Content]:
    """The digest's articles that the edition shows, each in the language it shows it in."""
    [(_edition, contents)] = contents_of_each(digest, [edition])
    return contents


def contents_of_each(
    digest: Digest, editions: list[Edition]
) -> list[tuple[Edition, list[Content]]]:
    """For several editions, with the digest asked for once."""
    articles, policies = digest.ordered_articles(), policies_of(digest)
    found = []
    for edition in editions:
        picked = ((one, pick(one, edition.languages, policies)) for one in articles)
        contents = [
            Content(text.language, edition.language, one, text) for one, text in picked if text
        ]
        found.append((edition, contents))
    return found


def digest_letter(
    digest: Digest, edition: Edition, contents: list[Content], kind: VariantKind
) -> FrozenLetter:
    """The week's letter, frozen. Carries the full texts: for many readers it is the site."""
    discreet, marks = kind == VariantKind.DISCREET, Marks.draw()
    return mime.freeze(
        render_digest(digest, edition, contents, kind, marks),
        sender_of(edition, kind),
        marks,
        list_id=edition.discreet_list_id if discreet else edition.list_id,
        list_name=edition.discreet_sender_name if discreet else edition.sender_name,
        unsubscribe_url=_leave_url(edition, marks, discreet=discreet),
    )


def render_digest(
    digest: Digest, edition: Edition, contents: list[Content], kind: VariantKind, marks: Marks
) -> Rendered:
    """The week's letter as its templates say it, with marks for what differs per subscriber."""
    discreet = kind == VariantKind.DISCREET
    language = edition.language
    leave_url = _leave_url(edition, marks, discreet=discreet)
    with translation.override(language):
        masthead = Masthead.current()
        context: dict[str, object] = {
            "masthead": masthead,
            "digest": digest,
            "edition": edition,
            "language": language,
            "week_label": digest.week.label(language),
            "introduction": digest.introduction_in(language),
            "contents": contents,
            "leave_url": leave_url,
            "web_url": "" if discreet else tokens.absolute("week", language, digest.week),
        }
        rendered = rendering.render("digest", context, language, with_html=not discreet)
    return Rendered(edition.discreet_subject, rendered.text, "") if discreet else rendered


def sender_of(edition: Edition, kind: str) -> Sender:
    """Who the letter is from; a discreet one has a neutral sender."""
    if kind == VariantKind.DISCREET:
        return Sender(edition.discreet_sender_name, edition.discreet_sender_address)
    return Sender(edition.sender_name, edition.sender_address)


def single_mail(mail: OutboxMail, subscriber: Subscriber, now: dt.datetime) -> Rendered:
    """A mail to one subscriber, as its templates say it. Quotes nothing that was typed."""
    edition, language = subscriber.edition, subscriber.language
    discreet = subscriber.variant == VariantKind.DISCREET
    context = SINGLE_MAILS[MailKind(mail.kind)](subscriber, now) | {
        "edition": edition,
        "language": language,
        "discreet": discreet,
    }
    with translation.override(language):
        context["masthead"] = Masthead.current()
        rendered = rendering.render(mail.kind, context, language, with_html=not discreet)
    return Rendered(edition.discreet_subject, rendered.text, "") if discreet else rendered


def _confirmation(subscriber: Subscriber, _now: dt.datetime) -> dict[str, object]:
    """Asks whether it was the owner of the address who signed up."""
    token = tokens.make_token(Kind.CONFIRM, subscriber.pk, subscriber.sign_up_second)
    return {"confirm_url": _link("confirm", subscriber, token)}


def _welcome(subscriber: Subscriber, now: dt.datetime) -> dict[str, object]:
    """For who confirmed when there was no digest to send at once: when the first one comes."""
    edition = subscriber.edition
    first_at = edition.due_at(edition.coming_week(now))
    token = tokens.make_token(Kind.LETTER, subscriber.pk, NO_MAILING)
    return {
        "first_at": first_at.astimezone(ZoneInfo(edition.time_zone)),
        "leave_url": _link("letter", subscriber, token),
    }


def _preferences(subscriber: Subscriber, now: dt.datetime) -> dict[str, object]:
    """The link to the page of their own, for an hour. Goes to the subscriber and nobody else."""
    until = int((now + PREFERENCES_FOR).timestamp())
    token = tokens.make_token(Kind.PREFERENCES, subscriber.pk, until)
    return {"preferences_url": _link("preferences", subscriber, token)}


SINGLE_MAILS = {
    MailKind.CONFIRMATION: _confirmation,
    MailKind.WELCOME: _welcome,
    MailKind.PREFERENCES: _preferences,
}
"""What the templates of each kind show. Their names are the kinds'."""


def _link(view: str, subscriber: Subscriber, token: str) -> str:
    discreet = subscriber.variant == VariantKind.DISCREET
    path = reverse(view, args=[subscriber.language, token])
    return _base_url(subscriber.edition, discreet=discreet) + path


def _base_url(edition: Edition, *, discreet: bool) -> str:
    """A discreet letter must not name the newsroom's own site."""
    return (
        edition.discreet_site_url.rstrip("/") if discreet else tokens.absolute("root").rstrip("/")
    )


def _leave_url(edition: Edition, marks: Marks, *, discreet: bool) -> str:
    path = reverse("letter", args=[edition.language, marks.token])
    return _base_url(edition, discreet=discreet) + path
