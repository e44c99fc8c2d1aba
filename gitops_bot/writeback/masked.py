"""Both sides of a changed file with its secrets masked, for people to compare. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from gitops_bot.writeback.editor.address import Address
from gitops_bot.writeback.editor.edit import Edit, edit
from gitops_bot.writeback.editor.leaves import MASK, Leaf, leaves, shown
from gitops_bot.writeback.editor.problems import EditRefused

_CHANGED = "<secret, changed>"
_NOT_SHOWN = b"(not shown: it may hold secrets, and cannot be read as YAML)\n"


def masked(before: bytes, after: bytes) -> tuple[bytes, bytes]:
    """A file before and after a change with every value masked that is a secret by its name or its looks.

    That one of them changes is seen, what it is never. What cannot be read as YAML is not shown at all.
    """
    try:
        old, new = leaves(before), leaves(after)
        return _masked(before, old, new, MASK), _masked(after, new, old, _CHANGED)
    except EditRefused:
        return (b"", _NOT_SHOWN) if before != after else (b"", b"")


def _masked(data: bytes, own: Mapping[Address, Leaf], other: Mapping[Address, Leaf], changed: str) -> bytes:
    secret = [at for at, leaf in own.items() if shown(at, leaf) == MASK]
    edits = [Edit(address=at, value=MASK if own[at] == other.get(at) else changed) for at in secret]
    return edit(data, edits).data if edits else data
