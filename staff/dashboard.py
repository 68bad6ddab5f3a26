"""What the admin's first page shows. Each app adds its own panels, so that none knows another."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest

MOST = 8
"""Rows of a panel; behind them a link leads to all."""


@dataclass(frozen=True)
class Panel:
    """One box on the first page."""

    title: str
    template: str
    context: dict[str, Any] = field(default_factory=dict)
    is_wide: bool = False


Maker = Callable[[HttpRequest, dt.datetime], Panel | None]
"""None where there is nothing to show to this person."""

_makers: list[tuple[int, Maker]] = []


def panel(position: int) -> Callable[[Maker], Maker]:
    """Registers the function that makes a panel; a lower position stands first."""

    def register(maker: Maker) -> Maker:
        _makers.append((position, maker))
        _makers.sort(key=lambda one: one[0])
        return maker

    return register


def panels(request: HttpRequest, now: dt.datetime) -> list[Panel]:
    """What this person sees, in order."""
    made = (maker(request, now) for _position, maker in _makers)
    return [one for one in made if one is not None]
