"""How much a comment tells: the rungs of its ladder."""

from __future__ import annotations

import msgspec


class Detail(msgspec.Struct, frozen=True, kw_only=True):
    """One rung: the limits that every piece is made within."""

    level: int
    """0 tells everything, 4 only counts."""
    lines: int | None = None
    """Most lines of one resource's diff, None for all."""
    width: int | None = None
    """Most characters of one line of a diff, None for all."""
    one_liners: bool = False
    """Whether changes that are neither risky nor alone in their kind get one line instead of a diff."""
    items: int
    """Most entries of a list: failures, risks, images, folded changes."""
    apps: int
    """Most rows of the table of apps."""
    names: int
    """Most names that are spelled out for one change."""
    characters: int
    """Most characters of one message."""


LADDER = (
    Detail(level=0, items=100, apps=0, names=200, characters=2_000),
    Detail(level=1, lines=40, width=500, items=60, apps=0, names=60, characters=1_000),
    Detail(level=2, lines=25, width=300, one_liners=True, items=30, apps=0, names=20, characters=500),
    Detail(level=3, lines=25, width=200, one_liners=True, items=10, apps=15, names=8, characters=300),
    Detail(level=4, items=3, apps=0, names=0, characters=160),
)
"""Everything; shorter diffs; diffs of risky and single changes, one line for others; apps, and as many changes as fit;
counts."""

ROOMY_LADDER = tuple(
    msgspec.structs.replace(rung, items=rung.items * 5, apps=rung.apps * 10, characters=rung.characters * 2)
    for rung in LADDER
)
"""The same for places that hold fifteen times as much."""


def squeezed(rung: Detail) -> Detail:
    """Halve the limits of a rung's lists and messages."""
    return msgspec.structs.replace(
        rung, items=rung.items // 2, apps=rung.apps // 2, characters=max(rung.characters // 2, 80)
    )
