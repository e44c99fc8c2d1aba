"""Change values of a YAML file and nothing else: splice, then prove, or refuse.

The bytes outside the edited values stay as they are. After every splice the file is read again and compared event by
event with what it was; an edit that cannot be proved in this way is not made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from gitops_bot.manifests.yaml import YamlError
from gitops_bot.writeback.editor.address import Address
from gitops_bot.writeback.editor.insert import insert, insert_into_nothing
from gitops_bot.writeback.editor.inside import brought_out, text_within
from gitops_bot.writeback.editor.locate import Place, locate
from gitops_bot.writeback.editor.nodes import Stream, decode
from gitops_bot.writeback.editor.problems import EditRefused, Problem, Refusal
from gitops_bot.writeback.editor.read import line_of
from gitops_bot.writeback.editor.remove import remove
from gitops_bot.writeback.editor.scalar import Kind, why_not
from gitops_bot.writeback.editor.splice import Change, Expected, Swap, apply, prove
from gitops_bot.writeback.editor.values import Was, reads_as, replace, shared_notes, was


class Edit(msgspec.Struct, frozen=True, kw_only=True):
    """One value that is to be written."""

    address: Address
    value: str | None
    """Its text; None takes the key out."""
    kind: Kind = "string"
    """What it is to be read as; a number or boolean is only written where it is asked for."""
    create: bool = False
    """Whether a missing key may be added here, whatever the other edits may do."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one edit."""

    address: Address
    old: str | None
    """The value's text before; None where there was none."""
    was: Was | None
    """What Kubernetes took it for; None where there was none."""
    new: str | None
    """The value's text now; None where it was taken out."""
    line: int
    """Where it stands in the new file (1 is the first line); where it stood, when it was taken out."""
    changed: bool
    """False: every reader already took it for this very value, and nothing was written."""
    created: bool = False
    """Whether the key is new."""
    notes: tuple[str, ...] = ()
    """What a reader of the change should know, such as that aliases follow."""


class Edited(msgspec.Struct, frozen=True, kw_only=True):
    """A file after its edits."""

    data: bytes
    outcomes: tuple[Outcome, ...]
    """One for each edit, in their order."""

    @property
    def changed(self) -> bool:
        """Whether any byte has changed."""
        return any(outcome.changed for outcome in self.outcomes)


def edit(data: bytes, edits: Sequence[Edit], *, create: bool = False) -> Edited:
    """Make every edit of a file, or none; with ``create`` a missing last key, or a chain of keys, is added.

    Raises EditRefused with every problem that was found.
    """
    try:
        text, mark = decode(data)
        stream = Stream(text)
    except YamlError as error:
        raise EditRefused([Problem(error.problem, line=error.line)]) from None
    work = _Work(stream, edits, create=create)
    work.run()
    if work.problems:
        raise EditRefused(problem for _index, problem in sorted(work.problems.items()))
    return Edited(data=mark + work.stream.text.encode(), outcomes=work.outcomes())


class _Done(NamedTuple):
    """What is known of an edit before the last proof."""

    old: str | None
    was: Was | None
    changed: bool
    created: bool
    notes: tuple[str, ...]
    line: int
    """Of the old text."""


class _Work:
    """The edits of one file on their way."""

    def __init__(self, stream: Stream, edits: Sequence[Edit], *, create: bool) -> None:
        self.stream = stream
        self.edits = edits
        self.create = create
        self.problems: dict[int, Problem] = {}
        self.done: dict[int, _Done] = {}

    def run(self) -> None:
        """First all values that stand where they are, in one splice; then one after another what adds or removes."""
        self.refuse_contradictions()
        later = self.in_place()
        if self.problems:
            create_too = [index for index in later if index not in self.problems]
            for index in create_too:  # nothing will be written: only to find their problems too
                self.one(index, dry=True)
            return
        for index in later:
            self.one(index)

    def refuse_contradictions(self) -> None:
        seen: dict[Address, int] = {}
        for index, each in enumerate(self.edits):
            first = seen.setdefault(each.address, index)
            if first != index and self.edits[first] != each:
                self.refuse(index, Refusal("two edits give it different values"))
            reason = why_not(each.value, each.kind) if each.value is not None else ""
            if reason:
                self.refuse(index, Refusal(reason))

    def refuse(self, index: int, refusal: Refusal) -> None:
        address = str(self.edits[index].address)
        self.problems.setdefault(index, Problem(refusal.reason, address=address, line=refusal.line))

    def in_place(self) -> list[int]:
        """Make the edits of values that are there; give those that need a reading of their own."""
        changes: dict[int, tuple[int, Change]] = {}
        later: list[int] = []
        for index, each in enumerate(self.edits):
            if index in self.problems:
                continue
            try:
                place = self.place(each)
                if place is None or place.rest or len(each.address.paths) > 1 or each.value is None:
                    later.append(index)
                    continue
                change = self.value(index, each, place)
                if change and place.node in changes and changes[place.node][1] != change:
                    raise Refusal("another edit gives the same value something else", self.stream.line(place.node))
                if change:
                    changes[place.node] = (index, change)
            except Refusal as refusal:
                self.refuse(index, refusal)
        if changes and not self.problems:
            ordered = [changes[node] for node in sorted(changes)]
            self.commit([change for _index, change in ordered], [index for index, _change in ordered])
        return later

    def place(self, each: Edit) -> Place | None:
        """Where an edit leads; None for a file without any document. Raises Refusal for a missing path."""
        try:
            place = locate(self.stream, each.address.document, each.address.paths[0])
        except Refusal as refusal:
            if refusal.missing and self.may_create(each) and not self.stream.roots and not each.address.document:
                return None
            raise
        if place.rest and (not self.may_create(each) or len(each.address.paths) > 1):
            raise Refusal(place.why, self.stream.line(place.node), missing=True)
        return place

    def may_create(self, each: Edit) -> bool:
        return (self.create or each.create) and each.value is not None

    def value(self, index: int, each: Edit, place: Place) -> Change | None:
        """The change of one value in place; None when it is there already."""
        stream, node = self.stream, place.node
        assert each.value is not None
        there = stream.kind(stream.resolved(node)) == "scalar"
        if there and reads_as(stream, node, each.value, each.kind):
            self.done[index] = self.known(place, changed=False)
            return None
        change = replace(stream, place, each.value, each.kind)
        self.done[index] = self.known(place, changed=True, notes=change.notes)
        return change

    def known(self, place: Place, *, changed: bool, notes: tuple[str, ...] = ()) -> _Done:
        stream, node = self.stream, place.node
        scalar = stream.kind(stream.resolved(node)) == "scalar"
        old = stream.value(node) if scalar else None
        kind = was(stream, node) if scalar else None
        return _Done(old, kind, changed, created=False, notes=notes, line=stream.line(node))

    def one(self, index: int, *, dry: bool = False) -> None:
        """Make one edit that adds or removes, or that lies inside a text."""
        each = self.edits[index]
        try:
            change = self.change(index, each)
            if change is not None:
                new = prove(self.stream, apply(self.stream.text, [change.splice]), change.swaps)
                self.stream = self.stream if dry else new
        except Refusal as refusal:
            self.refuse(index, refusal)

    def change(self, index: int, each: Edit) -> Change | None:
        place = self.place(each)
        if len(each.address.paths) > 1:
            assert place is not None
            return self.inside(index, each, place)
        path, value = each.address.paths[0], each.value
        if place is None or place.rest:
            assert value is not None
            if place is None:
                change = insert_into_nothing(self.stream, path, value, each.kind)
            else:
                change = insert(self.stream, place, value, each.kind)
            self.done[index] = _Done(None, None, changed=True, created=True, notes=change.notes, line=0)
            return change
        if value is None:
            change = remove(self.stream, place)
            self.done[index] = self.known(place, changed=True, notes=change.notes)
            return change
        return self.value(index, each, place)

    def inside(self, index: int, each: Edit, place: Place) -> Change | None:
        """The change of a value in a text that is YAML itself, brought out into the file."""
        inner, first = text_within(self.stream, place)
        inner_edit = msgspec.structs.replace(each, address=Address(each.address.paths[1:]))
        try:
            edited = edit(inner.encode(), [inner_edit], create=self.create)
        except EditRefused as error:
            problem = error.problems[0]
            raise Refusal(f"in the text: {problem.reason}", problem.line + first if problem.line else 0) from None
        outcome = edited.outcomes[0]
        notes = (*outcome.notes, *shared_notes(self.stream, place))
        self.done[index] = _Done(
            outcome.old, outcome.was, outcome.changed, outcome.created, notes, outcome.line + first
        )
        if not outcome.changed:
            return None
        new = edited.data.decode()
        splice = brought_out(self.stream, place, inner, new)
        node = place.node
        expected = Expected("scalar", new, "text", self.stream.anchor(node), self.stream.tag(node))
        return Change(splice, (Swap(node, 1, (expected,)),), notes)

    def commit(self, changes: Sequence[Change], indexes: Sequence[int]) -> None:
        """Splice and prove together; where that fails, one by one, to say which."""
        text = apply(self.stream.text, [change.splice for change in changes])
        try:
            self.stream = prove(self.stream, text, [swap for change in changes for swap in change.swaps])
        except Refusal as refusal:
            if len(changes) == 1:
                self.refuse(indexes[0], refusal)
                return
            for change, index in zip(changes, indexes, strict=True):
                try:
                    prove(self.stream, apply(self.stream.text, [change.splice]), change.swaps)
                except Refusal as own:
                    self.refuse(index, own)
            if not self.problems:
                self.refuse(indexes[0], refusal)

    def outcomes(self) -> tuple[Outcome, ...]:
        """Every edit's outcome, with its line in the text as it is now."""
        return tuple(self.outcome(index, each) for index, each in enumerate(self.edits))

    def outcome(self, index: int, each: Edit) -> Outcome:
        done = self.done[index]
        line = done.line
        if each.value is not None:
            try:
                line = line_of(self.stream, each.address)
            except Refusal:  # the edit changed a name that its own address speaks of
                line = done.line or 1
        return Outcome(
            address=each.address, old=done.old, was=done.was, new=each.value, line=line,
            changed=done.changed, created=done.created, notes=done.notes,
        )  # fmt: skip
