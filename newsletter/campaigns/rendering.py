"""Renders the templates of a mail, as HTML and as plain text."""

from __future__ import annotations

import re
import textwrap

import css_inline
from django.template.loader import render_to_string
from django.utils import translation

from articles.text import sanitizer
from newsletter.mime import RenderedMail

TEXT_WIDTH = 72
_INLINER = css_inline.CSSInliner(load_remote_stylesheets=False, keep_style_tags=True)


def render(
    kind: str, context: dict[str, object], language: str, *, with_html: bool = True
) -> RenderedMail:
    """Renders templates/email/<kind>/{subject.txt,body.txt,body.html} in one language."""
    with translation.override(language):
        subject = render_to_string(f"email/{kind}/subject.txt", context)
        text = render_to_string(f"email/{kind}/body.txt", context)
        rich = render_to_string(f"email/{kind}/body.html", context) if with_html else ""
    return RenderedMail(
        subject=" ".join(subject.split()),
        text=re.sub(r"\n{3,}", "\n\n", text).strip() + "\n",
        html=_INLINER.inline(rich) if rich else "",
    )


# --- Plain text ----------------------------------------------------------------------


def plain_text(body: str) -> str:
    """Sanitised HTML as plain text: paragraphs wrapped, links written out."""
    lines: list[str] = []
    previous = ""
    for number, block in enumerate(sanitizer.blocks(sanitizer.bare_images_as_text(body))):
        in_list = block.kind.endswith("li") or block.kind == "tr"
        if number and not (in_list and previous == block.kind):
            lines.append("")
        lines.extend(_wrapped(block))
        previous = block.kind
    return "\n".join(lines)


def _wrapped(block: sanitizer.Block) -> list[str]:
    links = [link.removeprefix("mailto:") for link in block.links]
    label = f"[{block.text or '…'}]" if block.kind == "figure" else block.text
    text = " ".join([label, *(f"<{link}>" for link in links if link not in block.text)])
    first, rest = {
        "blockquote": ("> ", "> "),
        "li": ("• ", "  "),
        "ol-li": ("• ", "  "),
    }.get(block.kind, ("", ""))
    if block.kind in {"h2", "h3"}:
        return [text, "-" * min(len(text), TEXT_WIDTH)]
    return wrap(text, first, rest)


def paragraphs(text: str) -> list[str]:
    """Plain text split at its empty lines."""
    return [part for part in re.split(r"\n\s*\n", text.strip()) if part]


def wrap(text: str, first: str = "", rest: str = "") -> list[str]:
    """A paragraph in lines; a link is never broken."""
    return textwrap.wrap(
        text,
        TEXT_WIDTH,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
