"""Letting a text out, now or at its hour, and taking it back."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Mapping
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as __
from django.utils.translation import gettext_lazy as _

from articles import signals
from articles.models import Article, ArticleLanguage, CannotPublish
from articles.search import indexing
from core import languages
from staff.audit import record
from staff.models import AuditAction

logger = logging.getLogger(__name__)

IN_THE_PAST = _("This time is over. Choose one that is still to come.")
NOTE_ON_WITHDRAWAL = "note on the withdrawal"
SCHEDULE = "schedule"
"""The audit's note on what published itself; whoever scheduled it is the actor."""


class InThePast(Exception):
    """A text cannot publish itself at an hour that is over."""


def _row(article: Article, language: str) -> ArticleLanguage:
    """The language's state, locked. Raises CannotPublish where nothing is written in it."""
    _lock(article.pk)
    row = article.article_languages.select_for_update().filter(language=language).first()
    if row is None:
        missing = ArticleLanguage(article=article, language=language)
        raise CannotPublish(missing.obstacles(article.text_in(language)))
    row.article = article
    return row


def _lock(article_id: int) -> None:
    """The article before its languages, as whoever saves it does: else two wait for each other."""
    Article.objects.locked().order_by().filter(pk=article_id).values_list("pk").first()


@transaction.atomic
def publish(article: Article, language: str, now: dt.datetime, *, by: Any = None) -> bool:
    """Publishes one language; False if it was public already. Raises CannotPublish."""
    changed = _row(article, language).publish(article.text_in(language), now)
    if changed:
        indexing.index(article.pk)
        record(AuditAction.PUBLISHED, article, by=by, now=now, language=language)
    return changed


@transaction.atomic
def schedule(
    article: Article, language: str, at: dt.datetime, now: dt.datetime, *, by: Any
) -> bool:
    """One language publishes itself at that time; False if that is so already.

    Raises InThePast, CannotPublish, InvalidTransition.
    """
    if at <= now:
        raise InThePast(str(IN_THE_PAST))
    changed = _row(article, language).schedule(article.text_in(language), at, by)
    if changed:
        detail = f"{at:%Y-%m-%d %H:%M} UTC"
        record(AuditAction.SCHEDULED, article, by=by, now=now, language=language, detail=detail)
    return changed


@transaction.atomic
def hand_in(article: Article, language: str) -> bool:
    """Asks for a review; False if it waits for one. Raises CannotPublish, InvalidTransition."""
    return _row(article, language).hand_in()


@transaction.atomic
def send_back(article: Article, language: str, remark: str = "") -> bool:
    """Back to its writer; False for a draft. Raises CannotPublish, InvalidTransition."""
    return _row(article, language).send_back(remark)


def publish_due(now: dt.datetime, one: Callable[[int, dt.datetime], bool] | None = None) -> int:
    """Publishes what is scheduled and due, each by itself: one that fails stops no other.

    Returns how many were published.
    """
    one = one or publish_scheduled
    due = ArticleLanguage.objects.due(now).order_by("scheduled_for", "pk")
    published = 0
    for pk in list(due.values_list("pk", flat=True)):
        try:
            published += one(pk, now)
        except Exception:
            # The next tick tries again; those after it do not wait for that.
            logger.exception("Scheduled text %s could not be published.", pk)
    return published


@transaction.atomic
def publish_scheduled(pk: int, now: dt.datetime) -> bool:
    """One row of the schedule. What is not fit to be published waits for a person, and says why."""
    due = ArticleLanguage.objects.due(now).filter(pk=pk)
    for article_id in due.values_list("article", flat=True):
        _lock(article_id)
    row = due.select_for_update(of=("self",)).first()
    if row is None:
        return False
    article, by = row.article, row.scheduled_by
    try:
        row.publish(article.text_in(row.language), now)
    except CannotPublish as error:
        row.miss_schedule()
        logger.warning("Article %s (%s) missed its hour: %s", article.pk, row.language, error)
        return False
    indexing.index(article.pk)
    record(AuditAction.PUBLISHED, article, by=by, now=now, language=row.language, detail=SCHEDULE)
    return True


@transaction.atomic
def withdraw_language(
    article: Article, language: str, now: dt.datetime, *, by: Any = None, note: str = ""
) -> bool:
    """Takes one language back; False if it was not public. `note` is what readers are told."""
    _lock(article.pk)
    row = article.article_languages.select_for_update().filter(language=language).first()
    if row is None or not row.withdraw(now):
        return False
    row.tell_why(note)
    indexing.index(article.pk)
    record(AuditAction.WITHDREW, article, by=by, now=now, language=language)
    signals.article_withdrawn.send(Article, article=article, languages=[language], now=now)
    return True


@transaction.atomic
def withdraw(
    article: Article,
    now: dt.datetime,
    *,
    by: Any = None,
    notes: Mapping[str, str] | None = None,
) -> bool:
    """Takes the whole article back, in every language; False if it was so already.

    `notes` are what readers are told, by language.
    """
    if not article.mark_withdrawn(now):
        return False
    _tell_why(article, notes or {})
    indexing.index(article.pk)
    record(AuditAction.WITHDREW, article, by=by, now=now)
    signals.article_withdrawn.send(Article, article=article, languages=languages.codes(), now=now)
    return True


@transaction.atomic
def tell_why(article: Article, notes: Mapping[str, str], now: dt.datetime, *, by: Any) -> bool:
    """Changes what readers are told where a text was; False if it says so already."""
    _lock(article.pk)
    changed = _tell_why(article, notes)
    for code in changed:
        record(
            AuditAction.CORRECTED, article, by=by, now=now, language=code, detail=NOTE_ON_WITHDRAWAL
        )
    return bool(changed)


def _tell_why(article: Article, notes: Mapping[str, str]) -> list[str]:
    """Only where a text was public: no other address is known. Returns the languages."""
    rows = article.article_languages.select_for_update().filter(language__in=notes)
    return [row.language for row in rows if row.was_public and row.tell_why(notes[row.language])]


def consequences(article: Article, codes: list[str]) -> list[str]:
    """What withdrawing these languages would do, in sentences for whoever is about to."""
    public = [code for code in article.public_languages if code in codes]
    said = [
        __("The page in %(language)s answers that the text was withdrawn: %(path)s")
        % {"language": languages.own_name(code), "path": article.path_in(code)}
        for code in public
    ]
    if article.topic is not None and public:
        said.append(
            __("It vanishes from the home page, from its week and from the topic “%(topic)s”.")
            % {"topic": article.topic}
        )
    for digest in article.digests.all():
        said.append(
            __("It vanishes from the digest of %(week)s.")
            # A date may end in a full stop of its own: 2026 г.
            % {"week": digest.week.label(languages.current()).rstrip(".")}
        )
    answers: list[tuple[Any, Any]] = signals.withdrawal_asked.send(
        Article, article=article, languages=public
    )
    said += [sentence for _receiver, sentences in answers for sentence in sentences]
    return said
