"""The picture library."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.forms import Script
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as __
from django.utils.translation import gettext_lazy as _
from modeltranslation.admin import TranslationAdmin
from unfold.widgets import UnfoldAdminFileFieldWidget

from articles.admin.languages import language_tabs, set_lang_attributes
from articles.editorial.image_uploads import (
    articles_using,
    delete_picture,
    is_picture_used,
    store_picture,
)
from articles.images import image_decoder
from articles.images.decoder_process import ProcessedImage
from articles.images.image_decoder import InvalidImage
from articles.models import Picture
from core import languages
from core.http import MAX_TEXT_FORM_BYTES
from staff.base_admin import BaseModelAdmin


class PictureForm(forms.ModelForm):
    """Only a new picture takes a file: pages that show an old one do not change."""

    user: Any
    prepared: ProcessedImage | None = None
    file = forms.FileField(
        label=_("File"),
        widget=UnfoldAdminFileFieldWidget,
        help_text=_("JPEG, PNG, WebP, AVIF or GIF. What the camera wrote into it is left out."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            del self.fields["file"]

    def clean_file(self) -> Any:
        """Decodes the file, so that errors are shown at the field."""
        upload = self.cleaned_data["file"]
        if upload.size > image_decoder.MAX_BYTES:
            raise forms.ValidationError(image_decoder.too_large_message())
        try:
            self.prepared = image_decoder.process_upload(upload.read())
        except InvalidImage as error:
            raise forms.ValidationError(str(error)) from None
        return upload

    def _post_clean(self) -> None:
        """Writes the files last, so that a full disk is an error of the field too."""
        super()._post_clean()  # type: ignore[misc]
        if self.prepared is not None and not self.errors:
            try:
                store_picture(self.prepared, self.instance, by=self.user, now=timezone.now())
            except InvalidImage as error:
                self.add_error("file", str(error))


@admin.register(Picture)
class PictureAdmin(BaseModelAdmin, TranslationAdmin):
    """A list of thumbnails, and a form with a description in each language."""

    max_body_bytes = MAX_TEXT_FORM_BYTES

    form = PictureForm
    list_display = ("thumb", "described", "credit", "measures", "uploaded_at", "uploaded_by")
    list_display_links = ("thumb", "described")
    list_per_page = 40
    search_fields = (
        "credit",
        *(f"{field}_{code}" for code in languages.codes() for field in ("alt", "caption")),
    )
    readonly_fields = ("shown", "used_in")

    class Media:
        js = (Script("focal_point.js", type="module"),)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Picture]:
        found: QuerySet[Picture] = super().get_queryset(request)
        return found.select_related("uploaded_by")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(figure)
        return [
            path("<int:pk>/figure/<slug:language>/", view, name="articles_picture_figure"),
            *super().get_urls(),
        ]

    @admin.display(description=_("picture"))
    def thumb(self, picture: Picture) -> SafeString:
        return format_html('<img class="thumb" src="{}" alt="" loading="lazy">', picture.thumbnail)

    @admin.display(description=_("description"))
    def described(self, picture: Picture) -> str:
        return str(picture)

    @admin.display(description=_("size"))
    def measures(self, picture: Picture) -> str:
        return f"{picture.width} × {picture.height}"

    @admin.display(description=_("picture"))
    def shown(self, picture: Picture) -> SafeString:
        """The preview of static/focal_point.js."""
        return format_html(
            '<span class="focus" data-focus><img src="{}" alt=""><span class="focus-mark"></span>'
            "</span><span>{}</span>",
            picture.path,
            __("Click on what must stay in view where the picture is cropped."),
        )

    @admin.display(description=_("used in"))
    def used_in(self, picture: Picture) -> SafeString:
        found = articles_using(picture)
        if not found:
            return format_html("{}", __("Nowhere yet."))
        return format_html("{}", "; ".join(str(article) for article in found[:20]))

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        own = (
            ["file", "credit"]
            if obj is None
            else ["shown", ("focal_x", "focal_y"), "credit", "used_in"]
        )
        return [(None, {"fields": own}), *language_tabs("alt", "caption")]

    def get_form(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        kwargs["form"] = type("PictureForm", (self.form,), {"user": request.user})
        form = super().get_form(request, obj, **kwargs)
        set_lang_attributes(form.base_fields)
        return form

    def save_model(self, request: HttpRequest, obj: Picture, form: Any, change: bool) -> None:
        if change or obj.pk is not None:
            super().save_model(request, obj, form, change)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Not while it is used."""
        used = obj is not None and is_picture_used(obj)
        return not used and super().has_delete_permission(request, obj)

    def delete_model(self, request: HttpRequest, obj: Picture) -> None:
        delete_picture(obj)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """No bulk deletion: it bypasses the check of each picture's use."""
        found: dict[str, Any] = super().get_actions(request)
        found.pop("delete_selected", None)
        return found


def figure(request: HttpRequest, pk: int, language: str) -> HttpResponse:
    """The editor's HTML for a picture, with description and caption in the field's language."""
    if not languages.is_language(language) or not request.user.has_perm("articles.view_picture"):
        raise Http404
    picture = get_object_or_404(Picture, pk=pk)
    context = {
        "picture": picture,
        "alt": picture.alt_in(language),
        "caption": " · ".join(filter(None, (picture.caption_in(language), picture.credit))),
    }
    return JsonResponse({"html": render_to_string("admin/articles/figure.html", context).strip()})
