"""The health of objects: judged as watches bring them, read where that is not enough, and only the verdict is kept."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from datetime import datetime

from gitops_bot.agent.application.record import Judged, Record
from gitops_bot.agent.health.assess import assess, has_health
from gitops_bot.agent.health.verdict import Health
from gitops_bot.agent.live.inventory import Inventory
from gitops_bot.agent.values import Live, is_newer, key_in
from gitops_bot.doors.cluster.kinds import Kind
from gitops_bot.doors.cluster.objects import Body, Objects
from gitops_bot.model.resource import ResourceKey

_FEW = 5
"""Objects of one kind and namespace that are read one by one; more are listed."""
_LARGE = frozenset((("apiextensions.k8s.io", "CustomResourceDefinition"),))
"""Kinds with a health whose objects are too large to be sent whole at every change."""
_HEALTHY = Health("Healthy")


def is_judged_whole(kind: Kind) -> bool:
    """Whether a watch of this kind brings whole objects, for their health; of all others metadata is enough."""
    return has_health(kind.group, kind.kind) and (kind.group, kind.kind) not in _LARGE


class HealthReader:
    """Knows the health of objects; safe under many threads."""

    def __init__(
        self, objects: Objects, inventory: Inventory, pool: Executor, now: Callable[[], datetime], label: str
    ) -> None:
        """Take the doors, and the label that selects the objects of an Application."""
        self._objects = objects
        self._inventory = inventory
        self._pool = pool
        self._now = now
        self._label = label
        self._lock = threading.Lock()
        self._told: dict[ResourceKey, Judged] = {}

    # -- told by watches ----------------------------------------------------------------------------------------------

    def take(self, kind: Kind, body: Body) -> bool:
        """Judge an object as it is now; whether that is news, or will be without a change of the object."""
        key = key_in((kind.group, kind.kind), body)
        judged = self._judged(kind, body)
        with self._lock:
            known = self._told.get(key)
            if known is not None and is_newer(known.version, judged.version):
                return False
            self._told[key] = judged
        return known is None or known.health != judged.health or (known.health or _HEALTHY).until is not None

    def forget(self, key: ResourceKey) -> None:
        """Take that an object is gone, or is nobody's any more."""
        with self._lock:
            self._told.pop(key, None)

    # -- asked by looks -----------------------------------------------------------------------------------------------

    def read(self, record: Record, part_of: str, lives: Iterable[Live]) -> dict[ResourceKey, Health | None]:
        """The health of each object that is there. Raises ClusterError."""
        known = [live for live in lives if has_health(live.key.group, live.key.kind)]
        found = {live.key: judged for live in known if (judged := self._fresh(record, live)) is not None}
        found |= self._asked([live.key for live in known if live.key not in found], part_of)
        record.health = {key: judged for key, judged in found.items() if self._told.get(key) is not judged}
        return {key: judged.health for key, judged in found.items()}

    def _fresh(self, record: Record, live: Live) -> Judged | None:
        """What is known of an object in its newest version, and holds still."""
        newest = self._inventory.version(live.key) or live.resource_version
        for judged in (self._told.get(live.key), record.health.get(live.key)):
            if judged is not None and not is_newer(newest, judged.version):
                until = judged.health.until if judged.health is not None else None
                if until is None or self._now() < until:
                    return judged
        return None

    def _judged(self, kind: Kind, body: Body) -> Judged:
        typed = {"apiVersion": kind.api_version, "kind": kind.kind, **body}  # an item of a list does not say it
        health = assess(typed, now=self._now())
        return Judged(body["metadata"].get("resourceVersion", ""), _HEALTHY if health == _HEALTHY else health)

    def _asked(self, keys: list[ResourceKey], part_of: str) -> dict[ResourceKey, Judged]:
        """What objects are like that no watch has told of, or whose verdict changes with time."""
        answers: dict[ResourceKey, Judged] = {}
        groups: dict[tuple[str, str, str], list[ResourceKey]] = {}
        for key in keys:
            groups.setdefault((key.group, key.kind, key.namespace), []).append(key)
        for (group, name, namespace), members in groups.items():
            kind = self._objects.kinds.preferred(group, name)
            if kind is None:
                continue
            bodies: Iterable[Body | None]
            if len(members) <= _FEW:
                bodies = self._pool.map(self._objects.find, members)
            else:
                listed = self._objects.list(kind, namespace, selector=f"{self._label}={part_of}", metadata=False)
                found = {item["metadata"]["name"]: item for item in listed.items}
                bodies = [found.get(key.name) for key in members]
            answers |= {key: self._judged(kind, body) for key, body in zip(members, bodies, strict=True) if body}
        return answers
