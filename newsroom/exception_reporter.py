"""Redacts Django's debug pages and its mails to ADMINS, which are both off by default."""

from __future__ import annotations

from collections.abc import ItemsView
from types import FrameType, TracebackType
from typing import Any

from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.views.debug import ExceptionReporter, SafeExceptionReporterFilter

from newsroom.log_redaction import redact


class HideVariablesFilter(SafeExceptionReporterFilter):
    """Hides local variables, which may hold an address."""

    def get_traceback_frame_variables(
        self, request: HttpRequest | None, tb_frame: FrameType
    ) -> ItemsView[str, Any]:
        return ItemsView({})


class RedactedExceptionReporter(ExceptionReporter):
    """A redacted traceback without the request."""

    def __init__(
        self,
        request: HttpRequest | None,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        tb: TracebackType | None,
        is_email: bool = False,
    ) -> None:
        super().__init__(None, exc_type, exc_value, tb, is_email=is_email)
        self.filter = HideVariablesFilter()

    def get_traceback_data(self) -> dict[str, Any]:
        # For a UnicodeError it quotes the text.
        return {**super().get_traceback_data(), "unicode_hint": ""}

    def get_traceback_html(self) -> SafeString:
        return SafeString(redact(super().get_traceback_html()))

    def get_traceback_text(self) -> SafeString:
        return SafeString(redact(super().get_traceback_text()))
