"""What the newsletter adds to a digest's page: approving, and its mailings."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as __
from django.utils.translation import gettext_lazy as _

from articles.admin import DigestAdmin as ArticlesDigestAdmin
from articles.admin.verbs import Verb
from articles.models import Digest
from newsletter import mailing as mailings
from newsletter import messages as letters
from newsletter.mailing import CannotApprove
from newsletter.models import Edition
from newsletter.rendering import LetterBroken

MAY_APPROVE = "articles.approve_digest"


def approve(request: HttpRequest, digest: Digest) -> str:
    """Freezes a mailing for each edition."""
    made = mailings.approve(digest, request.user, timezone.now())
    names = ", ".join(f"{mailing.edition} ({mailing.get_status_display()})" for mailing in made)
    return __("Approved and frozen: %(editions)s.") % {"editions": names or "–"}


def reopen(_request: HttpRequest, digest: Digest) -> str:
    """So that it may be changed."""
    mailings.reopen(digest, timezone.now())
    return __("The digest is open again. Mailings that had not begun are cancelled.")


admin.site.unregister(Digest)


@admin.register(Digest)
class DigestAdmin(ArticlesDigestAdmin):
    """The desk's digest, with the letters that come of it."""

    verbs = (
        *ArticlesDigestAdmin.verbs,
        Verb(
            "approve",
            _("Approve and freeze"),
            approve,
            MAY_APPROVE,
            lambda digest: not digest.is_approved,
            (CannotApprove, LetterBroken),
            "primary",
            _("Save your changes first. Each edition becomes a letter that waits for its hour."),
        ),
        Verb(
            "reopen",
            _("Open again"),
            reopen,
            MAY_APPROVE,
            lambda digest: digest.is_approved,
            question=_("Mailings that have not begun are cancelled."),
        ),
    )

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What became a letter stays on record."""
        mailed = obj is not None and obj.mailings.exists()
        return not mailed and super().has_delete_permission(request, obj)

    def facts(self, row: Any) -> dict[str, Any]:
        if row is None:
            return {}
        return {
            "facts_template": "admin/newsletter/editions.html",
            "mailings": row.mailings.select_related("edition"),
            "editions": [
                (edition, letters.contents_of(row, edition)) for edition in Edition.objects.all()
            ]
            if not row.is_approved
            else [],
        }
