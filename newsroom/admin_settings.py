"""The configuration of CKEditor and of Unfold."""

from __future__ import annotations

from typing import Any

from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _

from articles.text import sanitizer, typography

Languages = list[tuple[str, str]]

CKEDITOR_CONFIG: dict[str, Any] = {
    "toolbar": sanitizer.toolbar(),
    "format_tags": "p;h2;h3",
    "height": 420,
    "width": "100%",
    "entities": False,
    "disableNativeSpellChecker": False,
    "versionCheck": False,
    # divarea: the default frame would need an inline script.
    "extraPlugins": "divarea,newsroom",
    # Links have an address only; the upload tab would hold a frame with a script.
    "linkDefaultProtocol": "https://",
    "removeDialogTabs": "link:target;link:upload;link:advanced",
    # Translations that CKEditor does not ship.
    "customConfig": "/static/editor.js",
    # Plugins with known holes, or without a button; pastefromgdocs throws, see static/editor.js.
    "removePlugins": (
        "scayt,wsc,exportpdf,iframe,forms,smiley,save,newpage,preview,print,templates,"
        "sourcearea,elementspath,flash,image,specialchar,about,bidi,colorbutton,colordialog,"
        "copyformatting,dialogadvtab,div,editorplaceholder,find,font,horizontalrule,indentblock,"
        "justify,language,pagebreak,pastefromgdocs,showblocks,stylescombo,uploadimage"
    ),
    "allowedContent": (
        f"{' '.join(sorted(sanitizer.ALLOWED_TAGS - sanitizer.ALLOWED_ATTRIBUTES.keys()))}; "
        "a[!href]; "
        "img[!src,alt,width,height]; th[colspan,rowspan,scope]; td[colspan,rowspan]"
    ),
    "pasteFromWordRemoveFontStyles": True,
    "pasteFromWordRemoveStyles": True,
    "pasteFilter": None,
}


def ckeditor_configs(languages: Languages) -> dict[str, dict[str, Any]]:
    """One for each language, so that the browser checks the spelling in the field's own."""
    return {
        "default": CKEDITOR_CONFIG,
        **{
            f"body_{code}": {
                **CKEDITOR_CONFIG,
                "contentsLanguage": code,
                "typography": typography.editor_config(code),
                "longest": sanitizer.MAX_BODY_LENGTH,
            }
            for code, _name in languages
        },
    }


def unfold(languages: Languages) -> dict[str, Any]:
    """Unfold's settings."""
    return {
        "SITE_TITLE": _("Newsroom"),
        "SITE_HEADER": _("Newsroom"),
        "SITE_SYMBOL": "newspaper",
        "DASHBOARD_CALLBACK": "staff.views.dashboard",
        "SHOW_HISTORY": True,
        "SHOW_VIEW_ON_SITE": True,
        "SHOW_LANGUAGES": True,
        "LANGUAGES": {
            "navigation": [{"code": code, "name_local": name} for code, name in languages],
        },
        "SITE_FAVICONS": [
            {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("icon.svg")}
        ],
        "STYLES": [lambda request: static("admin.css")],
        "SCRIPTS": [lambda request: static("admin.js")],
        # In admin.css: Unfold would write them inline into each page.
        "COLORS": lambda request: {},
        "ENVIRONMENT": "staff.context_processors.environment_label",
        "ACCOUNT": {
            "navigation": [
                {"title": _("Second factor"), "link": reverse_lazy("mfa_index")},
                {"title": _("Change password"), "link": reverse_lazy("account_change_password")},
            ]
        },
    }
