"""What others may hear of. Articles never know who listens."""

from django.dispatch import Signal

# Sent inside the transaction, with `article`, `languages` (the ones concerned) and `now`.
article_withdrawn = Signal()
article_corrected = Signal()
