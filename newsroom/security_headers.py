"""Security headers of every response.

Public pages run no script and load from their own host only. The admin's policy allows what Unfold
needs, and pages with the editor what CKEditor 4 needs.
"""

from __future__ import annotations

from typing import Any

from csp.constants import NONE, SELF, UNSAFE_EVAL
from csp.middleware import CSPMiddleware, PolicyParts
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import add_never_cache_headers

from core.http import is_admin_request

Policy = dict[str, Any]

PUBLIC_POLICY: Policy = {
    "default-src": [NONE],
    "style-src": [SELF],
    "img-src": [SELF],
    # For browsers' own tools, which fetch robots.txt.
    "connect-src": [SELF],
    "form-action": [SELF],
    "base-uri": [NONE],
    "frame-ancestors": [NONE],
    "require-trusted-types-for": ["'script'"],
    "trusted-types": [NONE],
}
ADMIN_POLICY: Policy = {
    "default-src": [NONE],
    # Alpine, in Unfold, evaluates the expressions of its attributes.
    "script-src": [SELF, UNSAFE_EVAL],
    "style-src": [SELF],
    "img-src": [SELF],
    "font-src": [SELF],
    "connect-src": [SELF],
    "form-action": [SELF],
    "base-uri": [NONE],
    "frame-ancestors": [NONE],
}
# Known to Chromium, which logs an error for unknown names.
DENIED_FEATURES = (
    *("accelerometer", "autoplay", "bluetooth", "browsing-topics", "camera", "display-capture"),
    *("encrypted-media", "fullscreen", "geolocation", "gyroscope", "hid", "idle-detection"),
    *("local-fonts", "magnetometer", "microphone", "midi", "payment", "picture-in-picture"),
    *("screen-wake-lock", "serial", "usb", "xr-spatial-tracking"),
)
PASSKEYS = ("publickey-credentials-get", "publickey-credentials-create")


def _permissions(passkeys: str) -> str:
    return ", ".join(
        [f"{name}=()" for name in DENIED_FEATURES] + [f"{name}=({passkeys})" for name in PASSKEYS]
    )


PERMISSIONS = {is_admin: _permissions("self" if is_admin else "") for is_admin in (False, True)}


class SecurityHeadersMiddleware(CSPMiddleware):
    """The outermost middleware, for files, redirects and errors too."""

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        """Keeps the policy of a view that sets its own."""
        parts = super().get_policy_parts(request, response, report_only)
        if report_only:
            return parts
        if parts.config is None:
            parts.config = dict(ADMIN_POLICY if is_admin_request(request) else PUBLIC_POLICY)
        if request.is_secure():
            # Not on mirrors without TLS, such as an onion service.
            parts.config["upgrade-insecure-requests"] = True
        return parts

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        response = super().process_response(request, response)
        is_admin = is_admin_request(request)
        headers = response.headers
        # Django's CSRF check needs the Referer in the admin.
        headers["Referrer-Policy"] = "same-origin" if is_admin else "no-referrer"
        headers["Permissions-Policy"] = PERMISSIONS[is_admin]
        # Feed readers embed pictures.
        is_media = request.path.startswith(settings.MEDIA_URL)
        policy = "cross-origin" if is_media else "same-origin"
        headers.setdefault("Cross-Origin-Resource-Policy", policy)
        # Else browsers resolve the hosts of links in advance.
        headers["X-DNS-Prefetch-Control"] = "off"
        if is_admin:
            add_never_cache_headers(response)
        return response
