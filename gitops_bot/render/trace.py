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
    """Path → mode and object id, ``""`` where nothing was. Of a directory only that it is one: its object id would
    tell of files that were never asked for, so what depends on a directory's content must list it."""
    directories: dict[str, str]
    """Directory that was listed → its object id, ``""`` where nothing was."""

    def hold_on(self, tree: Tree) -> bool:
        """True when the tree gives the same answer to every question."""
        return all(_mark(tree.entry(path)) == mark for path, mark in self.entries.items()) and all(
            _content(tree.entry(path)) == mark for path, mark in self.directories.items()
        )

    def files(self) -> Iterator[str]:
        """The files, links and submodules that were asked for by path and were there."""
        return (path for path, mark in self.entries.items() if mark and mark != _DIRECTORY)


_DIRECTORY = "directory"


def _mark(entry: Entry | None) -> str:
    if entry is None:
        return ""
    return _DIRECTORY if entry.is_directory else f"{entry.mode} {entry.oid}"


def _content(entry: Entry | None) -> str:
    return entry.oid if entry else ""


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
        self.reads.directories[directory] = _content(self._tree.entry(directory))
        return self._tree.below(directory)

    def children(self, directory: str) -> Iterator[str]:
        """As ``Tree.children``, remembered as one question about the whole directory."""
        self.reads.directories[directory] = _content(self._tree.entry(directory))
        return self._tree.children(directory)
