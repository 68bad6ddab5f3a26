"""Rows with a status that several processes may change at once."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, ClassVar

from django.db import models


class InvalidTransition(Exception):
    """What was asked does not fit the state; says what does."""


class Stateful(models.Model):
    """Moves from state to state by conditional UPDATEs."""

    if TYPE_CHECKING:
        status: Any

        def get_status_display(self) -> str: ...

    cannot_move: ClassVar[Any] = ""
    """A sentence with %(status)s and %(wanted)s, for whoever asked."""

    class Meta:
        abstract = True

    def move(self, into: str, out_of: Collection[str], **fields: object) -> bool:
        """Of two who ask at once only one is answered yes. False in any other state, or once gone.

        Then, too, the row here is as the database has it.
        """
        rows: Any = type(self)._default_manager
        moved = rows.filter(pk=self.pk, status__in=out_of).update(status=into, **fields)
        # After the UPDATE, which holds the row: more of it may have changed meanwhile.
        with contextlib.suppress(type(self).DoesNotExist):
            self.refresh_from_db()
        return bool(moved)

    def must_move(
        self, into: models.TextChoices, out_of: Collection[str], **fields: object
    ) -> bool:
        """As `move`; False where it is there already. Elsewhere raises InvalidTransition."""
        if self.move(into, out_of, **fields):
            return True
        if self.status == into:
            return False
        raise self.cannot_become(into)

    def cannot_become(self, wanted: models.TextChoices) -> InvalidTransition:
        """Says why not, to be raised."""
        said = {"status": self.get_status_display(), "wanted": wanted.label}
        return InvalidTransition(str(self.cannot_move) % said)
