"""The editorial workflow: review, publish, schedule, withdraw."""

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

PAST_TIME_MESSAGE = _("This time is over. Choose one that is still to come.")
WITHDRAWAL_NOTE_DETAIL = "note on the withdrawal"
SCHEDULE_DETAIL = "schedule"
"""Audit detail of a scheduled publication; its actor is who scheduled it."""


class ScheduledInPast(Exception):
    """The time to publish at is over."""


def _row(article: Article, language: str) -> ArticleLanguage:
    """The language's row, locked. Raises CannotPublish where there is no text."""
    _lock(article.pk)
    row = article.article_languages.select_for_update().filter(language=language).first()
    if row is None:
        missing = ArticleLanguage(article=article, language=language)
        raise CannotPublish(missing.publish_errors(article.text_in(language)))
    row.article = article
    return row


def _lock(article_id: int) -> None:
    """The article before its languages, in the order of saving: prevents a deadlock."""
    Article.objects.locked().order_by().filter(pk=article_id).values_list("pk").first()


@transaction.atomic
def publish(article: Article, language: str, now: dt.datetime, *, by: Any = None) -> bool:
    """False if it was public already. Raises CannotPublish."""
    changed = _row(article, language).publish(article.text_in(language), now)
    if changed:
        indexing.index_article(article.pk)
        record(AuditAction.PUBLISHED, article, by=by, now=now, language=language)
    return changed


@transaction.atomic
def schedule(
    article: Article, language: str, at: dt.datetime, now: dt.datetime, *, by: Any
) -> bool:
    """Schedules one language; False if it is scheduled for that time already.

    Raises InThePast, CannotPublish, InvalidTransition.
    """
    if at <= now:
        raise ScheduledInPast(str(PAST_TIME_MESSAGE))
    changed = _row(article, language).schedule(article.text_in(language), at, by)
    if changed:
        detail = f"{at:%Y-%m-%d %H:%M} UTC"
        record(AuditAction.SCHEDULED, article, by=by, now=now, language=language, detail=detail)
    return changed


@transaction.atomic
def submit_for_review(article: Article, language: str) -> bool:
    """False if it is in review. Raises CannotPublish, InvalidTransition."""
    return _row(article, language).submit_for_review()


@transaction.atomic
def request_changes(article: Article, language: str, remark: str = "") -> bool:
    """Back to draft, also from the schedule. Raises CannotPublish, InvalidTransition."""
    return _row(article, language).request_changes(remark)


def publish_due(now: dt.datetime, one: Callable[[int, dt.datetime], bool] | None = None) -> int:
    """Publishes what is scheduled and due; a failure does not stop the others.

    Returns how many were published.
    """
    one = one or publish_scheduled
    due = ArticleLanguage.objects.due(now).order_by("scheduled_for", "pk")
    published = 0
    for pk in list(due.values_list("pk", flat=True)):
        try:
            published += one(pk, now)
        except Exception:
            # The next run retries it.
            logger.exception("Scheduled text %s could not be published.", pk)
    return published


@transaction.atomic
def publish_scheduled(pk: int, now: dt.datetime) -> bool:
    """Publishes one scheduled row. An incomplete one goes to review."""
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
        row.mark_schedule_missed()
        logger.warning("Article %s (%s) missed its schedule: %s", article.pk, row.language, error)
        return False
    indexing.index_article(article.pk)
    record(
        AuditAction.PUBLISHED,
        article,
        by=by,
        now=now,
        language=row.language,
        detail=SCHEDULE_DETAIL,
    )
    return True


@transaction.atomic
def withdraw_language(
    article: Article, language: str, now: dt.datetime, *, by: Any = None, note: str = ""
) -> bool:
    """Withdraws one language; False if it was not public. `note` is shown on its page."""
    _lock(article.pk)
    row = article.article_languages.select_for_update().filter(language=language).first()
    if row is None or not row.withdraw(now):
        return False
    row.set_withdrawal_note(note)
    indexing.index_article(article.pk)
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
    """Withdraws every language; False if it was withdrawn already.

    `notes` are shown on the languages' pages.
    """
    if not article.mark_withdrawn(now):
        return False
    _set_withdrawal_notes(article, notes or {})
    indexing.index_article(article.pk)
    record(AuditAction.WITHDREW, article, by=by, now=now)
    signals.article_withdrawn.send(Article, article=article, languages=languages.codes(), now=now)
    return True


@transaction.atomic
def set_withdrawal_notes(
    article: Article, notes: Mapping[str, str], now: dt.datetime, *, by: Any
) -> bool:
    """Changes the notes on withdrawn pages; False if nothing changed."""
    _lock(article.pk)
    changed = _set_withdrawal_notes(article, notes)
    for code in changed:
        record(
            AuditAction.CORRECTED,
            article,
            by=by,
            now=now,
            language=code,
            detail=WITHDRAWAL_NOTE_DETAIL,
        )
    return bool(changed)


def _set_withdrawal_notes(article: Article, notes: Mapping[str, str]) -> list[str]:
    """Only of languages that were public. Returns those changed."""
    rows = article.article_languages.select_for_update().filter(language__in=notes)
    return [
        row.language
        for row in rows
        if row.was_public and row.set_withdrawal_note(notes[row.language])
    ]


def withdrawal_effects(article: Article, codes: list[str]) -> list[str]:
    """What withdrawing these languages would do, as translated sentences."""
    public = [code for code in article.public_languages if code in codes]
    effects = [
        __("The page in %(language)s answers that the text was withdrawn: %(path)s")
        % {"language": languages.native_name(code), "path": article.path_in(code)}
        for code in public
    ]
    if article.topic is not None and public:
        effects.append(
            __("It vanishes from the home page, from its week and from the topic “%(topic)s”.")
            % {"topic": article.topic}
        )
    for digest in article.digests.all():
        effects.append(
            __("It vanishes from the digest of %(week)s.")
            # A Russian date ends in a full stop: 2026 г.
            % {"week": digest.week.label(languages.current()).rstrip(".")}
        )
    responses: list[tuple[Any, Any]] = signals.withdrawal_effects_requested.send(
        Article, article=article, languages=public
    )
    effects += [sentence for _receiver, sentences in responses for sentence in sentences]
    return effects
