"""Columns for people: as wide as they must be, nothing cut, harmless whatever stands in them. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from gitops_bot.text.escape import visible


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lines of aligned columns with their headings, ``""`` without rows; ends in a line feed."""
    if not rows:
        return ""
    shown = [tuple(headings), *(tuple(visible(cell) or "-" for cell in row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in shown
    )  # fmt: skip
    return "\n".join(lines) + "\n"


def pairs(rows: Sequence[tuple[str, str]]) -> str:
    """Names and values, one a line, values under one another; those without a value are left out."""
    given = [(name, visible(value)) for name, value in rows if value]
    width = max((len(name) for name, _ in given), default=0)
    return "".join(f"{name.ljust(width)}  {value}\n" for name, value in given)
