"""Adds the newsletter to a digest's page: preview and approval of its letters, mailings."""

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
from articles.admin.object_actions import ConfirmationPage, ObjectAction
from articles.models import Digest
from keys.tokens import TOKEN_LENGTH
from newsletter.campaigns import approval, lifecycle, messages
from newsletter.campaigns.approval import ApprovalError
from newsletter.mime import InvalidLetter, Placeholders
from newsletter.models import Edition, VariantKind
from newsletter.tasks import enqueue, sign_letters

APPROVE_PERMISSION = "articles.approve_digest"
SAMPLE_PLACEHOLDERS = Placeholders(
    token="x" * TOKEN_LENGTH, message_token="", recipient="", date=""
)
"""In place of a subscriber's values, in a preview."""
LETTER_CSP = {"default-src": [NONE], "style-src": [UNSAFE_INLINE], "frame-ancestors": [NONE]}
"""A letter has inline styles, and may load nothing."""


def approve(request: HttpRequest, digest: Digest) -> str:
    """Freezes a mailing for each edition, unless its letters have changed since the preview."""
    shown = request.POST.get("shown", "")
    made = approval.approve(digest, request.user, timezone.now(), shown=shown)
    enqueue(sign_letters)
    if not made and not Digest.objects.get(pk=digest.pk).is_approved:
        return __("Your approval is noted. It goes once a second person approves the same.")
    names = ", ".join(f"{mailing.edition} ({mailing.get_status_display()})" for mailing in made)
    return __("Approved and frozen: %(editions)s.") % {"editions": names or "–"}


def preview_letters(_request: HttpRequest, digest: Digest) -> ConfirmationPage:
    """The letters of each edition, and their hash. Raises ApprovalError, InvalidLetter."""
    planned = approval.plan_mailings(digest)
    found, now = approval.hash_letters(planned), timezone.now()
    is_first_of = digest.first_approved_of == found
    return ConfirmationPage(
        "admin/newsletter/approve.html",
        {
            "planned": [(one, one.is_late(now)) for one in planned],
            "shown": found,
            "first_approval": digest.first_approved_by if is_first_of else None,
        },
    )


def reopen(request: HttpRequest, digest: Digest) -> str:
    """Opens it for changes."""
    lifecycle.reopen(digest, timezone.now(), by=request.user)
    return __("The digest is open again. Mailings that had not begun are cancelled.")


def letter(request: HttpRequest, pk: int, edition: int, kind: str, part: str) -> HttpResponse:
    """A letter as it would be frozen now: its HTML or its plain text."""
    if not request.user.has_perm(APPROVE_PERMISSION) and not request.user.has_perm(
        "articles.view_digest"
    ):
        raise Http404
    digest, chosen = get_object_or_404(Digest, pk=pk), get_object_or_404(Edition, pk=edition)
    if kind not in VariantKind.values:
        raise Http404
    contents = messages.contents_of(digest, chosen)
    rendered = messages.render_digest(
        digest, chosen, contents, VariantKind(kind), SAMPLE_PLACEHOLDERS
    )
    if part == "html":
        return HttpResponse(rendered.html)
    return HttpResponse(f'<pre lang="{chosen.language}">{escape(rendered.text)}</pre>')


admin.site.unregister(Digest)


@admin.register(Digest)
class DigestAdmin(ArticlesDigestAdmin):
    """The digest's admin of articles, with approval and mailings."""

    object_actions = (
        *ArticlesDigestAdmin.object_actions,
        ObjectAction(
            "approve",
            _("Approve and freeze"),
            approve,
            APPROVE_PERMISSION,
            lambda digest: not digest.is_approved,
            "primary",
            page=preview_letters,
            refuses=(ApprovalError, InvalidLetter),
        ),
        ObjectAction(
            "reopen",
            _("Open again"),
            reopen,
            APPROVE_PERMISSION,
            lambda digest: digest.is_approved,
            question=_("Mailings that have not begun are cancelled."),
        ),
    )

    def get_urls(self) -> list[URLPattern]:
        view: Any = csp(LETTER_CSP)(self.admin_site.admin_view(cast(Any, letter)))
        return [
            path(
                "<int:pk>/letter/<int:edition>/<slug:kind>/<slug:part>/",
                view,
                name="articles_digest_letter",
            ),
            *super().get_urls(),
        ]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A digest with mailings cannot be deleted."""
        mailed = obj is not None and obj.mailings.exists()
        return not mailed and super().has_delete_permission(request, obj)

    def get_extra_context(self, row: Any) -> dict[str, Any]:
        facts = super().get_extra_context(row)
        if row is None:
            return facts
        return {
            **facts,
            "details_template": "admin/newsletter/digest_editions.html",
            "mailings": row.mailings.select_related("edition"),
            "editions": messages.contents_of_each(row, list(Edition.objects.all()))
            if not row.is_approved
            else [],
        }
