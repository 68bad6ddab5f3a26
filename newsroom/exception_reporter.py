"""What Django's own page about an exception shows, or its mail to ADMINS, should anybody turn
either on: where it happened, and nothing of whom it happened to."""

from __future__ import annotations

from collections.abc import ItemsView
from types import FrameType, TracebackType
from typing import Any

from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.views.debug import ExceptionReporter, SafeExceptionReporterFilter

from newsroom.log_redaction import mask


class NoVariables(SafeExceptionReporterFilter):
    """Hides every local variable: one of them is often the address."""

    def get_traceback_frame_variables(
        self, request: HttpRequest | None, tb_frame: FrameType
    ) -> ItemsView[str, Any]:
        return ItemsView({})


class MaskedReporter(ExceptionReporter):
    """A traceback without the request, which carries what was typed and by whom."""

    def __init__(
        self,
        request: HttpRequest | None,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        tb: TracebackType | None,
        is_email: bool = False,
    ) -> None:
        super().__init__(None, exc_type, exc_value, tb, is_email=is_email)
        self.filter = NoVariables()

    def get_traceback_data(self) -> dict[str, Any]:
        # Of a text that cannot be decoded it shows the characters around.
        return {**super().get_traceback_data(), "unicode_hint": ""}

    def get_traceback_html(self) -> SafeString:
        return SafeString(mask(super().get_traceback_html()))

    def get_traceback_text(self) -> SafeString:
        return SafeString(mask(super().get_traceback_text()))
