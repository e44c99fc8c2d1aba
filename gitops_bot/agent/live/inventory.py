"""What the cluster has of ours, as the watches tell it: metadata only, packed, some hundred bytes an object.

An object that is not in here is not known to be gone before the first snapshot of its kind has come.
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import msgspec

from gitops_bot.agent.values import Heard, Live, is_newer, key_in, live_of
from gitops_bot.model.resource import ResourceKey

Kind = tuple[str, str]
"""Group and kind."""
_ANYBODY = ""


class Touched(NamedTuple):
    """An object that is new, has changed, or is gone."""

    key: ResourceKey
    part_of: str
    """The value of the label that says whose it is; of one that is gone, the last it had."""


class _Entry(NamedTuple):
    part_of: str
    version: str
    packed: bytes


class Inventory:
    """Fed by watches, read by everybody; safe under many threads."""

    def __init__(self, label: str) -> None:
        """Take the name of the label that says whose an object is."""
        self._label = label
        self._lock = threading.Lock()
        self._waiting: dict[str, threading.Condition] = {}
        """For whose objects somebody waits."""
        self._entries: dict[Kind, dict[ResourceKey, _Entry]] = {}
        self._by_owner: dict[str, set[ResourceKey]] = {}
        self._heard: dict[Kind, Heard] = {}
        self._writing: dict[ResourceKey, str] = {}
        """Objects that are being written → for whom."""

    # -- fed ----------------------------------------------------------------------------------------------------------

    def replace(self, kind: Kind, bodies: Iterable[Mapping[str, Any]], version: str = "") -> tuple[Touched, ...]:
        """Take everything that there is of a kind; what differs from before.

        What was written since ``version``, that of the list, stays as it is. ``""`` is the version of a kind that is
        gone: what there is when it comes again is not known then.
        """
        with self._lock:
            before = self._entries.get(kind, {})
            now = {key: entry for key, entry in (self._entry(kind, body) for body in bodies) if entry.part_of}
            if self._heard.setdefault(kind, Heard()).hear_list(version):
                now |= {key: entry for key, entry in before.items() if is_newer(entry.version, version)}
            if not version:
                del self._heard[kind]
            self._entries[kind] = now
            gone = [Touched(key, entry.part_of) for key, entry in before.items() if key not in now]
            new = [
                Touched(key, entry.part_of)
                for key, entry in now.items()
                if key not in before or before[key].version != entry.version
            ]
            for key, owner in gone:
                self._forget(owner, key)
            for key, owner in new:
                old = before.get(key)
                if old is not None and old.part_of != owner:
                    self._forget(old.part_of, key)
                self._by_owner.setdefault(owner, set()).add(key)
            self._notify({_ANYBODY, *(each.part_of for each in (*gone, *new))})
            return (*gone, *new)

    def put(self, kind: Kind, body: Mapping[str, Any]) -> Touched | None:
        """Take one object as it is now; None where that was known already."""
        with self._lock:
            self._hear(kind, body)
            return self._put(kind, body)

    def wrote(self, kind: Kind, body: Mapping[str, Any]) -> None:
        """Take the answer to a write of ours, unless the watch has told by now that the object is gone again."""
        with self._lock:
            heard, known = self._heard.get(kind), self._entries.get(kind, {})
            gone = heard is not None and heard.covers(body["metadata"].get("resourceVersion", ""))
            if key_in(kind, body) in known or not gone:
                self._put(kind, body)

    def _hear(self, kind: Kind, body: Mapping[str, Any]) -> None:
        self._heard.setdefault(kind, Heard()).hear(body["metadata"].get("resourceVersion", ""))

    def _put(self, kind: Kind, body: Mapping[str, Any]) -> Touched | None:
        known = self._entries.setdefault(kind, {})
        old = known.get(key_in(kind, body))
        if old is not None and not is_newer(body["metadata"].get("resourceVersion", ""), old.version):
            return None
        key, entry = self._entry(kind, body)
        if not entry.part_of:
            return None
        known[key] = entry
        if old is not None and old.part_of != entry.part_of:
            self._forget(old.part_of, key)
        self._by_owner.setdefault(entry.part_of, set()).add(key)
        self._notify((_ANYBODY, entry.part_of))
        return Touched(key, entry.part_of)

    def remove(self, kind: Kind, body: Mapping[str, Any]) -> Touched | None:
        """Take that an object is gone, or is nobody's any more; None where it was not known."""
        with self._lock:
            self._hear(kind, body)
            key = key_in(kind, body)
            old = self._entries.get(kind, {}).pop(key, None)
            if old is None:
                return None
            self._forget(old.part_of, key)
            self._notify((_ANYBODY, old.part_of))
            return Touched(key, old.part_of)

    def gone(self, key: ResourceKey, uid: str) -> None:
        """Take that an object was found to be gone, a moment before the watch tells it."""
        with self._lock:
            known = self._entries.get((key.group, key.kind), {})
            entry = known.get(key)
            if entry is not None and _live(key, entry).uid == uid:
                del known[key]
                self._forget(entry.part_of, key)

    # -- one at a time ------------------------------------------------------------------------------------------------

    @contextmanager
    def turn(self, key: ResourceKey, part_of: str, before: str) -> Iterator[bool]:
        """Have an object for one write; whether it is still as it was judged.

        ``part_of`` is the label of who writes, ``before`` the one that the object had then, ``""`` for none. It is not
        when another Application has it meanwhile, or just writes it: of two that want the same one, one gets it.
        """
        with self._lock:
            entry = self._entries.get((key.group, key.kind), {}).get(key)
            now = entry.part_of if entry is not None else before
            free = now in (before, part_of) and self._writing.setdefault(key, part_of) == part_of
        try:
            yield free
        finally:
            if free:
                with self._lock:
                    del self._writing[key]

    # -- read ---------------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        """How many objects are in it."""
        with self._lock:
            return sum(map(len, self._entries.values()))

    def knows(self, kind: Kind) -> bool:
        """Whether the first snapshot of a kind has come."""
        with self._lock:
            return kind in self._heard

    def find(self, key: ResourceKey) -> Live | None:
        """An object of ours, None when it is not here."""
        with self._lock:
            entry = self._entries.get((key.group, key.kind), {}).get(key)
        return _live(key, entry) if entry is not None else None

    def version(self, key: ResourceKey) -> str:
        """The resourceVersion of an object of ours, ``""`` when it is not here."""
        with self._lock:
            entry = self._entries.get((key.group, key.kind), {}).get(key)
        return entry.version if entry is not None else ""

    def of(self, part_of: str) -> tuple[ResourceKey, ...]:
        """The objects that carry one value of the label, in order."""
        with self._lock:
            return tuple(sorted(self._by_owner.get(part_of, ())))

    def pause(self, seconds: float, part_of: str = _ANYBODY) -> None:
        """Wait for the next change of the objects with one value of the label, or of any, at most some seconds."""
        with self._lock:
            self._waiting.setdefault(part_of, threading.Condition(self._lock)).wait(seconds)

    # -- inside -------------------------------------------------------------------------------------------------------

    def _notify(self, owners: Iterable[str]) -> None:
        """Wake those who wait for them, and nobody else: many may wait."""
        for owner in owners:
            waiting = self._waiting.pop(owner, None)
            if waiting is not None:
                waiting.notify_all()

    def _entry(self, kind: Kind, body: Mapping[str, Any]) -> tuple[ResourceKey, _Entry]:
        metadata = body["metadata"]
        part_of = (metadata.get("labels") or {}).get(self._label, "")
        packed = zlib.compress(msgspec.json.encode(metadata), 1)
        return key_in(kind, body), _Entry(part_of, metadata.get("resourceVersion", ""), packed)

    def _forget(self, part_of: str, key: ResourceKey) -> None:
        keys = self._by_owner.get(part_of)
        if keys is not None:
            keys.discard(key)
            if not keys:
                del self._by_owner[part_of]


def _live(key: ResourceKey, entry: _Entry) -> Live:
    return live_of({"metadata": msgspec.json.decode(zlib.decompress(entry.packed))}, key)
