"""The translation page: source and translation side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as __
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from articles.admin.editor_policy import with_editor
from articles.admin.forms import ACTION_BUTTON, PUBLISH_BUTTON, note_field
from articles.admin.language_panels import language_panel
from articles.admin.workflow import (
    discard_draft,
    run_language_action,
    save_posted_drafts,
    submit_changes,
)
from articles.editorial import permissions
from articles.editorial.autosave import drafts_by_language, save_draft
from articles.editorial.conflicts import Choice, Conflict, merge, newest_revisions
from articles.editorial.saving import record_translation_source, save_article
from articles.fields import BodyFormField
from articles.models import Article, ArticleText, Draft
from articles.models.texts import TEXT_FIELDS
from articles.text import diff
from articles.text.diff import TextDiff
from core import languages
from core.http import MAX_TEXT_FORM_BYTES, max_body_bytes


def translating_urls(model_admin: Any) -> list[URLPattern]:
    """URLs below an article's change page."""
    site = model_admin.admin_site

    @max_body_bytes(MAX_TEXT_FORM_BYTES)
    def view(request: HttpRequest, pk: int, target: str) -> HttpResponse:
        return translate(request, pk, target, site.each_context(request), model_admin)

    return [
        path(
            "<int:pk>/translate/<slug:target>/",
            with_editor(site.admin_view(view)),
            name="articles_article_translate",
        )
    ]


class TranslationForm(forms.Form):
    """One language's text, with the field names of ArticleForm."""

    def __init__(self, code: str, note: dict[str, forms.Field], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.code = code
        self.conflict: Conflict | None = None
        attrs = {"lang": code, "spellcheck": "true"}
        longest = Article._meta.get_field("title").max_length
        self.fields[f"base_{code}"] = forms.IntegerField(
            required=False, min_value=0, widget=forms.HiddenInput
        )
        self.fields["source_revision"] = forms.IntegerField(
            required=False, min_value=0, widget=forms.HiddenInput
        )
        self.fields["source_language"] = forms.CharField(required=False, widget=forms.HiddenInput)
        self.fields[f"title_{code}"] = forms.CharField(
            label=_("Title"),
            required=False,
            max_length=longest,
            widget=UnfoldAdminTextInputWidget(attrs=attrs),
        )
        self.fields[f"lead_{code}"] = forms.CharField(
            label=_("Lead"),
            required=False,
            widget=UnfoldAdminTextareaWidget(attrs={**attrs, "rows": 3}),
            validators=Article._meta.get_field("lead").validators,
        )
        self.fields[f"body_{code}"] = BodyFormField(
            label=_("Body"), required=False, config_name=f"body_{code}"
        )
        self.fields |= note

    @property
    def text(self) -> ArticleText:
        """The posted text."""
        return ArticleText.from_form(self.code, self.cleaned_data, f"_{self.code}")

    @property
    def notes(self) -> dict[str, str]:
        """The public note on the correction, if any."""
        note = self.cleaned_data.get(f"note_{self.code}", "")
        return {self.code: note} if note else {}

    @property
    def base(self) -> int:
        return self.cleaned_data.get(f"base_{self.code}") or 0


@dataclass(frozen=True)
class Source:
    """The source text, and its changes since the translation was made."""

    text: ArticleText
    revision: int
    fingerprint: str
    changes: TextDiff | None

    @property
    def name(self) -> str:
        return languages.native_name(self.text.language)


def translate(
    request: HttpRequest, pk: int, target: str, context: dict[str, Any], model_admin: Any
) -> HttpResponse:
    """GET shows both; POST saves the translation and may run one action."""
    if not languages.is_language(target):
        raise Http404
    if request.method == "POST" and discard_draft(request, str(pk)):
        return HttpResponseRedirect(request.get_full_path())
    with transaction.atomic():
        articles = Article.objects.with_related()
        if request.method == "POST":
            articles = articles.locked()
        article = articles.filter(pk=pk).first()
        if article is None:
            return _deleted(request, pk)
        if not permissions.may_write(request.user, article, target):
            raise PermissionDenied
        # The source as it was shown, whatever was saved since.
        asked = request.POST.get("source_language") or request.GET.get("from", "")
        source = source_of(article, target, asked)
        newest = newest_revisions(article).get(target)
        draft = drafts_by_language(request.user, article).get(target)
        if source is None:
            return _without_source(request, article, target)
        form = _form(request, article, target, source, newest.number if newest else 0, draft)
        if request.method == "POST" and form.is_valid():
            is_done = _save(request, article, form, source, newest)
            if is_done:
                return HttpResponseRedirect(request.get_full_path())
    context |= {
        "title": article,
        "opts": model_admin.opts,
        "original": article,
        "form": form,
        "media": form.media,
        "source": source,
        "panel": language_panel(request.user, article, target, draft, newest),
        "target": target,
        "target_name": languages.native_name(target),
        "sources": [
            (code, languages.native_name(code))
            for code in (text.language for text in article.texts())
            if code != target
        ],
        "conflicts": {target: form.conflict} if form.conflict else {},
    }
    return render(request, "admin/articles/translate.html", context)


def _deleted(request: HttpRequest, pk: int) -> HttpResponse:
    """The article was deleted: the posted text becomes a draft, shown on the dashboard."""
    if request.method != "POST":
        raise Http404
    save_posted_drafts(request, str(pk))
    return HttpResponseRedirect(reverse("admin:index"))


def _without_source(request: HttpRequest, article: Article, target: str) -> HttpResponse:
    """Goes to the article's own form; a posted text becomes a draft."""
    form = TranslationForm(target, {}, request.POST)
    if request.method == "POST" and form.is_valid():
        save_draft(request.user, article.pk, form.text, form.base, timezone.now())
    messages.info(request, __("There is no other language to translate from yet."))
    return HttpResponseRedirect(reverse("admin:articles_article_change", args=[article.pk]))


def source_of(article: Article, target: str, asked: str) -> Source | None:
    """The requested language, else the recorded source, else the nearest with a text."""
    row = article.language_rows.get(target)
    written = {text.language: text for text in article.texts() if text.language != target}
    wanted = [asked, row.source_language if row else "", *languages.preference_order(target)]
    code = next((one for one in wanted if one in written), None)
    if code is None:
        return None
    now = article.language_rows[code]
    text, changes = written[code], None
    if row is not None and row.source_language == code and row.is_stale(now):
        made_from = article.revisions.of(article, code).filter(fingerprint=row.source_fingerprint)
        old = made_from.first()
        if old is not None:
            changes = diff.diff_texts(
                (old.title, old.lead, old.body), (text.title, text.lead, text.body)
            )
    return Source(text, now.revision, now.fingerprint, changes)


def _form(
    request: HttpRequest,
    article: Article,
    target: str,
    source: Source,
    base: int,
    draft: Draft | None,
) -> TranslationForm:
    note = note_field(request.user, article, target)
    if request.method == "POST":
        return TranslationForm(target, note, request.POST)
    text = draft.text if draft else article.text_in(target)
    initial: dict[str, Any] = {f"{field}_{target}": getattr(text, field) for field in TEXT_FIELDS}
    initial[f"base_{target}"] = draft.base_revision if draft else base
    initial |= {"source_language": source.text.language, "source_revision": source.revision}
    return TranslationForm(target, note, initial=initial)


def _save(
    request: HttpRequest, article: Article, form: TranslationForm, source: Source, newest: Any
) -> bool:
    """False for a conflict or an error; the form then keeps what was typed."""
    code, now, mine = form.code, timezone.now(), form.text
    before = article.text_in(code)
    if permissions.needs_review(request.user, article, code) and not mine.is_same_text(before):
        submit_changes(request, article, mine, form.base)
        return True
    merged = _merged(request, article, form, newest)
    if merged is None:
        return False
    article.set_text(merged)
    changed = save_article(article, by=request.user, now=now, notes=form.notes)
    Draft.objects.of(request.user, article.pk).filter(language=code).delete()
    is_current = _record_source(request, article, form, source, merged, is_new=bool(changed))
    if changed:
        message = __("Saved: %(language)s.") % {"language": languages.native_name(code)}
        messages.success(request, message)
    elif ACTION_BUTTON not in request.POST and PUBLISH_BUTTON not in request.POST:
        messages.info(request, __("Nothing has changed."))
    if not is_current:
        messages.warning(
            request, __("The source has changed while you were writing: see what changed in it.")
        )
    # "Still right" confirms the source as it was shown only.
    if is_current or not request.POST.get(ACTION_BUTTON, "").startswith("mark-current:"):
        run_language_action(request, article)
    return True


def _merged(
    request: HttpRequest, article: Article, form: TranslationForm, newest: Any
) -> ArticleText | None:
    """The text to save; None with an error on the form."""
    code = form.code
    seen = request.POST.get(f"seen_{code}", "")
    choice = Choice(
        request.POST.get(f"choice_{code}", ""),
        int(seen) if seen.isdecimal() and len(seen) < 10 else 0,
    )
    merged = merge(article, form.text, form.base, newest, choice)
    if isinstance(merged, Conflict):
        form.conflict = merged
        return None
    row = article.language_rows.get(code)
    if row is not None and row.is_public_or_scheduled:
        for field in ("title", "body"):
            if not getattr(merged, field):
                form.add_error(
                    f"{field}_{code}",
                    __("This language is public. Withdraw it before you empty it."),
                )
    return None if form.errors else merged


def _record_source(
    request: HttpRequest,
    article: Article,
    form: TranslationForm,
    source: Source,
    merged: ArticleText,
    *,
    is_new: bool,
) -> bool:
    """Records the source as it was shown; False if it has changed since."""
    code, shown = form.code, form.cleaned_data.get("source_language") or ""
    row = article.language_rows.get(code)
    number = form.cleaned_data.get("source_revision") or 0
    revision = article.revisions.of(article, shown).filter(number=number).first()
    if row is None or revision is None or not merged.is_same_text(form.text):
        # The other's text was chosen: its recorded source stays.
        return True
    if not is_new and row.source_language != shown:
        # Unchanged, and shown beside another language than its source.
        return True
    rests = record_translation_source(article, code, revision, by=request.user if is_new else None)
    return not rests or revision.fingerprint == source.fingerprint
