"""Writing: the shared facts of an article, and one tab for each of its languages."""

from __future__ import annotations

from typing import Any

from ckeditor.widgets import CKEditorWidget
from django import forms
from django.contrib import admin, messages
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import format_lazy
from django.utils.translation import gettext as __
from django.utils.translation import gettext_lazy as _
from modeltranslation.admin import TranslationAdmin
from unfold.widgets import UnfoldAdminDateWidget

from articles import publishing
from articles.admin.languages import language_tabs, mark_language
from articles.admin.verbs import Verb, VerbsAdmin
from articles.models import Article, CannotPublish
from articles.models.languages import UNPUBLISHED, Status
from articles.writing import save_article
from newsroom import headers, html, languages

MAY_PUBLISH = "articles.publish_article"
TEXTS = ("title", "lead", "body")
PUBLISH = "_publish"
"""The name of the save bar's buttons that publish; each one's value is a language."""


class ArticleForm(forms.ModelForm):
    """No language is compulsory, but an article has a title in one."""

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        names = [f"title_{code}" for code in languages.codes()]
        # What this user may not change is not in the form, but it is there.
        kept = [getattr(self.instance, name) for name in names if name not in self.fields]
        if not any([*kept, *(cleaned.get(name) for name in names)]):
            raise forms.ValidationError(
                _("The article has no title. Write one in any one language.")
            )
        self._keep_public_texts(cleaned)
        return cleaned

    def _post_clean(self) -> None:
        """Checks the verdict's constraint too: Django skips one that names a column not shown."""
        super()._post_clean()  # type: ignore[misc]
        if not self.errors:
            try:
                self.instance.validate_constraints()
            except forms.ValidationError as error:
                self._update_errors(error)  # type: ignore[attr-defined]

    def _keep_public_texts(self, cleaned: dict[str, Any]) -> None:
        for name in (
            ("topic", "week") if self.instance.pk and self.instance.public_languages else ()
        ):
            if name in cleaned and not cleaned[name]:
                self.add_error(
                    name, _("The article is public. Choose another, but leave none out.")
                )
        for code in self.instance.public_languages if self.instance.pk else ():
            for field in ("title", "body"):
                name = f"{field}_{code}"
                text = cleaned.get(name) or ""
                # An emptied editor sends <p>&nbsp;</p>; what counts is what would be saved.
                left = html.clean(text) if field == "body" else text
                if name in cleaned and not left:
                    self.add_error(
                        name,
                        _("This language is public. Withdraw it before you empty it."),
                    )


def _withdraw_language(code: str) -> Any:
    def act(_request: HttpRequest, article: Article) -> str:
        publishing.withdraw_language(article, code, timezone.now())
        return __("Withdrawn in %(language)s.") % {"language": languages.own_name(code)}

    return act


def _withdraw(_request: HttpRequest, article: Article) -> str:
    publishing.withdraw(article, timezone.now())
    return __("The whole article is withdrawn.")


def _shows_in(code: str) -> Any:
    return lambda article: code in article.public_languages


VANISHES = _(
    "It vanishes from the site and the lists. Letters that have not begun are cancelled and "
    "their digest is opened again; letters on their way are paused."
)


class LanguageStatusFilter(admin.SimpleListFilter):
    """By the state of one language."""

    title = _("language")
    parameter_name = "language"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        states = (
            ("public", __("published in %(language)s")),
            ("waiting", __("not published yet in %(language)s")),
            ("missing", __("missing in %(language)s")),
        )
        return [
            (f"{code}:{state}", label % {"language": languages.own_name(code)})
            for code in languages.codes()
            for state, label in states
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Article]) -> QuerySet[Article]:
        code, _colon, state = (self.value() or "").partition(":")
        if not languages.is_language(code):
            return queryset
        if state == "public":
            return queryset.filter(pk__in=Article.objects.in_language(code))
        rows = Q(article_languages__language=code)
        if state == "waiting":
            return queryset.filter(rows, article_languages__status__in=UNPUBLISHED)
        return queryset.exclude(rows)


@admin.register(Article)
class ArticleAdmin(VerbsAdmin, TranslationAdmin):
    """An analyst starts in any one language, adds another, publishes a language."""

    form = ArticleForm
    list_display = ("titled", "topic", "week_label", "verdict", "states")
    list_filter = ("topic", LanguageStatusFilter, "verdict", "authors")
    list_per_page = 50
    search_fields = ("title",)
    autocomplete_fields = ("authors",)
    fieldsets = [
        (
            None,
            {
                "fields": [
                    "topic",
                    "week",
                    "verdict",
                    "authors",
                    "cover",
                    "cover_credit",
                ]
            },
        ),
        *language_tabs(*TEXTS),
    ]
    verbs = (
        *(
            Verb(
                f"withdraw-{code}",
                format_lazy(_("Withdraw in {language}"), language=languages.own_name(code)),
                _withdraw_language(code),
                MAY_PUBLISH,
                _shows_in(code),
                question=VANISHES,
                variant="danger",
                group=_("Withdraw"),
            )
            for code in languages.codes()
        ),
        Verb(
            "withdraw",
            _("Withdraw the whole article"),
            _withdraw,
            MAY_PUBLISH,
            lambda article: bool(article.public_languages),
            question=VANISHES,
            variant="danger",
            group=_("Withdraw"),
        ),
    )

    # --- The list --------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> QuerySet[Article]:
        found: QuerySet[Article] = Article.objects.with_everything()
        return found

    @admin.display(description=_("title"))
    def titled(self, article: Article) -> str:
        return str(article)

    @admin.display(description=_("week"), ordering="week")
    def week_label(self, article: Article) -> str:
        return article.week.label(languages.current()) if article.week else "–"

    @admin.display(description=_("languages"))
    def states(self, article: Article) -> SafeString:
        """A chip for each language: its state in words too, for whoever sees no colour."""
        rows = {row.language: row for row in article.article_languages.all()}
        chips = []
        for code in languages.codes():
            row = rows.get(code)
            status = row.status if row else "missing"
            words = row.get_status_display() if row else __("Missing")
            if row and article.withdrawn_at is not None:
                status, words = Status.WITHDRAWN, Status.WITHDRAWN.label
            chips.append((status, f"{languages.own_name(code)}: {words}", code.upper()))
        joined = format_html_join(" ", '<span class="chip {}" title="{}">{}</span>', chips)
        return format_html('<span class="chips">{}</span>', joined)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Article], search_term: str
    ) -> tuple[QuerySet[Article], bool]:
        """SQLite folds no Cyrillic case, so a word is looked for as it may stand in a title."""
        for word in search_term.split():
            forms_of_it = {word, word.lower(), word.upper(), word.capitalize()}
            matches = Q()
            for code in languages.codes():
                for form in forms_of_it:
                    matches |= Q(**{f"title_{code}__icontains": form})
            queryset = queryset.filter(matches)
        return queryset, False

    # --- The form --------------------------------------------------------------------

    @method_decorator(headers.with_editor)
    def changeform_view(self, *args: Any, **kwargs: Any) -> HttpResponse:
        response: HttpResponse = super().changeform_view(*args, **kwargs)
        return response

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "week":
            return db_field.formfield(widget=UnfoldAdminDateWidget())
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        code = getattr(db_field, "language", "")
        if field is not None and db_field.name.startswith("body_"):
            field.widget = CKEditorWidget(config_name=f"body_{code}")
        if field is not None and db_field.name.startswith("lead_"):
            field.widget.attrs["rows"] = 3
        return field

    def get_form(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, **kwargs)
        mark_language(form.base_fields)
        return form

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """A public text is changed only by who may publish."""
        fixed = super().get_readonly_fields(request, obj)
        if obj is None or request.user.has_perm(MAY_PUBLISH):
            return fixed
        public = [f"{name}_{code}" for code in obj.public_languages for name in TEXTS]
        return (*fixed, *public)

    def save_model(self, request: HttpRequest, obj: Article, form: Any, change: bool) -> None:
        if not change:
            obj.owner = request.user
        save_article(obj, by=request.user, now=timezone.now())

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        self._publish(request, form.instance)

    def _publish(self, request: HttpRequest, article: Article) -> None:
        """After the save, which is kept even if the language is not fit to be published."""
        code = request.POST.get(PUBLISH, "")
        may = request.user.has_perm(MAY_PUBLISH)
        if not may or not languages.is_language(code):
            return
        name = languages.own_name(code)
        try:
            publishing.publish(article, code, timezone.now())
            messages.success(request, __("Published in %(language)s.") % {"language": name})
        except CannotPublish as error:
            for reason in error.reasons:
                messages.error(request, reason)

    def response_change(self, request: HttpRequest, obj: Model) -> HttpResponse:
        _stay_after_publishing(request)
        return super().response_change(request, obj)

    def response_add(
        self, request: HttpRequest, obj: Model, post_url_continue: str | None = None
    ) -> HttpResponse:
        _stay_after_publishing(request)
        return super().response_add(request, obj, post_url_continue)

    def facts(self, row: Any) -> dict[str, Any]:
        """The buttons that publish stand in the save bar, since they save too."""
        public = row.public_languages if row is not None else []
        gone = row is not None and row.withdrawn_at is not None
        return {
            "publishable": [
                (code, languages.own_name(code))
                for code in languages.codes()
                if code not in public and not gone
            ],
            "public": [
                (languages.own_name(code), row.path_in(code)) for code in public if row is not None
            ],
            "facts_template": "admin/articles/public.html",
            # The save bar is for publishing; the list has a button for another article.
            "show_save_and_add_another": False,
        }

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What was public is withdrawn, which readers are told; only a draft may be deleted."""
        published = obj is not None and obj.first_published_at() is not None
        return not published and super().has_delete_permission(request, obj)

    def view_on_site(self, obj: Article) -> str | None:
        return obj.get_absolute_url() if obj.public_languages else None


def _stay_after_publishing(request: HttpRequest) -> None:
    """Whoever publishes one language looks at the next."""
    if PUBLISH in request.POST:
        data = request.POST.copy()
        data["_continue"] = "1"
        request.POST = data
