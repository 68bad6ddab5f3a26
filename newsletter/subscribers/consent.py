"""What subscribers agree to when they sign up, by version. A subscriber keeps the number."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

CONSENT_TEXTS = {
    1: _(
        "Your address is stored encrypted, is never shown to anybody and is erased when you "
        "leave. The letter has no trackers."
    ),
}
"""A published version never changes: a new text is a new number.

0 stands for people who agreed elsewhere and were imported.
"""
CURRENT_CONSENT_VERSION = max(CONSENT_TEXTS)
