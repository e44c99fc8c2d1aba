"""What a proposal would still change in a state of a branch. Pure but for reading the files it names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from gitops_bot.model.writeback import FileChange, Head, Proposal

Made = Proposal | Literal["newer"] | None
"""A proposal; None: the state says already what is wanted; ``newer``: it says something newer, which has to stay."""
Make = Callable[[Head], Made]
"""Makes the proposal from a state of a branch, of the base as well as of an open pull request's own branch."""


def wanted(made: Made) -> Proposal | None:
    """What is to be written, None for nothing."""
    return made if isinstance(made, Proposal) else None


def reduced(head: Head, proposal: Proposal | None) -> Proposal | None:
    """The proposal without files that are so already, in order of path; None when none is left."""
    if proposal is None:
        return None
    files = tuple(sorted((one for one in proposal.files if not says(head, one)), key=lambda one: one.path))
    return msgspec.structs.replace(proposal, files=files) if files else None


def says(head: Head, change: FileChange) -> bool:
    """Whether a state of a branch has a file as a change wants it: content and mode, or that it is gone."""
    entry = head.tree.entry(change.path)
    if change.content is None:
        return entry is None
    if entry is None or entry.mode != change.mode:
        return False
    return head.tree.blobs([entry.oid])[entry.oid] == change.content


def is_plain(head: Head, change: FileChange) -> bool:
    """Whether a change needs no file mode to be said: what GitHub commits to a branch in one step has none."""
    entry = head.tree.entry(change.path)
    return change.content is None or (change.mode == "100644" and (entry is None or entry.mode == "100644"))
