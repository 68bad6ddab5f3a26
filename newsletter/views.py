"""The public forms. A GET changes nothing; no page sets a cookie or looks at the list.

Exempt from CSRF tokens, which would need a cookie: signing up only causes a confirmation,
and for the other forms the token in the path is the authority.
"""

from __future__ import annotations

import logging

from django.core.files.uploadhandler import MemoryFileUploadHandler
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from newsletter import subscribing
from newsletter.forms import SignUpForm
from newsletter.subscribing import StaleLink
from newsletter.tasks import enqueue, take_sign_up
from newsroom.links import BadToken
from newsroom.sealing import KeyMissing

logger = logging.getLogger(__name__)


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def subscribe(request: HttpRequest, language: str) -> HttpResponse:
    """The same answer for every address: this process does not know who is on the list."""
    # The form has no file, and a large one would wait in the temporary folder.
    request.upload_handlers = [MemoryFileUploadHandler(request)]
    form = SignUpForm(request.POST or None, language=language, prefix_ids="subscribe")
    status = 400 if request.method == "POST" else 200
    if request.method == "POST" and form.is_valid():
        chosen = form.cleaned_data
        try:
            row = subscribing.sign_up(chosen["email"], chosen["edition"], language, timezone.now())
        except (KeyMissing, OperationalError) as error:
            # Better no sign-up than one that is not sealed. What was typed stays in the form.
            # A database's own words may quote the row, and are left out.
            why = error if isinstance(error, KeyMissing) else type(error).__name__
            logger.error("Nobody can sign up: %s", why)
            form.add_error(None, _("Signing up is not possible right now. Please try again later."))
            status = 503
        else:
            enqueue(take_sign_up, row.pk)
            return redirect("subscribed", language)
    return render(request, "newsletter/subscribe.html", {"form": form}, status=status)


@require_safe
def subscribed(request: HttpRequest, language: str) -> HttpResponse:
    """What to do next."""
    return render(request, "newsletter/subscribed.html")


@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest, language: str, token: str) -> HttpResponse:
    """Mail scanners open every link, so a GET only shows the button."""
    try:
        if request.method == "POST":
            subscriber = subscribing.confirm(token, timezone.now())
            return render(request, "newsletter/confirmed.html", {"edition": subscriber.edition})
        subscriber = subscribing.find_confirmation(token)
    except BadToken:
        return _broken_link(request)
    except StaleLink:
        return _stale_link(
            request, _("This confirmation is no longer valid. Please sign up once more.")
        )
    return render(request, "newsletter/confirm.html", {"edition": subscriber.edition})


@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def letter(request: HttpRequest, language: str, token: str) -> HttpResponse:
    """The one link in a letter; a POST leaves, with RFC 8058's one click or by the button."""
    try:
        if request.method == "POST":
            subscribing.leave(token, timezone.now())
            return render(request, "newsletter/left.html")
        subscriber = subscribing.find_letter(token)
    except BadToken:
        return _broken_link(request)
    except StaleLink:
        return render(request, "newsletter/left.html")
    if subscriber.is_gone:
        return render(request, "newsletter/left.html")
    return render(request, "newsletter/letter.html", {"edition": subscriber.edition})


def _broken_link(request: HttpRequest) -> HttpResponse:
    """Cut in two by a mail program, most often."""
    return render(request, "newsletter/broken_link.html", status=404)


def _stale_link(request: HttpRequest, message: str) -> HttpResponse:
    return render(request, "newsletter/stale_link.html", {"message": message}, status=410)
