"""The health of an Application's objects: read in full only where a version is new, and only the verdict is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from datetime import datetime

from gitops_bot.agent.application.record import Judged, Record
from gitops_bot.agent.health.assess import assess, has_health
from gitops_bot.agent.health.verdict import Health
from gitops_bot.agent.live.inventory import Inventory
from gitops_bot.agent.values import Live
from gitops_bot.doors.cluster.objects import Body, Objects
from gitops_bot.model.resource import ResourceKey

_FEW = 5
"""Objects of one kind and namespace that are read one by one; more are listed."""


class HealthReader:
    """Reads the health of objects."""

    def __init__(
        self, objects: Objects, inventory: Inventory, pool: Executor, now: Callable[[], datetime], label: str
    ) -> None:
        """Take the doors, and the label that selects the objects of an Application."""
        self._objects = objects
        self._inventory = inventory
        self._pool = pool
        self._now = now
        self._label = label

    def read(self, record: Record, part_of: str, lives: Iterable[Live]) -> dict[ResourceKey, Health | None]:
        """The health of each object that is there. Raises ClusterError."""
        known = {live.key: live for live in lives if has_health(live.key.group, live.key.kind)}
        stale = [key for key, live in known.items() if not self._is_fresh(record, live)]
        for key, body in self._bodies(stale, part_of):
            if body is None:
                record.health.pop(key, None)
            else:
                version = body["metadata"].get("resourceVersion", "")
                record.health[key] = Judged(version, assess(body, now=self._now()))
        record.health = {key: judged for key, judged in record.health.items() if key in known}
        return {key: judged.health for key, judged in record.health.items()}

    def _is_fresh(self, record: Record, live: Live) -> bool:
        judged = record.health.get(live.key)
        newest = self._inventory.find(live.key) or live
        if judged is None or judged.version != newest.resource_version:
            return False
        until = judged.health.until if judged.health is not None else None
        return until is None or self._now() < until

    def _bodies(self, keys: list[ResourceKey], part_of: str) -> Iterable[tuple[ResourceKey, Body | None]]:
        groups: dict[tuple[str, str, str], list[ResourceKey]] = {}
        for key in keys:
            groups.setdefault((key.group, key.kind, key.namespace), []).append(key)
        singles: list[ResourceKey] = []
        for (group, name, namespace), members in groups.items():
            kind = self._objects.kinds.preferred(group, name)
            if kind is None or len(members) <= _FEW:
                singles += members
                continue
            listed = self._objects.list(kind, namespace, selector=f"{self._label}={part_of}", metadata=False)
            found = {item["metadata"]["name"]: item for item in listed.items}
            for key in members:
                body = found.get(key.name)
                typed = {"apiVersion": kind.api_version, "kind": kind.kind}
                yield key, {**typed, **body} if body is not None else None
        yield from zip(singles, self._pool.map(self._objects.find, singles), strict=True)
