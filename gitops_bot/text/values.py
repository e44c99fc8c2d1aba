"""Values of fields in one line: short ones as they are, long ones by what they are. Pure."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import msgspec

from gitops_bot.model.change import FieldChange
from gitops_bot.text.shorten import clip

_MOST = 60
"""Characters of a value."""
_PATH = 200


class FieldValues(NamedTuple):
    """A field and both of its values as text."""

    path: str
    before: str
    after: str

    @property
    def values(self) -> bool:
        """Whether the values say more than that something differs."""
        return self.before != self.after


def field_values(field: FieldChange) -> FieldValues:
    """Show one field: ``spec.replicas``, ``3``, ``5``; ``(none)`` for a side that has none."""
    return FieldValues(clip(field.path, _PATH), one_line(field.before), one_line(field.after))


def one_line(value: Any) -> str:
    """Show a value in one line: text as it is, ``3 items``, ``2 fields``, ``12 lines`` for what is longer."""
    if value is msgspec.UNSET:
        return "(none)"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        lines = value.count("\n")
        return f"({lines + 1} lines)" if lines > 1 else clip(value, _MOST) or '""'
    if isinstance(value, dict):
        return "{}" if not value else f"({len(value)} {'field' if len(value) == 1 else 'fields'})"
    if isinstance(value, list | tuple):
        return "[]" if not value else f"({len(value)} {'item' if len(value) == 1 else 'items'})"
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    return clip(repr(value), _MOST) if not isinstance(value, int) or abs(value) < 10**60 else "(a long number)"
