"""Watches what defines kinds: CustomResourceDefinitions, and the API servers that stand beside Kubernetes' own."""

from __future__ import annotations

from gitops_bot.doors.cluster.objects import Objects
from gitops_bot.doors.cluster.watch import Chosen, Event, Snapshot, Watcher

_DEFINING = (
    ("apiextensions.k8s.io", "CustomResourceDefinition"),
    ("apiregistration.k8s.io", "APIService"),
)


class KindWatch:
    """Has the kinds asked for anew whenever somebody changes what there is, until it is closed."""

    def __init__(self, objects: Objects) -> None:
        """Take the objects whose kinds are kept up to date."""
        self._objects = objects
        self._watcher = Watcher(objects, Chosen(), self._told)
        self._versions: dict[str, dict[str, str]] = {}
        """Kind → name → version of what defines kinds."""

    def start(self) -> None:
        """Begin. Raises ClusterError."""
        kinds = [self._objects.kinds.preferred(*each) for each in _DEFINING]
        for kind in kinds:
            if kind is not None:
                self._watcher.watch(kind)

    def close(self) -> None:
        """End the watches."""
        self._watcher.close()

    def _told(self, told: Snapshot | Event) -> None:
        kind = told.kind.kind
        known = self._versions.get(kind)
        if isinstance(told, Snapshot):
            now = {body["metadata"]["name"]: body["metadata"].get("resourceVersion", "") for body in told.items}
        else:
            metadata = told.body["metadata"]
            now = {**(known or {}), metadata["name"]: metadata.get("resourceVersion", "")}
            if told.type == "DELETED":
                del now[metadata["name"]]
        self._versions[kind] = now
        # A list that says what was known tells of no change: a server that has just started has not all kinds yet.
        if known is not None and known != now:
            self._objects.kinds_changed()
