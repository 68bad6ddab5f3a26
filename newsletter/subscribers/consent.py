"""What readers agree to when they sign up, by version. A subscriber keeps the number."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

WORDINGS = {
    1: _(
        "Your address is stored encrypted, is never shown to anybody and is erased when you "
        "leave. The letter has no trackers."
    ),
}
"""A version is never changed once readers have seen it: a new wording is a new number.

0 stands for people who agreed elsewhere and came by an import.
"""
CURRENT = max(WORDINGS)
