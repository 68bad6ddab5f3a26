"""One language beside another: the source to read, the translation to write."""

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
from articles.admin.forms import DO, PUBLISH, note_field
from articles.admin.language_panels import panel_of
from articles.admin.workflow import (
    act_on_language,
    give_up_draft,
    hand_in_changes,
    keep_what_was_typed,
)
from articles.editorial import permissions
from articles.editorial.autosave import drafts_by_language, keep_draft
from articles.editorial.conflicts import Choice, Conflict, merge, newest_revisions
from articles.editorial.saving import save_article, translated_from
from articles.fields import BodyFormField
from articles.models import Article, ArticleText, Draft
from articles.models.texts import TEXTS
from articles.text import diff
from articles.text.diff import Difference
from core import languages
from core.http import LARGEST_TEXTS, takes_up_to


def translating_urls(model_admin: Any) -> list[URLPattern]:
    """Below an article's address in the admin."""
    site = model_admin.admin_site

    @takes_up_to(LARGEST_TEXTS)
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
    """One language's text, with the names that it has in the article's own form."""

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
        """As it would be saved."""
        return ArticleText.typed(self.code, self.cleaned_data, f"_{self.code}")

    @property
    def notes(self) -> dict[str, str]:
        """What readers are told of the correction, if anything."""
        note = self.cleaned_data.get(f"note_{self.code}", "")
        return {self.code: note} if note else {}

    @property
    def base(self) -> int:
        return self.cleaned_data.get(f"base_{self.code}") or 0


@dataclass(frozen=True)
class Source:
    """What is translated from, and what changed in it since the translation was made."""

    text: ArticleText
    revision: int
    fingerprint: str
    changes: Difference | None

    @property
    def name(self) -> str:
        return languages.own_name(self.text.language)


def translate(
    request: HttpRequest, pk: int, target: str, context: dict[str, Any], model_admin: Any
) -> HttpResponse:
    """GET shows both; POST saves the translation and may do one thing with it."""
    if not languages.is_language(target):
        raise Http404
    if request.method == "POST" and give_up_draft(request, str(pk)):
        return HttpResponseRedirect(request.get_full_path())
    with transaction.atomic():
        articles = Article.objects.with_everything()
        if request.method == "POST":
            articles = articles.locked()
        article = articles.filter(pk=pk).first()
        if article is None:
            return _deleted(request, pk)
        if not permissions.may_write(request.user, article, target):
            raise PermissionDenied
        # What was read while writing, whatever else has come in since.
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
        "panel": panel_of(request.user, article, target, draft, newest),
        "target": target,
        "target_name": languages.own_name(target),
        "sources": [
            (code, languages.own_name(code))
            for code in (text.language for text in article.texts())
            if code != target
        ],
        "conflicts": {target: form.conflict} if form.conflict else {},
    }
    return render(request, "admin/articles/translate.html", context)


def _deleted(request: HttpRequest, pk: int) -> HttpResponse:
    """Somebody deleted the article: what was typed waits on the first page."""
    if request.method != "POST":
        raise Http404
    keep_what_was_typed(request, str(pk))
    return HttpResponseRedirect(reverse("admin:index"))


def _without_source(request: HttpRequest, article: Article, target: str) -> HttpResponse:
    """The article's own form has what was typed, if anything was."""
    form = TranslationForm(target, {}, request.POST)
    if request.method == "POST" and form.is_valid():
        keep_draft(request.user, article.pk, form.text, form.base, timezone.now())
    messages.info(request, __("There is no other language to translate from yet."))
    return HttpResponseRedirect(reverse("admin:articles_article_change", args=[article.pk]))


def source_of(article: Article, target: str, asked: str) -> Source | None:
    """The language that was asked for, else the one it was made from, else the nearest."""
    row = article.language_rows.get(target)
    written = {text.language: text for text in article.texts() if text.language != target}
    wanted = [asked, row.source_language if row else "", *languages.nearest_first(target)]
    code = next((one for one in wanted if one in written), None)
    if code is None:
        return None
    now = article.language_rows[code]
    text, changes = written[code], None
    if row is not None and row.source_language == code and row.is_stale(now):
        made_from = article.revisions.of(article, code).filter(fingerprint=row.source_fingerprint)
        old = made_from.first()
        if old is not None:
            changes = diff.difference(
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
    initial: dict[str, Any] = {f"{field}_{target}": getattr(text, field) for field in TEXTS}
    initial[f"base_{target}"] = draft.base_revision if draft else base
    initial |= {"source_language": source.text.language, "source_revision": source.revision}
    return TranslationForm(target, note, initial=initial)


def _save(
    request: HttpRequest, article: Article, form: TranslationForm, source: Source, newest: Any
) -> bool:
    """False where the page has to ask something first; what was typed stays in its fields."""
    code, now, mine = form.code, timezone.now(), form.text
    before = article.text_in(code)
    if permissions.needs_review(request.user, article, code) and not mine.reads_as(before):
        hand_in_changes(request, article, mine, form.base)
        return True
    merged = _merged(request, article, form, newest)
    if merged is None:
        return False
    article.put_text(merged)
    changed = save_article(article, by=request.user, now=now, notes=form.notes)
    Draft.objects.of(request.user, article.pk).filter(language=code).delete()
    is_current = _rest_on_source(request, article, form, source, merged, is_new=bool(changed))
    if changed:
        told = __("Saved: %(language)s.") % {"language": languages.own_name(code)}
        messages.success(request, told)
    elif DO not in request.POST and PUBLISH not in request.POST:
        messages.info(request, __("Nothing has changed."))
    if not is_current:
        messages.warning(
            request, __("The source has changed while you were writing: see what changed in it.")
        )
    # "Still right" is said of the source as it was shown, and no more.
    if is_current or not request.POST.get(DO, "").startswith("still-right:"):
        act_on_language(request, article)
    return True


def _merged(
    request: HttpRequest, article: Article, form: TranslationForm, newest: Any
) -> ArticleText | None:
    """The text to save; None with the reason on the form."""
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
    if row is not None and row.is_answered_for:
        for field in ("title", "body"):
            if not getattr(merged, field):
                form.add_error(
                    f"{field}_{code}",
                    __("This language is public. Withdraw it before you empty it."),
                )
    return None if form.errors else merged


def _rest_on_source(
    request: HttpRequest,
    article: Article,
    form: TranslationForm,
    source: Source,
    merged: ArticleText,
    *,
    is_new: bool,
) -> bool:
    """It was made from the source as it was shown; False if more has come in since."""
    code, shown = form.code, form.cleaned_data.get("source_language") or ""
    row = article.language_rows.get(code)
    number = form.cleaned_data.get("source_revision") or 0
    revision = article.revisions.of(article, shown).filter(number=number).first()
    if row is None or revision is None or not merged.reads_as(form.text):
        # Another's text was taken over: it rests on what they translated it from.
        return True
    if not is_new and row.source_language != shown:
        # Only looked at beside another language than its own source.
        return True
    rests = translated_from(article, code, revision, by=request.user if is_new else None)
    return not rests or revision.fingerprint == source.fingerprint
