"""What the newsletter adds to a digest's page: approving what was seen, and its mailings."""

from __future__ import annotations

from typing import Any, cast

from csp.constants import NONE, UNSAFE_INLINE
from csp.decorators import csp
from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import escape
from django.utils.translation import gettext as __
from django.utils.translation import gettext_lazy as _

from articles.admin import DigestAdmin as ArticlesDigestAdmin
from articles.admin.object_actions import Page, Verb
from articles.models import Digest
from keys.tokens import TOKEN_LENGTH
from newsletter.campaigns import approval
from newsletter.campaigns import lifecycle as mailings
from newsletter.campaigns import messages as letters
from newsletter.campaigns.approval import CannotApprove
from newsletter.mime import LetterBroken, Marks
from newsletter.models import Edition, VariantKind
from newsletter.tasks import enqueue, sign_letters

MAY_APPROVE = "articles.approve_digest"
SAMPLES = Marks(token="x" * TOKEN_LENGTH, message_token="", recipient="", date="")
"""What stands for a subscriber's own bytes where a letter is only looked at."""
LETTER = {"default-src": [NONE], "style-src": [UNSAFE_INLINE], "frame-ancestors": [NONE]}
"""A letter has its styles on its tags, and may do nothing else."""


def approve(request: HttpRequest, digest: Digest) -> str:
    """Freezes a mailing for each edition, if they are still what was shown."""
    shown = request.POST.get("shown", "")
    made = approval.approve(digest, request.user, timezone.now(), shown=shown)
    enqueue(sign_letters)
    if not made and not Digest.objects.get(pk=digest.pk).is_approved:
        return __("Your approval is noted. It goes once a second person approves the same.")
    names = ", ".join(f"{mailing.edition} ({mailing.get_status_display()})" for mailing in made)
    return __("Approved and frozen: %(editions)s.") % {"editions": names or "–"}


def look_first(_request: HttpRequest, digest: Digest) -> Page:
    """What each edition would carry, and the hash of it. Raises CannotApprove, LetterBroken."""
    planned = approval.plan(digest)
    found, now = approval.hash_of(planned), timezone.now()
    is_first_of = digest.first_approved_of == found
    return Page(
        "admin/newsletter/approve.html",
        {
            "planned": [(one, one.is_late(now)) for one in planned],
            "shown": found,
            "first_approval": digest.first_approved_by if is_first_of else None,
        },
    )


def reopen(request: HttpRequest, digest: Digest) -> str:
    """So that it may be changed."""
    mailings.reopen(digest, timezone.now(), by=request.user)
    return __("The digest is open again. Mailings that had not begun are cancelled.")


def letter(request: HttpRequest, pk: int, edition: int, kind: str, part: str) -> HttpResponse:
    """A letter exactly as it would be frozen now, its HTML or its plain text."""
    if not request.user.has_perm(MAY_APPROVE) and not request.user.has_perm("articles.view_digest"):
        raise Http404
    digest, chosen = get_object_or_404(Digest, pk=pk), get_object_or_404(Edition, pk=edition)
    if kind not in VariantKind.values:
        raise Http404
    contents = letters.contents_of(digest, chosen)
    rendered = letters.render_digest(digest, chosen, contents, VariantKind(kind), SAMPLES)
    if part == "html":
        return HttpResponse(rendered.html)
    return HttpResponse(f'<pre lang="{chosen.language}">{escape(rendered.text)}</pre>')


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
            "primary",
            page=look_first,
            refuses=(CannotApprove, LetterBroken),
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

    def get_urls(self) -> list[URLPattern]:
        view: Any = csp(LETTER)(self.admin_site.admin_view(cast(Any, letter)))
        return [
            path(
                "<int:pk>/letter/<int:edition>/<slug:kind>/<slug:part>/",
                view,
                name="articles_digest_letter",
            ),
            *super().get_urls(),
        ]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What became a letter stays on record."""
        mailed = obj is not None and obj.mailings.exists()
        return not mailed and super().has_delete_permission(request, obj)

    def facts(self, row: Any) -> dict[str, Any]:
        told = super().facts(row)
        if row is None:
            return told
        return {
            **told,
            "facts_template": "admin/newsletter/editions.html",
            "mailings": row.mailings.select_related("edition"),
            "editions": letters.contents_of_each(row, list(Edition.objects.all()))
            if not row.is_approved
            else [],
        }
