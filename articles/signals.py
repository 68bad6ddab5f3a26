"""Signals of this app. The newsletter receives them: articles import nothing of it."""

from django.dispatch import Signal

# Sent inside the transaction with `article`, `languages` (those concerned) and `now`.
article_withdrawn = Signal()
article_corrected = Signal()
# Sent before a withdrawal is confirmed, with `article` and `languages`: each receiver returns a
# list of sentences on what it would do.
withdrawal_effects_requested = Signal()
