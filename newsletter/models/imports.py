"""Imports of subscriber lists: the uploaded file, the dry run's result, the staged rows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping

from django.conf import settings
from django.db import models
from django.db.models import F
from django.utils.translation import gettext_lazy as _

from core import languages
from core.states import StatusModel
from newsletter.models.due import is_due
from newsletter.models.editions import Edition
from newsletter.models.subscribers import random_id

LEASE_DURATION = dt.timedelta(minutes=5)
"""How long a worker owns an import; renewed with each batch."""


class ImportStatus(models.TextChoices):
    """uploading → uploaded → checked → applying → applied → undoing → undone; or stuck."""

    UPLOADING = "uploading", _("Is being uploaded")
    UPLOADED = "uploaded", _("Waits to be checked")
    UNNAMED = "unnamed", _("Needs you to name the columns")
    CHECKED = "checked", _("Checked: waits for you")
    APPLYING = "applying", _("Is being applied")
    APPLIED = "applied", _("Applied")
    UNDOING = "undoing", _("Is being undone")
    UNDONE = "undone", _("Undone")
    FAILED = "failed", _("Cannot be imported")


TO_WORK_ON = frozenset({ImportStatus.UPLOADED, ImportStatus.APPLYING, ImportStatus.UNDOING})
"""A worker has to act."""
NOT_APPLIED = frozenset(
    {
        ImportStatus.UPLOADING,
        ImportStatus.UPLOADED,
        ImportStatus.UNNAMED,
        ImportStatus.CHECKED,
        ImportStatus.FAILED,
    }
)
"""No subscriber came by it, so it can be deleted."""


COUNT_ROUNDING = 10
"""Counts of a dry run are rounded down to this, so that they reveal nothing about one address."""
LIST_COUNTS = ("new", "known", "suppressed", "doubled")
"""Counts that depend on who is on the list; the others depend on the file only."""
COUNTS = ("lines", *LIST_COUNTS, "refused", "invalid")


class ImportQuerySet(models.QuerySet["Import"]):
    """Adjectives filter; "now" is an argument."""

    def awaiting_worker(self, now: dt.datetime) -> ImportQuerySet:
        """A worker has to act, and no other worker has the lease."""
        free = models.Q(lease_until__isnull=True) | is_due("lease_until", now, LEASE_DURATION)
        return self.filter(free, status__in=TO_WORK_ON)


class Import(StatusModel):
    """One uploaded file: counts and line numbers, never an address."""

    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        verbose_name=_("uploaded by"),
        null=True,
        related_name="+",
    )
    uploaded_at = models.DateTimeField(_("uploaded"))
    edition = models.ForeignKey(
        Edition,
        models.CASCADE,
        verbose_name=_("edition"),
        null=True,
        blank=True,
        related_name="+",
        help_text=_("For everybody whose line names none."),
    )
    status = models.CharField(
        _("status"), max_length=10, choices=ImportStatus, default=ImportStatus.UPLOADING
    )
    size = models.BigIntegerField(_("size in bytes"), default=0)
    # The meaning of each column, in the file's order: "address", "edition" …, "" for ignored.
    columns = models.JSONField(_("columns"), default=list, blank=True)
    # The header line, where its names were not recognised; never a line of data.
    header = models.JSONField(default=list, blank=True)
    failure = models.CharField(_("reason"), max_length=300, blank=True)
    lines = models.PositiveIntegerField(_("lines"), default=0)
    new = models.PositiveIntegerField(_("new"), default=0)
    known = models.PositiveIntegerField(_("known"), default=0)
    suppressed = models.PositiveIntegerField(_("must not be written to"), default=0)
    refused = models.PositiveIntegerField(_("gone according to the file"), default=0)
    doubled = models.PositiveIntegerField(_("doubled"), default=0)
    invalid = models.PositiveIntegerField(_("invalid"), default=0)
    added = models.PositiveIntegerField(_("added"), default=0)
    removed = models.PositiveIntegerField(_("removed again"), default=0)
    lease_until = models.DateTimeField(null=True, blank=True)

    objects = ImportQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("import of a list"), _("imports of lists")
        ordering = ["-uploaded_at", "-pk"]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.uploaded_at:%Y-%m-%d %H:%M}"

    @property
    def is_being_worked_on(self) -> bool:
        return self.status in TO_WORK_ON

    def take(self, now: dt.datetime) -> bool:
        """Acquires the lease; False if another worker has it or there is nothing to do."""
        free = type(self).objects.awaiting_worker(now).filter(pk=self.pk)
        taken = free.update(lease_until=now + LEASE_DURATION)
        self.refresh_from_db()
        return bool(taken)

    def hold(self, status: ImportStatus, now: dt.datetime) -> bool:
        """Renews the lease and locks the row until the transaction ends; False if its status has
        changed."""
        mine = type(self).objects.filter(pk=self.pk, status=status)
        return bool(mine.update(lease_until=now + LEASE_DURATION))

    def renew(self, now: dt.datetime) -> None:
        type(self).objects.filter(pk=self.pk).update(lease_until=now + LEASE_DURATION)

    def transition(self, into: str, from_statuses: Collection[str], **fields: object) -> bool:
        """A change of status, which releases the lease."""
        return super().transition(into, from_statuses, **{"lease_until": None, **fields})

    def record_dry_run(self, found: Mapping[str, int]) -> bool:
        """uploaded → checked, with rounded counts; False if its status has changed."""
        shown = {
            name: count - count % COUNT_ROUNDING if name in LIST_COUNTS else count
            for name, count in found.items()
        }
        return self.transition(ImportStatus.CHECKED, {ImportStatus.UPLOADED}, **shown)

    def said(self) -> str:
        """The counts in one line, for the audit log."""
        fields = {one.name: one.verbose_name for one in self._meta.concrete_fields}
        return "; ".join(f"{fields[name]}: {self.shown(name)}" for name in COUNTS)

    def shown(self, name: str) -> str:
        """A count as staff may see it: exact if it depends on the file only, else a range."""
        count = int(getattr(self, name))
        if name in {"lines", "refused", "invalid"}:
            return str(count)
        least = count - count % COUNT_ROUNDING
        return f"{least}–{least + COUNT_ROUNDING - 1}"

    def count(self, **more: int) -> None:
        """Adds to the counts."""
        added = {name: F(name) + number for name, number in more.items() if number}
        if added:
            type(self).objects.filter(pk=self.pk).update(**added)


class ImportChunk(models.Model):
    """A part of the file, sealed for a worker before it reached a disk. Deleted once checked."""

    belongs_to = models.ForeignKey(Import, models.CASCADE, related_name="chunks")
    position = models.PositiveIntegerField()
    sealed = models.BinaryField()

    class Meta:
        ordering = ["position"]
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["belongs_to", "position"], name="one_chunk_at_a_position"
            )
        ]

    def __str__(self) -> str:
        return f"{self.belongs_to_id}/{self.position}"


class LineProblem(models.TextChoices):
    """Why a line is invalid."""

    BROKEN = "broken", _("The line is broken: a quotation mark is missing, or a column too much")
    NO_ADDRESS = "no address", _("There is no e-mail address")
    BAD_ADDRESS = "bad address", _("This is no address that can be written to")
    NO_EDITION = "no edition", _("The edition is not known, and none was chosen for all")


class ImportProblem(models.Model):
    """The number of an invalid line, and why it is invalid."""

    belongs_to = models.ForeignKey(Import, models.CASCADE, related_name="problems")
    line = models.PositiveIntegerField(_("line"))
    problem = models.CharField(_("problem"), max_length=12, choices=LineProblem)

    class Meta:
        ordering = ["line"]
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.line}: {self.get_problem_display()}"


class StagedSubscriber(models.Model):
    """A subscriber whom the import would add, sealed and hashed as on the list."""

    belongs_to = models.ForeignKey(Import, models.CASCADE, related_name="staged")
    reader = models.BigIntegerField(default=random_id)
    address_hash = models.BinaryField(max_length=32)
    # Empty where the file says that this one has unsubscribed: then only the hash is kept.
    sealed_address = models.BinaryField()
    key_generation = models.PositiveSmallIntegerField()
    provider = models.CharField(max_length=20)
    edition = models.ForeignKey(Edition, models.CASCADE, null=True, related_name="+")
    language = models.CharField(max_length=12, choices=languages.choices)
    consented_at = models.DateTimeField(null=True)
    is_refused = models.BooleanField(default=False)

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["belongs_to", "address_hash"], name="an_address_once_in_an_import"
            )
        ]

    def __str__(self) -> str:
        return f"{self.pk}"
