"""Trees of commits that stay open from one run to the next: a commit id never means anything else."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from gitops_bot.doors.cached_tree import CachedRepository
from gitops_bot.model.tree import Tree


class Open(NamedTuple):
    """A tree, and the repository that its files are read from."""

    repository: CachedRepository
    tree: Tree


class OpenTrees:
    """Trees by the cache's repository and commit; safe under many threads.

    As long as somebody uses any of them all stay open. When nobody does, those that were used last stay.
    """

    def __init__(self, kept: int = 0) -> None:
        """Take how many stay open when nobody uses any."""
        self._kept = kept
        self._lock = threading.Lock()
        self._users = 0
        self._open: dict[tuple[Path, str], Open] = {}
        """In the order of their last use."""

    def begin(self) -> None:
        """Say that trees are used, until ``end``."""
        with self._lock:
            self._users += 1

    def end(self) -> None:
        """Say that the trees that were taken since ``begin`` are not read any more."""
        with self._lock:
            self._users -= 1
            names = list(self._open)[: max(0, len(self._open) - self._kept)] if not self._users else []
            closing = [self._open.pop(name) for name in names]
        for each in closing:
            each.repository.close()

    def close(self) -> None:
        """Close all of them: nobody uses any."""
        self._close(lambda _: True)

    def drop(self, directory: Path) -> None:
        """Close those of one repository: it is going away, and who reads them finds them damaged."""
        self._close(lambda each: each == directory)

    def _close(self, which: Callable[[Path], bool]) -> None:
        with self._lock:
            closing = [self._open.pop(name) for name in list(self._open) if which(name[0])]
        for each in closing:
            each.repository.close()

    def find(self, directory: Path, commit: str) -> Open | None:
        """A tree that is open, None for one that is not."""
        with self._lock:
            found = self._open.pop((directory, commit), None)
            if found is not None:
                self._open[directory, commit] = found
            return found

    def keep(self, directory: Path, commit: str, opened: Open) -> Open:
        """Take a tree; the one to use: that of another who was faster."""
        with self._lock:
            known = self._open.setdefault((directory, commit), opened)
        if known is not opened:
            opened.repository.close()
        return known
