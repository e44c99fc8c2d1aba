"""Trees of Git repositories that stay open from one run to the next: a commit id never means anything else."""

from __future__ import annotations

import threading
from typing import NamedTuple

from gitops_bot.doors.git import Repository
from gitops_bot.model.tree import Tree
from gitops_bot.model.url import Url


class _Open(NamedTuple):
    repository: Repository
    tree: Tree


class OpenTrees:
    """Trees by repository and commit; safe under many threads.

    As long as somebody uses any of them all stay open. When nobody does, those that were used last stay.
    """

    def __init__(self, kept: int = 0) -> None:
        """Take how many stay open when nobody uses any."""
        self._kept = kept
        self._lock = threading.Lock()
        self._users = 0
        self._open: dict[tuple[Url, str], _Open] = {}
        """In the order of their last use."""

    def begin(self) -> None:
        """Say that trees are used, until ``end``."""
        with self._lock:
            self._users += 1

    def end(self) -> None:
        """Say that the trees that were taken since ``begin`` are not read any more."""
        with self._lock:
            self._users -= 1
            names = list(self._open)[: len(self._open) - self._kept] if not self._users else []
            closing = [self._open.pop(name) for name in names]
        for each in closing:
            each.repository.close()

    def close(self) -> None:
        """Close all of them: nobody uses any."""
        with self._lock:
            closing, self._open = list(self._open.values()), {}
        for each in closing:
            each.repository.close()

    def find(self, url: Url, commit: str) -> Tree | None:
        """A tree that is open, None for one that is not."""
        with self._lock:
            found = self._open.pop((url, commit), None)
            if found is None:
                return None
            self._open[url, commit] = found
            return found.tree

    def keep(self, url: Url, commit: str, repository: Repository, tree: Tree) -> Tree:
        """Take a tree with the repository that it is read from; the tree to use: that of another who was faster."""
        with self._lock:
            known = self._open.setdefault((url, commit), _Open(repository, tree))
        if known.repository is not repository:
            repository.close()
        return known.tree
