"""The values that a promotion copies from one environment's files to another's: byte-exact, all or none. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import msgspec

from gitops_bot.model.tree import PathEscape, Tree
from gitops_bot.model.writeback import FileChange
from gitops_bot.writeback.editor.address import Address, Key, Step, parse
from gitops_bot.writeback.editor.edit import Edit, edit
from gitops_bot.writeback.editor.leaves import Leaf, leaf_of, leaves
from gitops_bot.writeback.editor.problems import EditRefused, Problem
from gitops_bot.writeback.editor.read import read
from gitops_bot.writeback.editor.scalar import Kind
from gitops_bot.writeback.environments import Pair
from gitops_bot.writeback.subjects import Moved


class Copying(msgspec.Struct, frozen=True, kw_only=True):
    """What a promotion writes."""

    files: tuple[FileChange, ...] = ()
    """In order of path; empty when the target has everything already."""
    moved: tuple[Moved, ...] = ()
    """Values that change, in order of file and then of the source's file."""
    same: tuple[Moved, ...] = ()
    """Values that are copied and were the same already."""
    notes: tuple[str, ...] = ()
    """What the editor says about single edits, and patterns that name nothing."""


def copy_values(pairs: Sequence[Pair], patterns: Sequence[str], source: Tree, target: Tree) -> Copying:
    """Copy what the patterns name from every source file to its counterpart.

    ``patterns`` are addresses; one that leads to a mapping means everything below it, and ``*`` stands for any key:
    ``image.tag``, ``model.*``. A value that the source does not set but the target does is refused, because the old
    one would stay in force beside the new ones. A file that the target does not have is left out, and named in the
    notes; where it has none of them, that is refused.

    Raises EditRefused with every problem, AddressError for a pattern that is no address.
    """
    wanted = [(text, parse(text)) for text in patterns]
    used: set[str] = set()
    problems: list[Problem] = []
    files: list[FileChange] = []
    moved: list[Moved] = []
    same: list[Moved] = []
    notes: list[str] = []
    absent: list[Pair] = []
    there = False
    for pair in pairs:
        try:
            one = _Copy(pair, _read(source, pair.source), target)
            chosen = one.choose(wanted)
            used |= chosen
            if chosen and one.absent:
                absent.append(pair)
                continue
            there |= bool(chosen)
            change = one.make()
        except EditRefused as error:
            problems += [problem if problem.file else problem._replace(file=pair.source) for problem in error.problems]
            continue
        files += [change] if change else []
        moved += one.moved
        same += one.same
        notes += one.notes
    if there:
        notes += [f"{pair.target} is not there, so nothing of {pair.source} is copied" for pair in absent]
    else:
        problems += [_no_file(pair) for pair in absent]
    for text in patterns:
        if text not in used and not problems:
            notes.append(f"{text} is in none of the files that are copied from")
    if pairs and not used and not problems:
        problems = [Problem(f"none of {', '.join(patterns) or 'the paths to copy'} is in it", file=pairs[0].source)]
    if problems:
        raise EditRefused(problems)
    return Copying(files=tuple(files), moved=tuple(moved), same=tuple(same), notes=tuple(dict.fromkeys(notes)))


def _no_file(pair: Pair) -> Problem:
    return Problem(f"it is no file, and {pair.source} is copied to it", file=pair.target)


class _Copy:
    """One pair of files."""

    def __init__(self, pair: Pair, data: bytes, target: Tree) -> None:
        self.pair = pair
        self.data = data
        self.source = leaves(data)
        real = _resolved(target, pair.target)
        entry = target.entry(real) if real is not None else None
        self.real = real or pair.target
        """The file itself, with symbolic links followed."""
        self.present = entry is not None and entry.is_file
        """Whether the target has its file."""
        self.absent = real is None and target.entry(pair.target) is None
        """Whether nothing at all is in its place."""
        self.mode = entry.mode if entry else ""
        self.before = target.read(pair.target) if self.present else b""
        try:
            self.target = leaves(self.before)
        except EditRefused as error:
            raise EditRefused(problem._replace(file=pair.target) for problem in error.problems) from None
        self.chosen: dict[Address, Leaf] = {}
        self.moved: list[Moved] = []
        self.same: list[Moved] = []
        self.notes: list[str] = []

    def choose(self, wanted: Sequence[tuple[str, Address]]) -> set[str]:
        """Find every value to copy; the texts of the patterns that name something. Raises EditRefused."""
        used: set[str] = set()
        problems: list[Problem] = []
        for text, pattern in wanted:
            found = named(self.data, self.source, pattern)
            self.chosen |= found
            used |= {text} if found else set()
            if not self.present:
                continue
            left = [address for address in named(self.before, self.target, pattern) if address not in found]
            problems += [
                Problem(
                    f"{self.pair.source} does not set it, so the old value would stay; set it there or remove it here",
                    str(address),
                    file=self.pair.target,
                )
                for address in left
            ]
        if self.chosen and not self.present and not self.absent:
            problems = [_no_file(self.pair)]
        if problems:
            raise EditRefused(problems)
        return used

    def make(self) -> FileChange | None:
        """Write what differs; None when nothing does. Raises EditRefused."""
        edits: list[Edit] = []
        problems: list[Problem] = []
        for address, leaf in self.chosen.items():
            old = self.target.get(address, _at(self.before, address))
            change = Moved(self.pair.target, address, old, leaf)
            if old == leaf:
                self.same.append(change)
            elif leaf.was == "null":
                problems.append(
                    Problem("it is empty (null), which cannot be copied", str(address), file=self.pair.source)
                )
            else:
                self.moved.append(change)
                edits.append(Edit(address=address, value=leaf.text, kind=cast("Kind", leaf.was)))
        if problems:
            raise EditRefused(problems)
        if not edits:
            return None
        try:
            edited = edit(self.before, edits, create=True)
        except EditRefused as error:
            raise EditRefused(problem._replace(file=self.pair.target) for problem in error.problems) from None
        for outcome in edited.outcomes:
            self.notes += [f"{self.pair.target}: {outcome.address}: {note}" for note in outcome.notes]
        return FileChange(path=self.real, content=edited.data, mode=self.mode) if edited.changed else None


def _read(tree: Tree, path: str) -> bytes:
    """A file's content. Raises EditRefused where there is none, or a link that leads nowhere."""
    try:
        return tree.read(path)
    except (FileNotFoundError, PathEscape):
        raise EditRefused([Problem("it is no file", file=path)]) from None


def _resolved(tree: Tree, path: str) -> str | None:
    try:
        return tree.resolve(path)
    except PathEscape as error:
        raise EditRefused([Problem(str(error), file=path)]) from None


def named(data: bytes, found: Mapping[Address, Leaf], pattern: Address) -> dict[Address, Leaf]:
    """The values of a file that a pattern names, in the order of the file."""
    steps = pattern.paths[-1]
    plain = len(pattern.paths) == 1 and pattern.document is None
    if not any(step == Key("*") for step in steps):
        value = read(data, pattern)
        if value is not None:
            return {pattern: leaf_of(value)}
    if not plain:
        return {}
    return {address: leaf for address, leaf in found.items() if _below(address.paths[0], steps)}


def _below(path: tuple[Step, ...], pattern: tuple[Step, ...]) -> bool:
    """Whether a path is what the pattern names, or lies below it."""
    return len(path) >= len(pattern) and all(
        wanted in (Key("*"), step) for step, wanted in zip(path, pattern, strict=False)
    )


def _at(data: bytes, address: Address) -> Leaf | None:
    value = read(data, address)
    return leaf_of(value) if value else None
