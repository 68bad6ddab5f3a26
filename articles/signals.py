"""What others may hear of. Articles never know who listens."""

from django.dispatch import Signal

# Sent inside the transaction, with `article`, `languages` (the ones concerned) and `now`.
article_withdrawn = Signal()
article_corrected = Signal()
# Asked before it is done, with `article` and `languages`: each receiver answers with a list of
# sentences on what a withdrawal would do to what it keeps.
withdrawal_asked = Signal()
