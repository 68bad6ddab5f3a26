"""The article's admin: shared fields, and one tab for each language."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.db.models import Model, Q, QuerySet
from django.forms import Script
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as __
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminDateWidget

from articles.admin.autosave import autosave_urls
from articles.admin.filters import LanguageStatusFilter, StaleFilter, WeekFilter
from articles.admin.forms import (
    ACTION_BUTTON,
    PUBLISH_BUTTON,
    SHARED_FIELDS,
    ArticleForm,
    language_fields,
)
from articles.admin.language_panels import language_panel, render_panel
from articles.admin.languages import Fieldset, TranslatedTextsAdmin
from articles.admin.object_actions import ObjectActionsAdmin
from articles.admin.previews import open_links, preview_urls
from articles.admin.revisions import revision_urls
from articles.admin.translating import translating_urls
from articles.admin.withdrawing import WITHDRAWAL_ACTIONS
from articles.admin.workflow import (
    discard_draft,
    run_language_action,
    save_posted_drafts,
    submit_changes,
)
from articles.editorial import permissions, preview_links
from articles.editorial.saving import save_article
from articles.models import Article, Draft, Status
from articles.models.texts import TEXT_FIELDS
from core import languages


@admin.register(Article)
class ArticleAdmin(ObjectActionsAdmin, TranslatedTextsAdmin):
    """Each language is written, saved and published by itself."""

    form = ArticleForm
    list_display = ("titled", "topic", "week_label", "verdict", "states")
    list_filter = (
        LanguageStatusFilter,
        StaleFilter,
        WeekFilter,
        "topic",
        "verdict",
        "authors",
    )
    list_per_page = 30
    # Saves a COUNT(*) on each page of a search.
    show_full_result_count = False
    search_fields = ("title",)
    autocomplete_fields = ("authors", "cover")
    change_form_before_template = "admin/articles/before_form.html"

    class Media:
        js = (Script("autosave.js", type="module"), Script("smart_quotes.js", type="module"))

    object_actions = WITHDRAWAL_ACTIONS

    # --- The list --------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> QuerySet[Article]:
        found: QuerySet[Article] = Article.objects.with_related()
        return found

    @admin.display(description=_("title"))
    def titled(self, article: Article) -> str:
        return str(article)

    @admin.display(description=_("week"), ordering="week")
    def week_label(self, article: Article) -> str:
        return article.week.label(languages.current()) if article.week else "–"

    @admin.display(description=_("languages"))
    def states(self, article: Article) -> SafeString:
        """A chip for each language, with its state in words as the title."""
        rows, stale = article.language_rows, article.stale_languages
        chips = []
        for code in languages.codes():
            row = rows.get(code)
            status = row.status if row else "missing"
            words = row.get_status_display() if row else __("Missing")
            if row and article.withdrawn_at is not None:
                status, words = Status.WITHDRAWN, Status.WITHDRAWN.label
            if code in stale:
                status, words = f"{status} stale", f"{words}, {__('stale')}"
            chips.append((status, f"{languages.native_name(code)}: {words}", code.upper()))
        joined = format_html_join(" ", '<span class="chip {}" title="{}">{}</span>', chips)
        return format_html('<span class="chips">{}</span>', joined)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Article], search_term: str
    ) -> tuple[QuerySet[Article], bool]:
        """SQLite's LIKE ignores case for ASCII only, so several cases of each word are tried."""
        for word in search_term.split():
            variants = {word}
            if connection.vendor == "sqlite":
                variants |= {word.lower(), word.upper(), word.capitalize()}
            matches = Q()
            for code in languages.codes():
                for variant in variants:
                    matches |= Q(**{f"title_{code}__icontains": variant})
            queryset = queryset.filter(matches)
        return queryset, False

    # --- Permissions -----------------------------------------------------------------

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A translator may open every article, an analyst their own."""
        user = request.user
        if obj is None:
            return user.has_perm(permissions.WRITE) or user.has_perm(permissions.TRANSLATE)
        return permissions.may_open(user, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only what was never public: the rest is withdrawn, and its page says so."""
        if obj is not None and (
            obj.first_published_at() is not None
            or not permissions.may_write_shared_fields(request.user, obj)
        ):
            return False
        return super().has_delete_permission(request, obj)

    # --- The form --------------------------------------------------------------------

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        if request.method == "POST" and discard_draft(request, object_id):
            return HttpResponseRedirect(request.path)
        response: HttpResponse = super().changeform_view(
            request, object_id, form_url, extra_context
        )
        return response

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[Fieldset]:
        shared: list[Any] = [("topic", "week"), ("verdict", "authors"), "cover", "old_path"]
        if permissions.may_write_shared_fields(request.user, obj):
            shared.append("seen")
        tabs = []
        for code in languages.codes():
            writable = permissions.may_write(request.user, obj, code)
            own = list(language_fields(request.user, obj, code, writable=writable))
            texts = [f"{field}_{code}" for field in TEXT_FIELDS] if writable else []
            fields = [*own[:2], *texts, *own[2:]]
            tabs.append((languages.native_name(code), {"classes": ["tab"], "fields": fields}))
        return [(None, {"fields": shared}), *tabs]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """The shared fields, for a translator."""
        fixed = super().get_readonly_fields(request, obj)
        if permissions.may_write_shared_fields(request.user, obj):
            return fixed
        return (*fixed, *SHARED_FIELDS)

    def get_form(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        own: dict[str, Any] = {"user": request.user, "draft": self._submitted_draft(request, obj)}
        for code in languages.codes():
            writable = permissions.may_write(request.user, obj, code)
            own |= language_fields(request.user, obj, code, writable=writable)
        kwargs["form"] = type("ArticleForm", (self.form,), own)
        return super().get_form(request, obj, **kwargs)

    def _submitted_draft(self, request: HttpRequest, obj: Any) -> Draft | None:
        """The submitted draft that an editor opened by its link."""
        asked = request.GET.get("draft", "")
        if obj is None or not asked.isdecimal() or not permissions.may_publish(request.user):
            return None
        drafts = Draft.objects.submitted().filter(article=obj, pk=int(asked[:18]))
        return drafts.select_related("owner").first()

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "week":
            return db_field.formfield(widget=UnfoldAdminDateWidget())
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None and db_field.name.startswith("lead_"):
            field.widget.attrs["rows"] = 3
        return field

    # --- Saving ----------------------------------------------------------------------

    def save_model(self, request: HttpRequest, obj: Article, form: Any, change: bool) -> None:
        now = timezone.now()
        if not change:
            obj.owner = request.user
        save_article(obj, by=request.user, now=now, notes=form.notes)
        Draft.objects.of(request.user, obj.pk if change else None).delete()
        if form.draft is not None:
            form.draft.delete()
        for text, base in form.to_submit.values():
            submit_changes(request, obj, text, base)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        run_language_action(request, form.instance)

    def response_change(self, request: HttpRequest, obj: Model) -> HttpResponse:
        _stay_on_page(request)
        return super().response_change(request, obj)

    def response_add(
        self, request: HttpRequest, obj: Model, post_url_continue: str | None = None
    ) -> HttpResponse:
        _stay_on_page(request)
        return super().response_add(request, obj, post_url_continue)

    def _get_obj_does_not_exist_redirect(
        self, request: HttpRequest, opts: Any, object_id: str
    ) -> HttpResponse:
        """The article was deleted meanwhile: the posted texts become drafts."""
        if request.method == "POST":
            save_posted_drafts(request, object_id)
        response: HttpResponse = super()._get_obj_does_not_exist_redirect(request, opts, object_id)
        return response

    def get_urls(self) -> list[URLPattern]:
        return [
            *autosave_urls(self.admin_site),
            *preview_urls(self.admin_site),
            *revision_urls(self),
            *translating_urls(self),
            *super().get_urls(),
        ]

    def get_extra_context(self, row: Any) -> dict[str, Any]:
        """Public pages, previews and preview links."""
        context: dict[str, Any] = {
            "details_template": "admin/articles/article_details.html",
            "show_save_and_add_another": False,
        }
        if row is None:
            return context
        return {
            **context,
            "public": [
                (languages.native_name(code), row.path_in(code)) for code in row.public_languages
            ],
            "previews": [
                (
                    languages.native_name(text.language),
                    reverse("admin:articles_article_preview", args=[row.pk, text.language]),
                )
                for text in row.texts()
            ],
            "share_days": preview_links.LIFETIME_CHOICES_DAYS,
            "preview_links": open_links(row),
        }

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        article = kwargs.get("obj")
        is_public = article is not None and bool(article.public_languages)
        context["publishes_changes"] = is_public and permissions.may_publish(request.user)
        context["may_share"] = article is not None and permissions.may_open(request.user, article)
        return super().render_change_form(request, context, *args, **kwargs)

    def view_on_site(self, obj: Article) -> str | None:
        return obj.get_absolute_url() if obj.public_languages else None


def _readonly_panel(code: str) -> Any:
    """With view permission only, Django takes a field's value from the admin."""

    @admin.display(description=_("Status"))
    def panel(_admin: Any, article: Article) -> SafeString:
        return render_panel(language_panel(AnonymousUser(), article, code, None, None))

    return panel


for _code in languages.codes():
    setattr(ArticleAdmin, f"panel_{_code}", _readonly_panel(_code))


def _stay_on_page(request: HttpRequest) -> None:
    """After an action on a language, as after "Save and continue editing"."""
    if PUBLISH_BUTTON in request.POST or ACTION_BUTTON in request.POST:
        data = request.POST.copy()
        data["_continue"] = "1"
        request.POST = data
