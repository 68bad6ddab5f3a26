"""The public subscription forms. A GET changes nothing; no page sets a cookie.

Exempt from CSRF protection, which would need a cookie: a sign-up only causes a confirmation, and
the other forms are authorised by the token in the path.
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

from keys.sealing import KeyNotFound
from keys.tokens import InvalidToken
from newsletter.models import Manner
from newsletter.privacy import retention
from newsletter.public.forms import PreferencesForm, SignUpForm
from newsletter.subscribers import sign_up
from newsletter.subscribers.consent import CONSENT_TEXTS, CURRENT_CONSENT_VERSION
from newsletter.subscribers.preferences import (
    find_by_preferences_token,
    forget_by_preferences_token,
    initial_preferences,
    unsubscribe_by_preferences_token,
    update_preferences,
)
from newsletter.subscribers.rate_limit import is_rate_limited, sign_up_limiter
from newsletter.subscribers.sign_up import ExpiredLink, SignUpQueueFull
from newsletter.tasks import (
    enqueue,
    enqueue_welcome,
    process_sign_ups,
    send_transactional_mails,
    write_departures_log,
)

logger = logging.getLogger(__name__)

Page = Callable[[HttpRequest], HttpResponse]
View = Callable[[HttpRequest, str, str], HttpResponse]

RETRY_AFTER_SECONDS = 3600
"""Until the hourly limit of confirmations renews, or staff have repaired the keys."""


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def subscribe(request: HttpRequest, language: str) -> HttpResponse:
    """The same response for every address: the web process does not know who is on the list."""
    form = SignUpForm(request.POST or None, language=language, id_prefix="subscribe")
    status, warning = (400 if request.method == "POST" else 200), ""
    if request.method == "POST" and form.is_valid():
        warning = form.warning()
        if warning:
            status = 200
        elif _save_sign_up(request, form, language):
            return redirect("subscribed", language)
        else:
            status = 503
    context = {
        "form": form,
        "warning": warning,
        "wording": CONSENT_TEXTS[CURRENT_CONSENT_VERSION],
    }
    response = render(request, "newsletter/subscribe.html", context, status=status)
    if status == 503:
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


def _save_sign_up(request: HttpRequest, form: SignUpForm, language: str) -> bool:
    """Seals the sign-up for a worker; False, with an error on the form, where that failed."""
    now = timezone.now()
    is_limited = is_rate_limited(request, sign_up_limiter, now)
    manner = Manner.TRAPPED if form.is_trapped else Manner.FAST if is_limited else Manner.NORMAL
    try:
        sign_up.sign_up(
            form.cleaned_data["email"],
            form.cleaned_data["edition"],
            language,
            now,
            variant=form.variant,
            manner=manner,
        )
    except SignUpQueueFull:
        form.add_error(
            None,
            _(
                "More people are signing up than we can ask to confirm. Nothing was kept: "
                "please try again in an hour."
            ),
        )
        return False
    except (KeyNotFound, OperationalError) as error:
        # What was typed stays in the form. The database's message may quote the row.
        reason = error if isinstance(error, KeyNotFound) else type(error).__name__
        logger.error("Sign-ups fail: %s", reason)
        form.add_error(None, _("Signing up is not possible right now. Please try again later."))
        return False
    if manner != Manner.FAST:
        enqueue(process_sign_ups)
    return True


@require_safe
def subscribed(request: HttpRequest, language: str) -> HttpResponse:
    """Says that a confirmation is on its way."""
    return render(request, "newsletter/confirmation_sent.html")


def token_view(on_expired: Page) -> Callable[[View], View]:
    """Decorates a view behind a mailed link; `on_expired` responds to an ExpiredLink.

    Mail scanners open every link, so a GET only shows a button.
    """

    def decorate(view: View) -> View:
        @csrf_exempt
        @never_cache
        @require_http_methods(["GET", "HEAD", "POST"])
        @functools.wraps(view)
        def wrapper(request: HttpRequest, language: str, token: str) -> HttpResponse:
            try:
                return view(request, language, token)
            except InvalidToken:
                # Usually truncated by a mail client.
                return render(request, "newsletter/invalid_link.html", status=404)
            except ExpiredLink:
                return on_expired(request)

        return wrapper

    return decorate


def _page(template: str, **context: object) -> Page:
    return lambda request: render(request, f"newsletter/{template}.html", context)


def _expired_link(message: Any) -> Page:
    context = {"message": message}
    return lambda request: render(request, "newsletter/expired_link.html", context, status=410)


_unsubscribed, _preferences_link_sent = _page("unsubscribed"), _page("preferences_link_sent")
_expired_preferences = _expired_link(
    gettext_lazy("This link worked for one hour. Ask for a new one.")
)


@token_view(
    _expired_link(gettext_lazy("This confirmation is no longer valid. Please sign up once more."))
)
def confirm(request: HttpRequest, language: str, token: str) -> HttpResponse:
    """Double opt-in."""
    if request.method == "POST":
        subscriber = sign_up.confirm(token, timezone.now())
        enqueue_welcome(subscriber)
        return _page("confirmed", edition=subscriber.edition)(request)
    return _page("confirm", edition=sign_up.find_by_confirmation_token(token).edition)(request)


@token_view(_unsubscribed)
def letter(request: HttpRequest, language: str, token: str) -> HttpResponse:
    """The link in a letter; a POST unsubscribes, by the button or one-click (RFC 8058)."""
    if request.method == "POST":
        sign_up.unsubscribe(token, timezone.now())
        enqueue(write_departures_log)
        return _unsubscribed(request)
    subscriber = sign_up.find_by_letter_token(token)
    if subscriber.is_gone:
        return _unsubscribed(request)
    return _page("unsubscribe", edition=subscriber.edition, token=token)(request)


@token_view(_preferences_link_sent)
def ask_for_preferences(request: HttpRequest, language: str, token: str) -> HttpResponse:
    """Mails the subscriber a link, at most once a day; the response never says whether it did."""
    if request.method != "POST":
        return redirect("letter", language, token)
    subscriber = sign_up.find_by_letter_token(token)
    if sign_up.request_preferences_link(subscriber, timezone.now()):
        enqueue(send_transactional_mails)
    return _preferences_link_sent(request)


@token_view(_expired_preferences)
def preferences(request: HttpRequest, language: str, token: str) -> HttpResponse:
    """Shows and changes a subscriber's data, for an hour after the link was requested."""
    subscriber = find_by_preferences_token(token, timezone.now())
    saved = False
    form = PreferencesForm(request.POST or None, initial=initial_preferences(subscriber))
    if request.method == "POST" and form.is_valid():
        update_preferences(
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
        "personal_data": retention.personal_data_of(subscriber, language),
    }
    status = 400 if request.method == "POST" and not saved else 200
    return render(request, "newsletter/preferences.html", context, status=status)


@token_view(_expired_preferences)
def forget(request: HttpRequest, language: str, token: str) -> HttpResponse:
    """Explains the consequences; a POST deletes all data of the subscriber."""
    if request.method == "POST":
        forget_by_preferences_token(token, timezone.now())
        enqueue(write_departures_log)
        return _page("forgotten")(request)
    find_by_preferences_token(token, timezone.now())
    return _page("forget", token=token, days=settings.DEPARTURES_DAYS)(request)


@token_view(_expired_preferences)
def unsubscribe_by_preferences(request: HttpRequest, language: str, token: str) -> HttpResponse:
    """As the button behind a letter's link."""
    if request.method != "POST":
        return redirect("preferences", language, token)
    unsubscribe_by_preferences_token(token, timezone.now())
    enqueue(write_departures_log)
    return _unsubscribed(request)
