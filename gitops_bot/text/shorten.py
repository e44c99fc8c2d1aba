"""Shortening long diffs and long lists, always saying exactly what is left out. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Generic, NamedTuple, TypeVar

from gitops_bot.text.escape import visible

MOST_LINES = 200
"""Lines of one resource's diff that are shown; a longer diff is cut to this."""

GAP = "⋯"
"""Stands between two hunks, where unchanged lines are left out."""

MOST_NAMES = 4
"""Names of a list that are shown in a heading."""

MOST_MISSING = 20
"""Names of what was not rendered for one reason."""

_Item = TypeVar("_Item")

_HUNK = 64
"""A hunk's header is never longer than this."""

_CLUSTER = 8
"""Combining marks that stay with the character before them when a text is cut."""


class Cut(NamedTuple, Generic[_Item]):
    """The first items of a list and how many more there are."""

    items: tuple[_Item, ...]
    more: int


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
    clipped: int = 0
    """Lines that are shown without their end."""

    @property
    def whole(self) -> bool:
        """Whether nothing at all is missing."""
        return not self.left_out and not self.clipped

    @property
    def remark(self) -> str:
        """Say what was left out: ``512 more lines (500 added, 0 removed)``; ``""`` when nothing was."""
        said = []
        if self.left_out:
            lines = "line" if self.left_out == 1 else "lines"
            said.append(f"{self.left_out} more {lines} ({self.added} added, {self.removed} removed)")
        if self.clipped:
            said.append("the end of 1 long line" if self.clipped == 1 else f"the ends of {self.clipped} long lines")
        return ", ".join(said)


def least_length(diff: str) -> int:
    """A length that the shown diff will not be shorter than, found without looking at each line."""
    return len(diff) - _HUNK * (diff.count("\n@@") + 1)


def clip(text: str, most: int) -> str:
    """Show the first characters of a long text and count the rest; combining marks stay with their character."""
    if len(text) <= most + 40:  # saying what is missing takes as much room
        return text
    end = most
    while end < most + _CLUSTER and unicodedata.combining(text[end]):
        end += 1
    return f"{text[:end]}… ({len(text) - end} more characters)"


def cut(items: Sequence[_Item], most: int) -> Cut[_Item]:
    """Take the first items of a list and count the rest; a rest of one is taken too."""
    names, more = items[: most + 1], len(items) - most
    return Cut(tuple(names), 0) if more <= 1 else Cut(tuple(names[:most]), more)


def shorten_diff(diff: str, most: int | None = MOST_LINES) -> Shown:
    """Show the first ``most`` lines of a unified diff (None: all) and count the rest.

    Hunk headers become a ``GAP`` between hunks: they number the lines of a text that nobody has.
    """
    lines, end = _first_lines(diff, most)
    return _counted(diff, end, tuple(map(_drawn, lines)), 0)


def fitting_diff(diff: str, most: int | None, *, width: int | None, room: int) -> Shown | None:
    """As ``shorten_diff``, with lines cut to ``width`` characters (None: never).

    None, soon, where what is shown would have more than ``room`` characters.
    """
    if most is None and width is None and least_length(diff) > room:
        return None
    lines, end = _first_lines(diff, most)
    longest = room + 1 if width is None else width
    if sum(min(len(line), longest) for line in lines if not line.startswith("@@")) > room:
        return None  # lines only grow when they are made visible
    cut_off = lines if width is None else [clip(line, width) for line in lines]
    drawn = tuple(map(_drawn, cut_off))
    if sum(map(len, drawn)) > room:
        return None
    return _counted(diff, end, drawn, sum(short is not line for short, line in zip(cut_off, lines, strict=True)))


def lines_within(diff: str, room: int) -> int:
    """How many first lines of a diff take about so many characters."""
    return diff.count("\n", 0, max(room, 0))


def _first_lines(diff: str, most: int | None) -> tuple[list[str], int]:
    """The first lines after the first hunk's header, and where they end; without copying the rest."""
    last = len(diff) - diff.endswith("\n")
    start = diff.find("\n") + 1 or last if diff.startswith("@@") else 0
    end = last if most is None else start - 1
    for _ in range(most or 0):
        end = diff.find("\n", end + 1, last)
        if end < 0:
            end = last
            break
    return (diff[start:end].split("\n") if start < last and end >= start else []), max(end, 0)


def _drawn(line: str) -> str:
    return GAP if line.startswith("@@") else visible(line.replace("\t", "    "))


def _counted(diff: str, end: int, lines: tuple[str, ...], clipped: int) -> Shown:
    """Count what comes after the lines that are shown."""
    last = len(diff) - diff.endswith("\n")
    return Shown(
        lines=lines,
        added=diff.count("\n+", end, last),
        removed=diff.count("\n-", end, last),
        left_out=diff.count("\n", end, last) - diff.count("\n@@", end, last),
        clipped=clipped,
    )


def shorten_names(names: Sequence[str], most: int = MOST_NAMES) -> tuple[tuple[str, ...], int]:
    """Show the first names and count the rest; a rest of one is shown, since saying so takes as much room."""
    if len(names) <= most + 1:
        return tuple(names), 0
    return tuple(names[:most]), len(names) - most
