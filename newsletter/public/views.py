"""The public forms. A GET changes nothing; no page sets a cookie or looks at the list.

Exempt from CSRF tokens, which would need a cookie: signing up only causes a confirmation,
and for the other forms the token in the path is the authority.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from keys.sealing import KeyMissing
from keys.tokens import BadToken
from newsletter.models import Manner
from newsletter.privacy import retention
from newsletter.public.forms import PreferencesForm, SignUpForm
from newsletter.subscribers import consent, sign_up
from newsletter.subscribers import preferences as preferring
from newsletter.subscribers.consent import WORDINGS
from newsletter.subscribers.rate_limit import pace, signs_up_too_fast
from newsletter.subscribers.sign_up import IntakeFull, StaleLink
from newsletter.tasks import (
    enqueue,
    enqueue_welcome,
    send_single_mails,
    take_sign_ups,
    write_journal,
)

logger = logging.getLogger(__name__)

Page = Callable[[HttpRequest], HttpResponse]
View = Callable[[HttpRequest, str, str], HttpResponse]

TRY_AGAIN_SECONDS = 3600
"""When there is room for more confirmations, or somebody has mended what was missing."""


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def subscribe(request: HttpRequest, language: str) -> HttpResponse:
    """The same answer for every address: this process does not know who is on the list."""
    form = SignUpForm(request.POST or None, language=language, prefix_ids="subscribe")
    status, warning = (400 if request.method == "POST" else 200), ""
    if request.method == "POST" and form.is_valid():
        warning = form.warning()
        if warning:
            status = 200
        elif _take(request, form, language):
            return redirect("subscribed", language)
        else:
            status = 503
    context = {"form": form, "warning": warning, "wording": WORDINGS[consent.CURRENT]}
    response = render(request, "newsletter/subscribe.html", context, status=status)
    if status == 503:
        response.headers["Retry-After"] = str(TRY_AGAIN_SECONDS)
    return response


def _take(request: HttpRequest, form: SignUpForm, language: str) -> bool:
    """Whether the sign-up could be sealed and kept for a worker."""
    now = timezone.now()
    is_fast = signs_up_too_fast(request, pace, now)
    manner = Manner.TRAPPED if form.is_trapped else Manner.FAST if is_fast else Manner.NORMAL
    try:
        sign_up.sign_up(
            form.cleaned_data["email"],
            form.cleaned_data["edition"],
            language,
            now,
            variant=form.variant,
            manner=manner,
        )
    except IntakeFull:
        form.add_error(
            None,
            _(
                "More people are signing up than we can ask to confirm. Nothing was kept: "
                "please try again in an hour."
            ),
        )
        return False
    except (KeyMissing, OperationalError) as error:
        # Better no sign-up than one that is not sealed. What was typed stays in the form.
        # A database's own words may quote the row, and are left out.
        why = error if isinstance(error, KeyMissing) else type(error).__name__
        logger.error("Nobody can sign up: %s", why)
        form.add_error(None, _("Signing up is not possible right now. Please try again later."))
        return False
    if manner != Manner.FAST:
        enqueue(take_sign_ups)
    return True


@require_safe
def subscribed(request: HttpRequest, language: str) -> HttpResponse:
    """What to do next."""
    return render(request, "newsletter/subscribed.html")


def behind_a_link(over: Page) -> Callable[[View], View]:
    """A page behind a mailed link; `over` answers where the link is to something that is over.

    Mail scanners open every link, so a GET only shows a button.
    """

    def decorate(view: View) -> View:
        @csrf_exempt
        @never_cache
        @require_http_methods(["GET", "HEAD", "POST"])
        @functools.wraps(view)
        def answered(request: HttpRequest, language: str, token: str) -> HttpResponse:
            try:
                return view(request, language, token)
            except BadToken:
                # Cut in two by a mail program, most often.
                return render(request, "newsletter/broken_link.html", status=404)
            except StaleLink:
                return over(request)

        return answered

    return decorate


def _page(template: str, **context: object) -> Page:
    return lambda request: render(request, f"newsletter/{template}.html", context)


def _stale_link(message: Any) -> Page:
    context = {"message": message}
    return lambda request: render(request, "newsletter/stale_link.html", context, status=410)


_left, _preferences_asked = _page("left"), _page("preferences_asked")
_stale_preferences = _stale_link(gettext_lazy("This link worked for one hour. Ask for a new one."))


@behind_a_link(
    _stale_link(gettext_lazy("This confirmation is no longer valid. Please sign up once more."))
)
def confirm(request: HttpRequest, language: str, token: str) -> HttpResponse:
    """The button of the mail that asks."""
    if request.method == "POST":
        subscriber = sign_up.confirm(token, timezone.now())
        enqueue_welcome(subscriber)
        return _page("confirmed", edition=subscriber.edition)(request)
    return _page("confirm", edition=sign_up.find_confirmation(token).edition)(request)


@behind_a_link(_left)
def letter(request: HttpRequest, language: str, token: str) -> HttpResponse:
    """The one link in a letter; a POST leaves, with RFC 8058's one click or by the button."""
    if request.method == "POST":
        sign_up.leave(token, timezone.now())
        enqueue(write_journal)
        return _left(request)
    subscriber = sign_up.find_letter(token)
    if subscriber.is_gone:
        return _left(request)
    return _page("letter", edition=subscriber.edition, token=token)(request)


@behind_a_link(_preferences_asked)
def ask_for_preferences(request: HttpRequest, language: str, token: str) -> HttpResponse:
    """Whoever has a letter may cause one mail a day to its reader, and learns nothing by it."""
    if request.method != "POST":
        return redirect("letter", language, token)
    subscriber = sign_up.find_letter(token)
    if sign_up.ask_for_preferences(subscriber, timezone.now()):
        enqueue(send_single_mails)
    return _preferences_asked(request)


@behind_a_link(_stale_preferences)
def preferences(request: HttpRequest, language: str, token: str) -> HttpResponse:
    """A reader's own page, for an hour after they asked for it."""
    subscriber = preferring.find(token, timezone.now())
    saved = False
    form = PreferencesForm(request.POST or None, initial=preferring.current(subscriber))
    if request.method == "POST" and form.is_valid():
        preferring.change(
            subscriber,
            edition=form.cleaned_data["edition"],
            variant=form.variant,
            language=form.cleaned_data["language"],
        )
        saved = True
    context = {
        "form": form,
        "token": token,
        "saved": saved,
        "held": retention.held_about(subscriber, language),
    }
    status = 400 if request.method == "POST" and not saved else 200
    return render(request, "newsletter/preferences.html", context, status=status)


@behind_a_link(_stale_preferences)
def forget(request: HttpRequest, language: str, token: str) -> HttpResponse:
    """Says what it means; then deletes whatever is known of the reader."""
    if request.method == "POST":
        preferring.forget(token, timezone.now())
        enqueue(write_journal)
        return _page("forgotten")(request)
    preferring.find(token, timezone.now())
    return _page("forget", token=token, days=settings.JOURNAL_DAYS)(request)


@behind_a_link(_stale_preferences)
def leave_by_preferences(request: HttpRequest, language: str, token: str) -> HttpResponse:
    """The same as the button behind a letter's link."""
    if request.method != "POST":
        return redirect("preferences", language, token)
    preferring.leave(token, timezone.now())
    enqueue(write_journal)
    return _left(request)
