"""Two renderings of one target, compared: text first, trees only for what differs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import msgspec

from gitops_bot.manifests import yaml
from gitops_bot.manifests.documents import Document, decode, line_of, placed, split
from gitops_bot.manifests.hashed_names import mask_names
from gitops_bot.manifests.ignore import DeleteJq, applicable, expressions
from gitops_bot.manifests.normalise import normalise
from gitops_bot.manifests.objects import CLUSTER_SCOPED, Head, expand, heads
from gitops_bot.manifests.pair import compare_pair, only
from gitops_bot.manifests.prune import prune
from gitops_bot.manifests.rename import renames
from gitops_bot.manifests.unified import TextDiff
from gitops_bot.model.application import IgnoreDifference
from gitops_bot.model.change import ResourceChange, TargetChanges
from gitops_bot.model.resource import ResourceKey
from gitops_bot.model.signal import Signal

Inspect = Callable[[ResourceKey, dict[str, Any] | None, dict[str, Any] | None], tuple[Signal, ...]]
"""Looks at an object that differs, before and after (None where it is not there): as rendered, nothing masked.

Equal arguments must give equal answers, and two inspectors that answer differently must not be equal. Parts that are
the same in two large documents may be ``manifests.yaml.Unchanged``.
"""

_MEMO_SIZE = 4_096
_MEMO_BYTES = 64 << 20
"""Length of all remembered diffs together."""


class _Remembered(NamedTuple):
    """What comparing two documents' objects gave."""

    change: ResourceChange | None
    old_duplicates: tuple[yaml.DuplicateKey, ...]
    new_duplicates: tuple[yaml.DuplicateKey, ...]


class _Memo:
    """Changes by what they were made from, so that one change over many targets is worked out once."""

    def __init__(self) -> None:
        self._found: dict[tuple[object, ...], _Remembered] = {}
        self._bytes = 0

    def get(self, key: tuple[object, ...]) -> _Remembered | None:
        """What is remembered, None when nothing is."""
        return self._found.get(key)

    def put(self, key: tuple[object, ...], value: _Remembered) -> None:
        """Remember; when that gets too much, forget everything before."""
        size = len(value.change.diff) if value.change else 0
        if len(self._found) >= _MEMO_SIZE or self._bytes + size > _MEMO_BYTES:
            self._found = {}
            self._bytes = 0
        self._bytes += size
        self._found[key] = value


_memo = _Memo()


class _Entry(NamedTuple):
    """Where an object of a stream is."""

    document: Document
    place: int
    """Which object of the document it is."""
    head: Head

    @property
    def identity(self) -> tuple[bytes, int]:
        """Equal identities have equal content."""
        return self.document.digest, self.place


class Side:
    """One rendering: its objects by key, read only when asked for."""

    def __init__(self, stream: bytes) -> None:
        """Split a rendered stream. Raises YamlError for a document whose identity cannot be read."""
        self.stream = decode(stream)
        self.found: list[_Entry] = []
        self.strange: list[str] = []
        self.duplicates: dict[int, tuple[yaml.DuplicateKey, ...]] = {}
        """Offset of a document that was read → the keys that are there twice, lines counted in the document."""
        self._bodies: dict[bytes, list[dict[str, Any]]] = {}
        for document in split(self.stream):
            try:
                read = heads(document)
            except yaml.YamlError as error:
                raise placed(error, self.stream, document) from None
            self.found += [_Entry(document, index, head) for index, head in enumerate(read.heads)]
            if read.strange:
                line = line_of(self.stream, document)
                self.strange.append(f"the document at line {line} {read.strange}: it is not compared")

    def objects(self) -> list[tuple[Document, Head]]:
        """Every object, with the document that it is in."""
        return [(entry.document, entry.head) for entry in self.found]

    def definitions(self) -> set[tuple[str, str]]:
        """Group and kind of the cluster-scoped kinds that this rendering defines."""
        defined = (entry.head.defines for entry in self.found)
        return {(each[0], each[1]) for each in defined if each is not None and each[2]}

    def index(self, namespace: str, cluster_scoped: frozenset[tuple[str, str]]) -> dict[ResourceKey, _Entry]:
        """The objects that count, by key, the last of several with one key; hooks that never run are left out."""
        return {entry.head.key(namespace, cluster_scoped): entry for entry in self.found if entry.head.applied}

    @property
    def applied(self) -> int:
        """How many objects count, repeated ones each time."""
        return sum(1 for entry in self.found if entry.head.applied)

    def repeated(self, namespace: str, cluster_scoped: frozenset[tuple[str, str]]) -> dict[ResourceKey, int]:
        """How often each key is there that is there more than once."""
        counts: dict[ResourceKey, int] = {}
        for entry in self.found:
            if entry.head.applied:
                key = entry.head.key(namespace, cluster_scoped)
                counts[key] = counts.get(key, 0) + 1
        return {key: count for key, count in counts.items() if count > 1}

    def skipped(self, namespace: str, cluster_scoped: frozenset[tuple[str, str]]) -> dict[ResourceKey, _Entry]:
        """The hooks that are never applied, by key."""
        return {entry.head.key(namespace, cluster_scoped): entry for entry in self.found if not entry.head.applied}

    def body(self, entry: _Entry) -> dict[str, Any]:
        """The object. Raises YamlError with the line of the stream."""
        digest = entry.document.digest
        if digest not in self._bodies:
            try:
                values, duplicates = yaml.read_all(entry.document.text)
            except yaml.YamlError as error:
                raise placed(error, self.stream, entry.document) from None
            self._bodies[digest] = expand(values)[0]
            self.duplicates[entry.document.offset] = tuple(duplicates)
        return self._bodies[digest][entry.place]

    def forget(self, entry: _Entry) -> None:
        """Let go of a document's only object."""
        if len(self._bodies.get(entry.document.digest, ())) == 1:
            del self._bodies[entry.document.digest]

    def duplicate_keys(self) -> list[str]:
        """A sentence for each key that is twice in a mapping that was read."""
        found = []
        for offset, duplicates in sorted(self.duplicates.items()):
            first = self.stream.count(b"\n", 0, offset) + 1 if duplicates else 0
            found += [
                f"line {first + each.line - 1}: the key {each.key} is there twice, the last one counts"
                for each in duplicates
            ]
        return found


class _Comparison:
    """One run of ``compare``: its two sides and options."""

    def __init__(
        self,
        base: Side,
        head: Side,
        namespace: str,
        rules: Sequence[IgnoreDifference],
        delete_jq: DeleteJq | None,
        text_diff: TextDiff | None,
        inspect: Inspect | None,
        *,
        respected: bool,
    ) -> None:
        self.base, self.head, self.inspect, self.respected = base, head, inspect, respected
        self.rules, self.delete_jq, self.text_diff = tuple(rules), delete_jq, text_diff
        self.scope = (namespace, CLUSTER_SCOPED | base.definitions() | head.definitions())
        self.old, self.new = base.index(*self.scope), head.index(*self.scope)

    @cached_property
    def repeated(self) -> tuple[dict[ResourceKey, int], dict[ResourceKey, int]]:
        """How often each key is there that is there more than once, on either side."""
        indexed = ((self.base, self.old), (self.head, self.new))
        base, head = ({} if side.applied == len(found) else side.repeated(*self.scope) for side, found in indexed)
        return base, head

    def changes(self) -> Iterator[ResourceChange | None]:
        """One value for each object of either side: its change, None for an unchanged one."""
        removed = [key for key in self.old if key not in self.new]
        added = [key for key in self.new if key not in self.old]
        moved = renames(
            removed,
            added,
            lambda key: normalise(self.base.body(self.old[key])),
            lambda key: normalise(self.head.body(self.new[key])),
        )
        gone = set(moved.values())
        for key in sorted({*self.old, *self.new}):
            if key in moved:
                yield self.pair(self.old[moved[key]], self.new[key], key, moved[key])
            elif key in self.old and key in self.new:
                yield self.pair(self.old[key], self.new[key], key, None)
            elif key in self.new:
                body, hook = self.head.body(self.new[key]), self.new[key].head.hook
                yield self.inspected(only(body, key=key, hook=hook, added=True), None, body)
            elif key not in gone:
                body, hook = self.base.body(self.old[key]), self.old[key].head.hook
                yield self.inspected(only(body, key=key, hook=hook, added=False), body, None)

    def inspected(
        self, change: ResourceChange, before: dict[str, Any] | None, after: dict[str, Any] | None
    ) -> ResourceChange:
        """The change with what the inspection of its object raises."""
        signals = self.inspect(change.key, before, after) if self.inspect is not None else ()
        return msgspec.structs.replace(change, signals=signals) if signals else change

    def pair(
        self, old: _Entry, new: _Entry, key: ResourceKey, renamed_from: ResourceKey | None
    ) -> ResourceChange | None:
        """The change of one object, remembered for other targets that make the same one."""
        if old.identity == new.identity:
            return None
        rules = applicable(self.rules, key)
        helpers = (self.delete_jq is None, self.text_diff is None, self.inspect, self.respected)
        memo = (old.identity, new.identity, key, renamed_from, rules, helpers)
        remembered = _memo.get(memo)
        if remembered is None:
            before, after = self._bodies(old, new, rules)
            found = compare_pair(
                before,
                after,
                key=key,
                renamed_from=renamed_from,
                hook=new.head.hook,
                rules=rules,
                delete_jq=self.delete_jq,
                text_diff=self.text_diff,
            )
            if found is not None and not (self.respected and found.bucket == "ignored"):
                # With all that rules hide: a sync made for another reason writes it nevertheless.
                found = self.inspected(found, before, after)
            duplicates = (side.duplicates.get(entry.document.offset, ()) for side, entry in self._sides(old, new))
            remembered = _Remembered(found, *duplicates)
            _memo.put(memo, remembered)
        for side, entry, seen in zip((self.base, self.head), (old, new), remembered[1:], strict=True):
            side.duplicates[entry.document.offset] = seen
            side.forget(entry)
        return remembered.change

    def _sides(self, old: _Entry, new: _Entry) -> tuple[tuple[Side, _Entry], tuple[Side, _Entry]]:
        return (self.base, old), (self.head, new)

    def _bodies(
        self, old: _Entry, new: _Entry, rules: Sequence[IgnoreDifference]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Both objects, without what is the same text in two large documents."""
        if new.head.kind != "Secret" and not expressions(rules):
            pruned = prune(old.document.text, new.document.text)
            if pruned is not None:
                return pruned
        return self.base.body(old), self.head.body(new)


def compare(
    base: bytes,
    head: bytes,
    *,
    namespace: str = "",
    ignore: Sequence[IgnoreDifference] = (),
    delete_jq: DeleteJq | None = None,
    text_diff: TextDiff | None = None,
    inspect: Inspect | None = None,
    respected: bool = False,
) -> TargetChanges:
    """Every object of two rendered streams, in exactly one bucket.

    ``namespace`` is where objects go that name none. ``delete_jq`` takes jq expressions and objects and returns the
    objects without what is selected; without it such expressions hide nothing, and a warning says so. ``text_diff``
    takes two texts and returns their unified diff; it is asked for texts that difflib would be slow on. ``inspect`` is
    asked about every object that is added, changed or removed, also where rules hide or noise is all that differs; with
    ``respected`` (what rules hide is not applied) not about those whose every difference is hidden.
    Raises YamlError (a ValueError) for a stream that cannot be read, and what ``delete_jq`` raises.
    """
    sides = Side(base), Side(head)
    masked = mask_names(sides[0].stream, sides[1].stream, *(side.objects() for side in sides))
    if masked is not None:
        sides = Side(masked[0]), Side(masked[1])
    run = _Comparison(*sides, namespace, ignore, delete_jq, text_diff, inspect, respected=respected)
    changes: list[ResourceChange] = []
    unchanged = 0
    for found in run.changes():
        if found is None:
            unchanged += 1
        else:
            changes.append(found)
    return TargetChanges(
        changes=tuple(sorted(changes, key=lambda change: (change.key, change.action))),
        unchanged=unchanged,
        warnings=tuple(_warnings(run, ignore)),
        repeated=tuple(_repeated(run)),
    )


def _repeated(run: _Comparison) -> Iterator[tuple[ResourceKey, int]]:
    """What the head side renders more than once, and more often than the base side, in key order."""
    old, new = run.repeated
    for key, count in sorted(new.items()):
        if count > old.get(key, 1):
            yield key, count


def _warnings(run: _Comparison, ignore: Sequence[IgnoreDifference]) -> Iterator[str]:
    """What a reader must know and no change shows; what only the base side has is said to be there before."""
    yield from _ignore_warnings(ignore, run.delete_jq)
    old, new = run.repeated
    yield from _both(
        [f"{key} is rendered {count} times: the last one counts" for key, count in sorted(old.items())],
        [f"{key} is rendered {count} times: the last one counts" for key, count in sorted(new.items())],
    )
    yield from _both(run.base.strange, run.head.strange)
    yield from _both(run.base.duplicate_keys(), run.head.duplicate_keys())
    before, after = run.base.skipped(*run.scope), run.head.skipped(*run.scope)
    for key in sorted({*before, *after}):
        one, other = before.get(key), after.get(key)
        if one is None or other is None or one.identity != other.identity:
            hook = (after | before)[key].head.hook
            yield f"{key} differs, but as a hook of kind {hook} it is never applied: it is not compared"


def _ignore_warnings(ignore: Sequence[IgnoreDifference], delete_jq: DeleteJq | None) -> Iterator[str]:
    managers = sorted({name for rule in ignore for name in rule.managed_fields_managers})
    if managers:
        yield (
            f"ignoreDifferences names field managers ({', '.join(managers)}): which fields they own is known in the "
            "cluster only, so their differences are shown"
        )
    if delete_jq is None and expressions(ignore):
        yield "ignoreDifferences has jq expressions, which hide nothing here: jq is not available"


def _both(old: Iterable[str], new: Iterable[str]) -> Iterator[str]:
    seen = list(dict.fromkeys(new))
    yield from seen
    yield from (f"before this change, {each}" for each in dict.fromkeys(old) if each not in seen)
