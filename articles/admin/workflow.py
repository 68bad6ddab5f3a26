"""Actions of a language's buttons; they run after the form is saved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from articles.admin.forms import ACTION_BUTTON, PUBLISH_BUTTON, parse_schedule
from articles.admin.language_panels import WARNINGS_SEEN_SUFFIX
from articles.editorial import permissions, workflow
from articles.editorial.autosave import save_draft
from articles.editorial.saving import mark_translation_current
from articles.editorial.warnings import publish_warnings
from articles.editorial.workflow import ScheduledInPast
from articles.models import Article, ArticleText, CannotPublish, Draft
from core import languages
from core.states import InvalidTransition


def run_language_action(request: HttpRequest, article: Article) -> None:
    """Runs the pressed button's action. If it fails, the save stays."""
    name, _colon, code = _pressed(request)
    action = LANGUAGE_ACTIONS.get(name)
    if action is None or not languages.is_language(code):
        return
    is_permitted, run = action
    if not is_permitted(request.user, article, code):
        return
    warnings = _unseen_warnings(request, name, article, code)
    if warnings:
        for warning in warnings:
            messages.warning(request, warning)
        messages.warning(request, _("It is saved, and not published yet. Look at it once more."))
        return
    try:
        messages.success(request, run(request, article, code))
        if name == "schedule":
            # It will be published without a second question.
            for warning in publish_warnings(article.text_in(code)):
                messages.warning(request, warning)
    except CannotPublish as error:
        for reason in error.reasons:
            messages.error(request, reason)
    except (ScheduledInPast, InvalidTransition) as error:
        messages.error(request, str(error))
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))


def _pressed(request: HttpRequest) -> tuple[str, str, str]:
    if PUBLISH_BUTTON in request.POST:
        return "publish", ":", request.POST[PUBLISH_BUTTON].removesuffix(WARNINGS_SEEN_SUFFIX)
    return request.POST.get(ACTION_BUTTON, "").partition(":")


def _unseen_warnings(request: HttpRequest, name: str, article: Article, code: str) -> list[str]:
    """Shown once before publishing."""
    is_seen = request.POST.get(PUBLISH_BUTTON, "").endswith(WARNINGS_SEEN_SUFFIX)
    return publish_warnings(article.text_in(code)) if name == "publish" and not is_seen else []


def _publish(request: HttpRequest, article: Article, code: str) -> str:
    workflow.publish(article, code, timezone.now(), by=request.user)
    return _("Published in %(language)s.") % {"language": languages.native_name(code)}


def _schedule(request: HttpRequest, article: Article, code: str) -> str:
    at = parse_schedule(request.POST.get(f"schedule_{code}", ""))
    workflow.schedule(article, code, at, timezone.now(), by=request.user)
    return _("%(language)s publishes itself at its time.") % {
        "language": languages.native_name(code)
    }


def _submit_for_review(_request: HttpRequest, article: Article, code: str) -> str:
    workflow.submit_for_review(article, code)
    return _("%(language)s waits for an editor.") % {"language": languages.native_name(code)}


def _request_changes(request: HttpRequest, article: Article, code: str) -> str:
    workflow.request_changes(article, code, request.POST.get(f"remark_{code}", ""))
    return _("%(language)s is a draft again.") % {"language": languages.native_name(code)}


def _mark_current(_request: HttpRequest, article: Article, code: str) -> str:
    mark_translation_current(article, code)
    return _("%(language)s stands beside its source as it is now.") % {
        "language": languages.native_name(code)
    }


def _return_draft(request: HttpRequest, article: Article, code: str) -> str:
    for draft in article.drafts.submitted().filter(language=code).exclude(owner_id=request.user.pk):
        draft.handed_in_at = None
        draft.save(update_fields=["handed_in_at"])
    return _("The changes went back to whoever made them.")


def _may_publish(user: Any, _article: Article, _code: str) -> bool:
    return permissions.may_publish(user)


LANGUAGE_ACTIONS: dict[
    str,
    tuple[Callable[[Any, Article, str], bool], Callable[[HttpRequest, Article, str], str]],
] = {
    "publish": (_may_publish, _publish),
    "schedule": (_may_publish, _schedule),
    "request-changes": (_may_publish, _request_changes),
    "return-draft": (_may_publish, _return_draft),
    "submit-for-review": (permissions.may_write, _submit_for_review),
    "mark-current": (permissions.may_write, _mark_current),
}


def submit_changes(request: HttpRequest, article: Article, text: ArticleText, base: int) -> None:
    """Changes to a text that needs review become a submitted draft."""
    now = timezone.now()
    draft = save_draft(request.user, article.pk, text, base, now)
    if draft is not None:
        draft.submit_for_review(now)
    message = _("Your changes in %(language)s wait for an editor, unseen by readers.")
    messages.info(request, message % {"language": languages.native_name(text.language)})


def discard_draft(request: HttpRequest, object_id: str | None) -> bool:
    """Deletes this user's draft if the discard button was pressed; False if not."""
    name, _colon, code = request.POST.get(ACTION_BUTTON, "").partition(":")
    if name != "discard" or (object_id is not None and not object_id.isdecimal()):
        return False
    article_id = int(object_id) if object_id else None
    Draft.objects.of(request.user, article_id).filter(language=code).delete()
    messages.info(request, _("What was typed and not saved is thrown away."))
    return True


def save_posted_drafts(request: HttpRequest, object_id: str) -> None:
    """Stores the posted texts as drafts, which the dashboard shows."""
    if not object_id.isdecimal():
        return
    is_saved = False
    for code in languages.codes():
        text = ArticleText.from_form(code, request.POST, f"_{code}")
        if not text.is_empty:
            is_saved |= bool(save_draft(request.user, int(object_id), text, 0, timezone.now()))
    if is_saved:
        messages.warning(
            request,
            _("Somebody has deleted this article. What you typed is kept on your first page."),
        )
