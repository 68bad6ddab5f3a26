"""What a page with CKEditor 4 may do beyond the admin's content security policy."""

from __future__ import annotations

from csp.constants import UNSAFE_INLINE
from csp.decorators import csp_update

# CKEditor writes handlers and styles into its buttons' attributes, and styles into the frame
# that its menus stand in. Script elements stay forbidden: its editing area is no frame.
EDITOR_POLICY = {"script-src-attr": [UNSAFE_INLINE], "style-src": [UNSAFE_INLINE]}
with_editor = csp_update(EDITOR_POLICY)
"""Decorates a view whose page has the editor on it."""
