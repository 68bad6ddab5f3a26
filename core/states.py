"""Models whose status several processes may change at once."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, ClassVar

from django.db import models


class InvalidTransition(Exception):
    """The status does not allow it; the message says why."""


class StatusModel(models.Model):
    """Each transition is one conditional UPDATE."""

    if TYPE_CHECKING:
        status: Any

        def get_status_display(self) -> str: ...

    transition_error: ClassVar[Any] = ""
    """A message with %(status)s and %(wanted)s."""

    class Meta:
        abstract = True

    def transition(self, into: str, from_statuses: Collection[str], **fields: object) -> bool:
        """True for one of several concurrent callers; False in any other status or once deleted.

        The instance is refreshed either way.
        """
        rows: Any = type(self)._default_manager
        moved = rows.filter(pk=self.pk, status__in=from_statuses).update(status=into, **fields)
        # After the UPDATE, which locks the row.
        with contextlib.suppress(type(self).DoesNotExist):
            self.refresh_from_db()
        return bool(moved)

    def transition_or_raise(
        self, into: models.TextChoices, from_statuses: Collection[str], **fields: object
    ) -> bool:
        """As `transition`; False if it has the status already. Raises InvalidTransition."""
        if self.transition(into, from_statuses, **fields):
            return True
        if self.status == into:
            return False
        raise self.invalid_transition(into)

    def invalid_transition(self, wanted: models.TextChoices) -> InvalidTransition:
        """The exception to raise."""
        labels = {"status": self.get_status_display(), "wanted": wanted.label}
        return InvalidTransition(str(self.transition_error) % labels)
