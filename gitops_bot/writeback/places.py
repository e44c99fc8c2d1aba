"""Where values stand in a tree, so that two ways of writing one place are known as one. Pure.

A file may be named through symbolic links, and a value as ``images[0].newTag`` or as ``images[name=api].newTag``.
"""

from __future__ import annotations

from typing import NamedTuple

from gitops_bot.manifests.yaml import YamlError
from gitops_bot.model.tree import PathEscape, Tree
from gitops_bot.writeback.editor.address import Address
from gitops_bot.writeback.editor.leaves import Leaf, leaf_of
from gitops_bot.writeback.editor.nodes import Stream, decode
from gitops_bot.writeback.editor.problems import Refusal
from gitops_bot.writeback.editor.read import Value, follow
from gitops_bot.writeback.editor.values import was


class Spot(NamedTuple):
    """One value of a tree; equal for all ways to write where it stands."""

    file: str
    """With symbolic links followed."""
    node: tuple[int, int, int] | str
    """Which value of the file; for one that is not there the words of its address."""


class Places:
    """Looks for values in one tree; every file is read once."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self._streams: dict[str, Stream | None] = {}

    def real(self, file: str) -> str:
        """The file that a path leads to; the path itself where it leads to none."""
        try:
            return self.tree.resolve(file) or file
        except PathEscape:
            return file

    def data(self, file: str) -> bytes:
        """The content of a file, ``b""`` where there is none."""
        try:
            return self.tree.read(file)
        except (FileNotFoundError, PathEscape):
            return b""

    def spot(self, file: str, address: Address) -> Spot:
        """Where an address of a file leads to."""
        real = self.real(file)
        found = self._follow(real, address)
        if found is None:
            return Spot(real, str(address))
        _stream, node, before = found
        return Spot(real, (len(address.paths), before, node))

    def leaf(self, file: str, address: Address) -> Leaf | None:
        """The single value at an address, None where there is none."""
        found = self._follow(self.real(file), address)
        if found is None:
            return None
        stream, node, _before = found
        real = stream.resolved(node)
        if stream.kind(real) != "scalar":
            return None
        return leaf_of(Value(address, stream.value(real), was(stream, real), stream.line(node)))

    def _follow(self, real: str, address: Address) -> tuple[Stream, int, int] | None:
        """The text, the node in it, and the lines before that text; None where the address leads to nothing."""
        if real not in self._streams:
            try:
                self._streams[real] = Stream(decode(self.data(real))[0])
            except YamlError:
                self._streams[real] = None
        outer = self._streams[real]
        if outer is None:
            return None
        try:
            stream, place, before = follow(outer, address)
        except Refusal:
            return None
        return None if place.rest else (stream, place.node, before)
