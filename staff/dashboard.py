"""The panels of the admin's index. Each app registers its own."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest

MAX_PANEL_ROWS = 8
"""A link leads to the rest."""


@dataclass(frozen=True)
class Panel:
    """One box on the index."""

    title: str
    template: str
    context: dict[str, Any] = field(default_factory=dict)
    is_wide: bool = False


PanelFactory = Callable[[HttpRequest, dt.datetime], Panel | None]
"""Returns None if there is nothing to show to this user."""

_factories: list[tuple[int, PanelFactory]] = []


def register_panel(position: int) -> Callable[[PanelFactory], PanelFactory]:
    """Decorates a function that makes a panel; lower positions come first."""

    def register(factory: PanelFactory) -> PanelFactory:
        _factories.append((position, factory))
        _factories.sort(key=lambda one: one[0])
        return factory

    return register


def panels(request: HttpRequest, now: dt.datetime) -> list[Panel]:
    """What this user sees, in order."""
    made = (factory(request, now) for _position, factory in _factories)
    return [one for one in made if one is not None]
