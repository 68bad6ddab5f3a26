"""The sign-up box, for any page, and filters for the letters' templates."""

from __future__ import annotations

import datetime as dt

from django import template
from django.template.defaultfilters import date
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from core import languages
from core.fragment_cache import cached_fragment
from newsletter.campaigns.rendering import paragraphs, wrap
from newsletter.public.forms import SignUpForm

register = template.Library()


@register.simple_tag
def sign_up_box() -> SafeString:
    """An empty sign-up form in the page's language."""
    return cached_fragment(("sign-up box", languages.current()), _sign_up_box)


def _sign_up_box() -> SafeString:
    language = languages.current()
    context = {"form": SignUpForm(language=language), "language": language, "warning": ""}
    return render_to_string("newsletter/sign_up_box.html", context)


VERDICT_SYMBOLS = {"improved": "▲", "unchanged": "■", "worsened": "▼"}


@register.simple_tag
def verdict_mark(verdict: str) -> str:
    """A symbol for the verdict, so that it does not depend on colour."""
    return VERDICT_SYMBOLS.get(verdict, "")


@register.filter
def wrapped(text: str) -> str:
    """Wraps each paragraph of a mail's plain text."""
    return "\n\n".join("\n".join(wrap(" ".join(part.split()))) for part in paragraphs(text))


@register.filter
def repeated(text: str, times: int) -> str:
    """A horizontal rule in plain text."""
    return text * int(times)


@register.filter
def duration(length: dt.timedelta | None) -> str:
    """The two largest units, such as `1 h 5 min`; empty for None."""
    if length is None:
        return ""
    seconds = max(round(length.total_seconds()), 0)
    named: dict[str, int] = {
        "days": seconds // 86_400,
        "hours": seconds // 3600 % 24,
        "minutes": seconds // 60 % 60,
        "seconds": seconds % 60,
    }
    if named["days"]:
        return _("%(days)s d %(hours)s h") % named
    if named["hours"]:
        return _("%(hours)s h %(minutes)s min") % named
    if named["minutes"]:
        return _("%(minutes)s min %(seconds)s s") % named
    return _("%(seconds)s s") % named


@register.filter
def time_or_date(at: dt.datetime, now: dt.datetime) -> str:
    """The time alone on the same day as `now`, else with its date."""
    is_today = localtime(at).date() == localtime(now).date()
    return str(date(at, "TIME_FORMAT" if is_today else "DATETIME_FORMAT"))
