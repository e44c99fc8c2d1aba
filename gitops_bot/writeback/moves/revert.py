"""Undo a change in a file that has moved on: by its values, else by its text, or not at all. Pure.

The change is given by the file before it and after it; what it did is undone in the file as it is now. Values are put
back where they stand now, so that it does not matter what else was written around them. Whichever way it is done, it is
proved: the values that the change touched read as before it, and every other one as it does now.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple, cast

from gitops_bot.model.tree import Tree
from gitops_bot.model.writeback import FileChange
from gitops_bot.writeback.editor.address import Address
from gitops_bot.writeback.editor.edit import Edit, edit
from gitops_bot.writeback.editor.leaves import Leaf, by_place, leaves, shown
from gitops_bot.writeback.editor.problems import EditRefused, Problem
from gitops_bot.writeback.editor.scalar import Kind
from gitops_bot.writeback.subjects import Moved

Merge = Callable[[bytes, bytes, bytes], bytes | None]
"""A three-way merge of texts: ours, base, theirs → the merged text, or None where they conflict."""

_YAML = (".yaml", ".yml", ".json")
_LIKENESS = 0.5
"""Share of lines that a file must have kept to be the same under another name, as Git has it."""
_CANDIDATES = 200
"""New files that are looked at for a renamed one."""


class Reverted(NamedTuple):
    """One file with a change undone."""

    change: FileChange
    moved: tuple[Moved, ...]
    """Values as they are now and as they were before the change, in the order of the file."""
    how: Literal["values", "text"]
    notes: tuple[str, ...] = ()


def revert(path: str, before: Tree, after: Tree, now: Tree, merge: Merge) -> Reverted | None:
    """Undo in ``now`` what led from ``before`` to ``after`` in the file at ``path``; None where nothing is left of it.

    A file that was renamed since is found. Raises EditRefused that says what changed again.
    """
    good, bad = _content(before, path), _content(after, path)
    if good == bad:
        return None
    if good is None or bad is None:
        return _whole(path, before, after, now)
    there = path
    notes: tuple[str, ...] = ()
    if path not in now:
        there = renamed(path, after, now)
        notes = (f"{path} is {there} now",)
    mine = _content(now, there)
    if mine is None:
        raise EditRefused([Problem("it is no file any more", file=there)])
    work = _Undo(there, good, bad, mine)
    made = work.by_values() or work.by_text(merge)
    if made is None or made[0] == mine:
        return None
    entry = now.entry(there)
    mode = entry.mode if entry else "100644"
    return Reverted(FileChange(path=there, content=made[0], mode=mode), work.moved(made[0]), made[1], notes)


def renamed(path: str, after: Tree, now: Tree) -> str:
    """The name that a file has now, by its content. Raises EditRefused when it is gone, or cannot be told."""
    was = after.entries[path]
    ending = path.rpartition(".")[2]
    new = [each for each in sorted(now.entries) if each not in after.entries and each.endswith(ending)]
    new = [each for each in new if now.entries[each].is_file]
    exact = [each for each in new if now.entries[each].oid == was.oid]
    if len(exact) == 1:
        return exact[0]
    lines = Counter(after.blobs([was.oid])[was.oid].splitlines())
    scores = sorted(((_likeness(lines, now.read(each)), each) for each in (exact or new)[:_CANDIDATES]), reverse=True)
    likely = [(score, each) for score, each in scores if score >= _LIKENESS]
    if not likely:
        raise EditRefused([Problem("the file is gone since, and no other looks like it", file=path)])
    if len(likely) > 1 and likely[0][0] == likely[1][0]:
        both = f"{likely[1][1]} and {likely[0][1]}"
        raise EditRefused([Problem(f"the file is gone since, and both {both} look like it", file=path)])
    return likely[0][1]


def _new_name(path: str, before: Tree, after: Tree) -> str:
    """The name that a change gave a file, ``""`` when it took the file out."""
    try:
        return renamed(path, before, after)
    except EditRefused:
        return ""


def _likeness(lines: Counter[bytes], data: bytes) -> float:
    """Share of lines that two files have in common, from 0 to 1."""
    other = Counter(data.splitlines())
    total = max(lines.total(), other.total())
    return (lines & other).total() / total if total else 1.0


def _content(tree: Tree, path: str) -> bytes | None:
    entry = tree.entry(path)
    return tree.read(path) if entry is not None and entry.is_file else None


def _whole(path: str, before: Tree, after: Tree, now: Tree) -> Reverted | None:
    """Undo that a file was added or taken out."""
    good, bad, mine = (_content(tree, path) for tree in (before, after, now))
    if mine == good:
        return None
    there = now.entry(path)
    if there is not None and there.is_directory:
        raise EditRefused([Problem("it is a directory now", file=path)])
    if bad is None and (name := _new_name(path, before, after)):
        raise EditRefused([Problem(f"the change renamed the file to {name} and changed it as well", file=path)])
    if mine != bad:
        what = "added" if good is None else "taken out"
        raise EditRefused([Problem(f"the file was {what} by the change and has changed again since", file=path)])
    entry = before.entry(path)
    change = FileChange(path=path, content=good, mode=entry.mode if entry else "100644")
    return Reverted(change, _moved(path, _leaves(path, mine), _leaves(path, good)), "text")


def _leaves(path: str, content: bytes | None) -> Mapping[Address, Leaf] | None:
    """The values of a YAML file; None where it is none or cannot be read as one."""
    if content is None or not path.endswith(_YAML):
        return None
    try:
        return leaves(content)
    except EditRefused:
        return None


def _moved(path: str, before: Mapping[Address, Leaf] | None, after: Mapping[Address, Leaf] | None) -> tuple[Moved, ...]:
    old, new = before or {}, after or {}
    return tuple(
        Moved(path, at, old.get(at), new.get(at)) for at in dict.fromkeys([*old, *new]) if old.get(at) != new.get(at)
    )


class _Undo:
    """One file: before the change (good), after it (bad), and now (mine)."""

    def __init__(self, path: str, good: bytes, bad: bytes, mine: bytes) -> None:
        self.path = path
        self.texts = (good, bad, mine)
        self.good, self.bad, self.mine = (_leaves(path, each) for each in self.texts)
        self.why: Sequence[Problem] = ()
        """Why it could not be done by values."""

    @property
    def touched(self) -> list[Address]:
        """What the change did, by address."""
        good, bad = self.good or {}, self.bad or {}
        return [at for at in dict.fromkeys([*bad, *good]) if good.get(at) != bad.get(at)]

    def by_values(self) -> tuple[bytes, Literal["values"]] | None:
        """Put every value back where it stands now; None where that cannot be done. Raises EditRefused.

        A value that changed again since is refused: neither its text nor the change's would be what somebody wanted.
        """
        if self.good is None or self.bad is None or self.mine is None or not self.touched or self._items_moved():
            return None
        edits: list[Edit] = []
        again: list[Problem] = []
        for at in self.touched:
            want, had, have = self.good.get(at), self.bad.get(at), self.mine.get(at)
            if have == want:
                continue
            if have != had:
                again.append(Problem(self._again(at, had, have), str(at), file=self.path))
            elif want is None:
                edits.append(Edit(address=at, value=None))
            elif want.was == "null":
                return None
            else:
                edits.append(Edit(address=at, value=want.text, kind=cast("Kind", want.was)))
        if again:
            raise EditRefused(again)
        try:
            data = edit(self.texts[2], edits, create=True).data
        except EditRefused as error:
            self.why = error.problems
            return None
        return (data, "values") if self._proved(data) else None

    def by_text(self, merge: Merge) -> tuple[bytes, Literal["text"]] | None:
        """Undo it as Git reverts a commit; None where nothing is left to undo. Raises EditRefused."""
        good, bad, mine = self.texts
        readable = self.good is not None and self.bad is not None and self.mine is not None
        data = merge(mine, bad, good)
        if data is None:
            reasons = [problem._replace(file=self.path) for problem in self.why]
            raise EditRefused(
                [
                    *reasons,
                    Problem("the lines around the change have changed since, so it cannot be undone", file=self.path),
                ]
            )
        if readable and not self._proved(data):
            raise EditRefused([Problem("undoing it would change other values too", file=self.path)])
        return data, "text"

    def moved(self, data: bytes) -> tuple[Moved, ...]:
        """What differs between the file now and these bytes."""
        return _moved(self.path, self.mine, _leaves(self.path, data))

    def _again(self, at: Address, had: Leaf | None, have: Leaf | None) -> str:
        left, then = (shown(at, leaf) if leaf else "nothing" for leaf in (had, have))
        if left == then:
            return "it has changed again since"
        return f"it has changed again since, from {left} to {then}"

    def _items_moved(self) -> bool:
        """Whether a place in a list that the change touched may mean another item now."""
        if not any(by_place(at) for at in self.touched):
            return False
        counted = [{at: leaf for at, leaf in (each or {}).items() if by_place(at)} for each in (self.bad, self.mine)]
        return counted[0] != counted[1]

    def _proved(self, data: bytes) -> bool:
        """Whether what the change touched reads as before it, and all else as it does now.

        Where items of a list have moved, their places tell nothing, and Git's merge is trusted with them.
        """
        found = _leaves(self.path, data)
        if found is None or self.good is None or self.mine is None:
            return False
        touched = set(self.touched)
        wanted = {at: leaf for at, leaf in self.mine.items() if at not in touched}
        wanted |= {at: leaf for at, leaf in self.good.items() if at in touched}
        if self._items_moved():
            found = {at: leaf for at, leaf in found.items() if not by_place(at)}
            wanted = {at: leaf for at, leaf in wanted.items() if not by_place(at)}
        return dict(found) == wanted
