"""Shortening long diffs and long lists, always saying exactly what is left out. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gitops_bot.text.escape import visible

MOST_LINES = 200
"""Lines of one resource's diff that are shown; a longer diff is cut to this."""

GAP = "⋯"
"""Stands between two hunks, where unchanged lines are left out."""

MOST_NAMES = 4
"""Names of a list that are shown in a heading."""

MOST_MISSING = 20
"""Names of what was not rendered for one reason."""


class Shown(NamedTuple):
    """The lines of a diff that are shown, and what is not."""

    lines: tuple[str, ...]
    """Visible text, one line each."""
    added: int
    """Lines with ``+`` that were left out."""
    removed: int
    """Lines with ``-`` that were left out."""
    left_out: int
    """All lines that were left out."""

    @property
    def remark(self) -> str:
        """Say what was left out: ``512 more lines (500 added, 0 removed)``; ``""`` when nothing was."""
        if not self.left_out:
            return ""
        lines = "line" if self.left_out == 1 else "lines"
        return f"{self.left_out} more {lines} ({self.added} added, {self.removed} removed)"


def shorten_diff(diff: str, most: int = MOST_LINES) -> Shown:
    """Show the first ``most`` lines of a unified diff and count the rest.

    Hunk headers become a ``GAP`` between hunks: they number the lines of a text that nobody has.
    """
    text = diff.removesuffix("\n")
    if text.startswith("@@"):
        text = text.partition("\n")[2]
    if not text:
        return Shown(lines=(), added=0, removed=0, left_out=0)
    lines = text.split("\n", most)
    rest = "\n" + lines.pop() if len(lines) > most else ""
    return Shown(
        lines=tuple(GAP if line.startswith("@@") else visible(line.replace("\t", "    ")) for line in lines),
        added=rest.count("\n+"),
        removed=rest.count("\n-"),
        left_out=rest.count("\n") - rest.count("\n@@"),
    )


def shorten_names(names: Sequence[str], most: int = MOST_NAMES) -> tuple[tuple[str, ...], int]:
    """Show the first names and count the rest; a rest of one is shown, since saying so takes as much room."""
    if len(names) <= most + 1:
        return tuple(names), 0
    return tuple(names[:most]), len(names) - most
