"""A tree that remembers what was asked of it.

Finding and preparing are pure functions of what they read. So when every remembered question has the same answer on
another tree, the result there is the same, and nothing needs to be read or parsed again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from gitops_bot.model.tree import Entry, Tree


class Reads(NamedTuple):
    """What was asked of a tree, with the answers."""

    entries: dict[str, str]
    """Path → object id with mode, ``""`` where nothing was."""
    directories: dict[str, str]
    """Directory that was listed → its object id, ``""`` where nothing was."""

    def hold_on(self, tree: Tree) -> bool:
        """True when the tree gives the same answer to every question."""
        return all(_mark(tree.entry(path)) == mark for path, mark in self.entries.items()) and all(
            _mark(tree.entry(path)) == mark for path, mark in self.directories.items()
        )

    def files(self) -> Iterator[str]:
        """The files, links and submodules that were asked for by path and were there."""
        return (path for path, mark in self.entries.items() if mark and not mark.startswith("040000 "))


def _mark(entry: Entry | None) -> str:
    return f"{entry.mode} {entry.oid}" if entry else ""


class TracedTree(Tree):
    """The same tree, remembering every question in ``reads``."""

    def __init__(self, tree: Tree) -> None:
        """Wrap a tree; its content is shared, not copied."""
        self.__dict__.update(tree.__dict__)
        self._tree = tree
        self.reads = Reads({}, {})

    def entry(self, path: str) -> Entry | None:
        """As ``Tree.entry``, remembered."""
        entry = self._tree.entry(path)
        self.reads.entries[path] = _mark(entry)
        return entry

    def below(self, directory: str) -> Iterator[str]:
        """As ``Tree.below``, remembered as one question about the whole directory."""
        self.reads.directories[directory] = _mark(self._tree.entry(directory))
        return self._tree.below(directory)

    def children(self, directory: str) -> Iterator[str]:
        """As ``Tree.children``, remembered as one question about the whole directory."""
        self.reads.directories[directory] = _mark(self._tree.entry(directory))
        return self._tree.children(directory)
