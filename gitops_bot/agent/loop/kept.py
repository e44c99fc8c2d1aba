"""What was applied of definitions, and which of them somebody has changed since then, as the watch tells it.

People's are status, ``operation`` and the annotations by which they ask for something; everything else that Git says,
or that people add beside it, is drift of the definition. One that people told the agent to leave alone is left alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from gitops_bot.agent.application.record import SKIP
from gitops_bot.agent.ownership.fingerprint import Baseline, baseline, judge
from gitops_bot.agent.ownership.identity import TRACKING_ID, parse_tracking_id
from gitops_bot.agent.ownership.managed import beyond, ours, uncovered
from gitops_bot.agent.ownership.strangers import strangers
from gitops_bot.agent.rules.timing import Heals, due, healed
from gitops_bot.agent.values import Live, is_newer, live_of
from gitops_bot.doors.cluster.objects import Body
from gitops_bot.doors.cluster.watch import Event, Snapshot
from gitops_bot.model.resource import ResourceKey


class Changed(NamedTuple):
    """A definition that is not in the cluster as it was applied."""

    key: ResourceKey
    body: Body
    """As Git has it."""
    live: Live | None
    """None: it is gone."""


class _Applied(NamedTuple):
    packed: bytes
    """The body as JSON: there may be a thousand, and hardly one is asked for."""
    baseline: Baseline | None
    """None: it was left alone."""


class Kept:
    """Fed by a watch and by who applies; safe under many threads."""

    def __init__(self, now: Callable[[], datetime], people: Callable[[], Sequence[str]]) -> None:
        """Take the clock, and which managers are people."""
        self._now = now
        self._people = people
        self._lock = threading.Lock()
        self._applied: dict[ResourceKey, _Applied] = {}
        self._changed: dict[ResourceKey, Live | None] = {}
        self._heals: dict[ResourceKey, Heals] = {}

    # -- fed ----------------------------------------------------------------------------------------------------------

    def put(self, key: ResourceKey, body: Body, live: Live | None) -> None:
        """Take what was applied, and the metadata that came of it; None for one that was left alone."""
        known = baseline(live, people=self._people()) if live is not None else None
        with self._lock:
            self._applied[key] = _Applied(msgspec.json.encode(body), known)
            self._changed.pop(key, None)

    def forget(self, key: ResourceKey) -> None:
        """Take that an object is not a definition's any more."""
        with self._lock:
            for known in (self._applied, self._changed, self._heals):
                known.pop(key, None)

    def keep_only(self, keys: Collection[ResourceKey]) -> None:
        """Forget definitions that are none any more."""
        with self._lock:
            for known in (self._applied, self._changed, self._heals):
                for key in [each for each in known if each not in keys]:
                    del known[key]

    def told(self, told: Snapshot | Event) -> bool:
        """Take what the watch tells of Applications or projects; whether any definition has to be put back."""
        kind = told.kind
        bodies = told.items if isinstance(told, Snapshot) else (told.body,)
        found = {_key(kind.group, kind.kind, body): body for body in bodies}
        gone = isinstance(told, Event) and told.type == "DELETED"
        with self._lock:
            if isinstance(told, Snapshot):
                missing = [key for key in self._applied if key.kind == kind.kind and key not in found]
                self._changed.update(dict.fromkeys(missing))
            for key, body in found.items():
                applied = self._applied.get(key)
                if applied is not None:
                    self._look(key, applied, live_of(body, key), gone=gone)
            return bool(self._changed)

    def _look(self, key: ResourceKey, applied: _Applied, live: Live, *, gone: bool) -> None:
        known = applied.baseline
        if known is not None and not is_newer(live.resource_version, known.resource_version):
            return  # older than what was applied: watches lag
        if gone:
            self._changed[key] = None
        elif not (live.deleting or is_left_alone(live) or is_a_child(live)) and self._differs(applied, live):
            self._changed[key] = live
        else:
            self._changed.pop(key, None)

    def _differs(self, applied: _Applied, live: Live) -> bool:
        people = self._people()
        if judge(applied.baseline, live, now=self._now(), people=people) in ("unchanged", "later"):
            return False  # what neither we nor people own is a controller's
        return bool(differences(live, msgspec.json.decode(applied.packed), people))

    # -- asked --------------------------------------------------------------------------------------------------------

    @property
    def is_complete(self) -> bool:
        """Whether every definition is as it was applied."""
        with self._lock:
            return not self._changed

    def due(self) -> tuple[tuple[Changed, ...], float | None]:
        """What is put back now, and in how many seconds the next has to be; None where nothing waits.

        Who changes a definition again and again is answered at growing distance, as anybody who changes an object.
        """
        now = self._now()
        with self._lock:
            if not self._changed:
                return (), None
            keys, at = due(self._changed, self._heals, now)
            if at > now:
                return (), (at - now) / timedelta(seconds=1)
            bodies = {key: msgspec.json.decode(self._applied[key].packed) for key in sorted(keys)}
            return tuple(Changed(key, body, self._changed[key]) for key, body in bodies.items()), 0.0

    def count(self, key: ResourceKey) -> None:
        """Take that one is being put back."""
        with self._lock:
            self._heals[key] = healed(self._heals.get(key), self._now())


def is_a_child(live: Live) -> bool:
    """Whether an Application is an object of another one, which says more of it than the file alone."""
    tracking = parse_tracking_id(live.annotations.get(TRACKING_ID, ""))
    return tracking is not None and tracking.names(live.key)


def is_left_alone(live: Live) -> bool:
    """Whether people told the agent to leave an Application alone; what Git says of that is no such word."""
    entry = ours(live.managed)
    gits = entry.fields.get("f:metadata", {}).get("f:annotations", {}) if entry is not None else {}
    return live.annotations.get(SKIP) == "true" and f"f:{SKIP}" not in gits


def differences(live: Live, body: Mapping[str, Any], people: Sequence[str]) -> tuple[str, ...]:
    """What of a definition somebody has changed or added, as readable paths; it may be more than differs."""
    entry = ours(live.managed)
    fields = entry.fields if entry is not None else {}
    found = [*uncovered(fields, body), *(str(each) for each in strangers(live, body, people=people))]
    return tuple(found) or (("what is ours alone",) if beyond(fields, body) else ())


def _key(group: str, kind: str, body: Mapping[str, Any]) -> ResourceKey:
    return ResourceKey(group, kind, body["metadata"]["namespace"], body["metadata"]["name"])
