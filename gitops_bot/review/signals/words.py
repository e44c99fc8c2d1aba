"""How signals quote what stands in an object: one short line, whatever the object holds. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

MOST = 80
"""Characters of one quoted name."""
MOST_LISTED = 5
"""Names that are listed before the rest is counted."""


def short(value: Any) -> str:
    """A scalar on one line, cut at ``MOST`` characters; what is no scalar is not shown at all."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        # Python refuses to write out enormous numbers.
        return str(value) if -(10**18) < value < 10**18 else "a very large number"
    if isinstance(value, float):
        return repr(value)
    if value is None:
        return "nothing"
    if not isinstance(value, str):
        return "something else"
    text = value if len(value) <= MOST else value[: MOST - 1] + "…"
    return (
        text
        if text.isprintable()
        else "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    )


def listed(names: Iterable[str], most: int = MOST_LISTED) -> str:
    """Names in order, each once: ``a, b and 3 more``."""
    found = sorted(set(names))
    kept = found if len(found) <= most + 1 else found[:most]
    rest = len(found) - len(kept)
    return ", ".join(short(name) for name in kept) + (f" and {rest:,} more" if rest else "")
