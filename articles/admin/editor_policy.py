"""The content security policy of pages with CKEditor 4."""

from __future__ import annotations

from csp.constants import UNSAFE_INLINE
from csp.decorators import csp_update

# CKEditor sets event handlers and styles as attributes, and styles in its menus' iframe. Inline
# script elements stay forbidden: the editing area (divarea) is no iframe.
EDITOR_POLICY = {"script-src-attr": [UNSAFE_INLINE], "style-src": [UNSAFE_INLINE]}
with_editor = csp_update(EDITOR_POLICY)
"""Decorates a view whose page contains the editor."""
