"""What the agent's decisions are made of: an object's metadata as the API server tells it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec

from gitops_bot.model.resource import ResourceKey

MANAGER = "gitops-bot"
"""Our field manager: everything that Git says is applied under this name."""
STATUS_MANAGER = "gitops-bot-status"
"""Our field manager for the status of Applications."""
REMOVAL_MANAGER = "gitops-bot-removal"
"""Our field manager for what is kept of an Application that Git does not define any more."""


class ManagedFields(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of ``metadata.managedFields``: which fields a manager owns."""

    manager: str
    operation: Literal["Apply", "Update"]
    api_version: str
    fields: Mapping[str, Any]
    """``fieldsV1``, as the API server writes it."""
    time: datetime | None = None
    """When the entry changed last, in whole seconds, aware; None where the server does not say."""
    subresource: str = ""
    """``status``, ``scale``; ``""`` for the object itself."""


class Live(msgspec.Struct, frozen=True, kw_only=True):
    """The metadata of an object in the cluster, of a full object or of a ``PartialObjectMetadata``."""

    key: ResourceKey
    api_version: str
    """As it was asked for: ``apps/v1``."""
    uid: str
    resource_version: str
    generation: int = 0
    """0 for kinds that have none (ConfigMap, Secret, Service)."""
    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}
    managed: tuple[ManagedFields, ...] = ()
    owned: bool = False
    """True when it has ownerReferences: a controller makes and removes it."""
    deleting: bool = False
    """True when it has a deletionTimestamp."""
    finalizers: tuple[str, ...] = ()


def live_of(body: Mapping[str, Any], key: ResourceKey) -> Live:
    """The metadata of an object's JSON, full or partial; ``key`` is its identity (partial ones do not say their kind).

    Raises KeyError for an object without uid, which no API server gives.
    """
    metadata = body["metadata"]
    return Live(
        key=key,
        api_version=str(body.get("apiVersion", "")),
        uid=metadata["uid"],
        resource_version=metadata.get("resourceVersion", ""),
        generation=metadata.get("generation", 0),
        labels=metadata.get("labels") or {},
        annotations=metadata.get("annotations") or {},
        managed=tuple(_managed(entry) for entry in metadata.get("managedFields") or ()),
        owned=bool(metadata.get("ownerReferences")),
        deleting="deletionTimestamp" in metadata,
        finalizers=tuple(metadata.get("finalizers") or ()),
    )


def _managed(entry: Mapping[str, Any]) -> ManagedFields:
    time = entry.get("time")
    return ManagedFields(
        manager=entry.get("manager", ""),
        operation="Apply" if entry.get("operation") == "Apply" else "Update",
        api_version=entry.get("apiVersion", ""),
        fields=entry.get("fieldsV1") or {},
        time=datetime.fromisoformat(time) if time else None,
        subresource=entry.get("subresource", ""),
    )


def key_in(kind: tuple[str, str], body: Mapping[str, Any]) -> ResourceKey:
    """The identity of an object of a group and kind, which an item of a list does not name itself."""
    metadata = body["metadata"]
    return ResourceKey(*kind, metadata.get("namespace") or "", metadata["name"])


def is_newer(version: str, than: str) -> bool:
    """Whether a resourceVersion is later than another; those that are no numbers are only the same or not."""
    if version.isdigit() and than.isdigit():
        return int(version) > int(than)
    return version != than


class Heard:
    """How far a watch has told of a kind: what tells whether the answer to a write of ours is ahead of it or behind."""

    def __init__(self) -> None:
        """Begin with nothing told."""
        self._version = ""

    def hear(self, version: str) -> None:
        """Take that everything was told up to a version."""
        self._version = version

    def covers(self, version: str) -> bool:
        """Whether what was so in this version, and is not known, is gone since."""
        return self._version != "" and not is_newer(version, self._version)

    def hear_list(self, version: str) -> bool:
        """Take that a list is the truth of a version; whether what is known in a newer one may still hold.

        A cluster that was restored from a backup has older versions than were told before: then nothing may.
        """
        behind = version == "" or (self._version != "" and is_newer(self._version, version))
        self._version = version
        return not behind
