"""What a language's buttons do, after the form was saved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from articles.admin.forms import DO, PUBLISH, parse_schedule
from articles.admin.language_panels import DESPITE
from articles.editorial import permissions, workflow
from articles.editorial.autosave import keep_draft
from articles.editorial.saving import still_right
from articles.editorial.warnings import doubts
from articles.editorial.workflow import InThePast
from articles.models import Article, ArticleText, CannotPublish, Draft
from core import languages
from core.states import InvalidTransition


def act_on_language(request: HttpRequest, article: Article) -> None:
    """Presses the button that was pressed. The save is kept even if it could not be done."""
    verb, _colon, code = _pressed(request)
    act = VERBS.get(verb)
    if act is None or not languages.is_language(code):
        return
    needed, do = act
    if not needed(request.user, article, code):
        return
    asked = _doubts(request, verb, article, code)
    if asked:
        for doubt in asked:
            messages.warning(request, doubt)
        messages.warning(request, _("It is saved, and not published yet. Look at it once more."))
        return
    try:
        messages.success(request, do(request, article, code))
        if verb == "schedule":
            # Nobody presses "anyway" at its hour; until then it can be taken off the schedule.
            for doubt in doubts(article.text_in(code)):
                messages.warning(request, doubt)
    except CannotPublish as error:
        for reason in error.reasons:
            messages.error(request, reason)
    except (InThePast, InvalidTransition) as error:
        messages.error(request, str(error))
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))


def _pressed(request: HttpRequest) -> tuple[str, str, str]:
    if PUBLISH in request.POST:
        return "publish", ":", request.POST[PUBLISH].removesuffix(DESPITE)
    return request.POST.get(DO, "").partition(":")


def _doubts(request: HttpRequest, verb: str, article: Article, code: str) -> list[str]:
    """What is said before a text comes out, once."""
    is_seen = request.POST.get(PUBLISH, "").endswith(DESPITE)
    return doubts(article.text_in(code)) if verb == "publish" and not is_seen else []


def _publish(request: HttpRequest, article: Article, code: str) -> str:
    workflow.publish(article, code, timezone.now(), by=request.user)
    return _("Published in %(language)s.") % {"language": languages.own_name(code)}


def _schedule(request: HttpRequest, article: Article, code: str) -> str:
    at = parse_schedule(request.POST.get(f"schedule_{code}", ""))
    workflow.schedule(article, code, at, timezone.now(), by=request.user)
    return _("%(language)s publishes itself at its time.") % {"language": languages.own_name(code)}


def _hand_in(_request: HttpRequest, article: Article, code: str) -> str:
    workflow.hand_in(article, code)
    return _("%(language)s waits for an editor.") % {"language": languages.own_name(code)}


def _send_back(request: HttpRequest, article: Article, code: str) -> str:
    workflow.send_back(article, code, request.POST.get(f"remark_{code}", ""))
    return _("%(language)s is a draft again.") % {"language": languages.own_name(code)}


def _still_right(_request: HttpRequest, article: Article, code: str) -> str:
    still_right(article, code)
    return _("%(language)s stands beside its source as it is now.") % {
        "language": languages.own_name(code)
    }


def _return_draft(request: HttpRequest, article: Article, code: str) -> str:
    for draft in article.drafts.handed_in().filter(language=code).exclude(owner_id=request.user.pk):
        draft.handed_in_at = None
        draft.save(update_fields=["handed_in_at"])
    return _("The changes went back to whoever made them.")


def _publishes(user: Any, _article: Article, _code: str) -> bool:
    return permissions.may_publish(user)


VERBS: dict[
    str,
    tuple[Callable[[Any, Article, str], bool], Callable[[HttpRequest, Article, str], str]],
] = {
    "publish": (_publishes, _publish),
    "schedule": (_publishes, _schedule),
    "send-back": (_publishes, _send_back),
    "return-draft": (_publishes, _return_draft),
    "hand-in": (permissions.may_write, _hand_in),
    "still-right": (permissions.may_write, _still_right),
}


def hand_in_changes(request: HttpRequest, article: Article, text: ArticleText, base: int) -> None:
    """To a text that only an editor may change: they wait as a draft."""
    now = timezone.now()
    draft = keep_draft(request.user, article.pk, text, base, now)
    if draft is not None:
        draft.hand_in(now)
    told = _("Your changes in %(language)s wait for an editor, unseen by readers.")
    messages.info(request, told % {"language": languages.own_name(text.language)})


def give_up_draft(request: HttpRequest, object_id: str | None) -> bool:
    """Throws away what this person typed in one language, if that was asked for."""
    verb, _colon, code = request.POST.get(DO, "").partition(":")
    if verb != "discard" or (object_id is not None and not object_id.isdecimal()):
        return False
    article_id = int(object_id) if object_id else None
    Draft.objects.of(request.user, article_id).filter(language=code).delete()
    messages.info(request, _("What was typed and not saved is thrown away."))
    return True


def keep_what_was_typed(request: HttpRequest, object_id: str) -> None:
    """Into drafts that stand on the first page."""
    if not object_id.isdecimal():
        return
    kept = False
    for code in languages.codes():
        text = ArticleText.typed(code, request.POST, f"_{code}")
        if not text.is_empty:
            kept |= bool(keep_draft(request.user, int(object_id), text, 0, timezone.now()))
    if kept:
        messages.warning(
            request,
            _("Somebody has deleted this article. What you typed is kept on your first page."),
        )
