"""What every answer tells the browser to refuse; the one place for the policies.

Readers' pages run nothing and load only from their own host. The staff's may do what Unfold
cannot work without, and the pages with the editor what CKEditor 4 cannot work without.
"""

from __future__ import annotations

from typing import Any

from csp.constants import NONE, SELF, UNSAFE_EVAL
from csp.middleware import CSPMiddleware, PolicyParts
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import add_never_cache_headers

from core.http import is_staff_page

Policy = dict[str, Any]

READERS: Policy = {
    "default-src": [NONE],
    "style-src": [SELF],
    "img-src": [SELF],
    # No script is there to use it; without it a browser's own tools may not read robots.txt.
    "connect-src": [SELF],
    "form-action": [SELF],
    "base-uri": [NONE],
    "frame-ancestors": [NONE],
    # There is no script to make an exception for.
    "require-trusted-types-for": ["'script'"],
    "trusted-types": [NONE],
}
STAFF: Policy = {
    "default-src": [NONE],
    # Unfold's pages are Alpine's: it compiles the expressions in their attributes.
    "script-src": [SELF, UNSAFE_EVAL],
    "style-src": [SELF],
    "img-src": [SELF],
    "font-src": [SELF],
    "connect-src": [SELF],
    "form-action": [SELF],
    "base-uri": [NONE],
    "frame-ancestors": [NONE],
}
# Chromium knows all of these; an unknown name would be an error in each page's console.
FEATURES = (
    *("accelerometer", "autoplay", "bluetooth", "browsing-topics", "camera", "display-capture"),
    *("encrypted-media", "fullscreen", "geolocation", "gyroscope", "hid", "idle-detection"),
    *("local-fonts", "magnetometer", "microphone", "midi", "payment", "picture-in-picture"),
    *("screen-wake-lock", "serial", "usb", "xr-spatial-tracking"),
)
PASSKEYS = ("publickey-credentials-get", "publickey-credentials-create")


def _permissions(passkeys: str) -> str:
    return ", ".join(
        [f"{name}=()" for name in FEATURES] + [f"{name}=({passkeys})" for name in PASSKEYS]
    )


PERMISSIONS = {is_staff: _permissions("self" if is_staff else "") for is_staff in (False, True)}


class Headers(CSPMiddleware):
    """The outermost middleware, so that files, redirects and errors have them too."""

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        """A view that chose a policy of its own keeps it."""
        parts = super().get_policy_parts(request, response, report_only)
        if report_only:
            return parts
        if parts.config is None:
            parts.config = dict(STAFF if is_staff_page(request) else READERS)
        if request.is_secure():
            # A mirror without TLS, such as an onion service, has nothing to upgrade to.
            parts.config["upgrade-insecure-requests"] = True
        return parts

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        response = super().process_response(request, response)
        staff = is_staff_page(request)
        headers = response.headers
        # CSRF over TLS needs the referrer within the admin; readers' pages tell nobody.
        headers["Referrer-Policy"] = "same-origin" if staff else "no-referrer"
        headers["Permissions-Policy"] = PERMISSIONS[staff]
        # A feed's reader shows our pictures on pages of its own.
        picture = request.path.startswith(settings.MEDIA_URL)
        policy = "cross-origin" if picture else "same-origin"
        headers.setdefault("Cross-Origin-Resource-Policy", policy)
        # Else a browser may ask the network for each link's host before anybody follows it.
        headers["X-DNS-Prefetch-Control"] = "off"
        if staff:
            add_never_cache_headers(response)
        return response
