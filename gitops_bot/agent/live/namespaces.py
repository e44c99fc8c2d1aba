"""``CreateNamespace=true``: the destination's namespace, made before anything else, and never pruned.

Without part-of label and tracking id it is nobody's to prune. Labels of Pod Security decide what its pods may do: those
of a namespace that exists are never changed (ours).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from gitops_bot.agent.ownership.managed import beyond, ours
from gitops_bot.agent.rules.policy import NamespaceMetadata
from gitops_bot.agent.values import MANAGER, Live, live_of
from gitops_bot.doors.cluster.objects import Body, Objects
from gitops_bot.model.application import Application
from gitops_bot.model.resource import ResourceKey

_SECURITY = "pod-security.kubernetes.io/"


class Housing(NamedTuple):
    """The destination's namespace, compared."""

    key: ResourceKey
    differs: bool = False
    """Whether it does not carry what ``managedNamespaceMetadata`` says, or more of ours than that."""
    note: str = ""
    """What Git says of Pod Security that does not come about, ``""`` for nothing."""


def namespace_of(application: Application, wanted: Collection[ResourceKey]) -> ResourceKey | None:
    """The namespace that ``CreateNamespace=true`` is about.

    None where the destination names none, and where it is among the Application's own objects (Argo CD's rule).
    """
    name = application.spec.destination.namespace
    key = ResourceKey("", "Namespace", "", name)
    return key if name and key not in wanted else None


def compared(objects: Objects, key: ResourceKey, metadata: NamespaceMetadata) -> Housing:
    """How a namespace differs from what it is to carry. Raises ClusterError."""
    live = _find(objects, key)
    if live is None:
        return Housing(key, differs=True)
    body = _body(key, metadata, live)
    carried = all(
        (body["metadata"].get(field) or {}).items() <= values.items()
        for field, values in (("labels", live.labels), ("annotations", live.annotations))
    )
    entry = ours(live.managed)
    return Housing(key, not carried or bool(entry and beyond(entry.fields, body)), _note(key, metadata, live))


def ensure_namespace(
    objects: Objects, application: Application, metadata: NamespaceMetadata | None, wanted: Collection[ResourceKey]
) -> None:
    """Make the namespace where it is not there, and give it what ``managedNamespaceMetadata`` says.

    Raises ClusterError.
    """
    key = namespace_of(application, wanted)
    if key is None:
        return
    live = _find(objects, key)
    if live is None or metadata is not None:
        objects.apply(_body(key, metadata or NamespaceMetadata(), live), key, MANAGER)


def _find(objects: Objects, key: ResourceKey) -> Live | None:
    body = objects.find(key, "v1")
    return live_of(body, key) if body is not None else None


def _body(key: ResourceKey, metadata: NamespaceMetadata, live: Live | None) -> Body:
    """What is applied; what we have given a namespace of Pod Security is said again, or it would be taken away."""
    labels: Mapping[str, str] = metadata.labels
    if live is not None:
        entry = ours(live.managed)
        mine = entry.fields.get("f:metadata", {}).get("f:labels", {}) if entry is not None else {}
        labels = {name: text for name, text in labels.items() if not name.startswith(_SECURITY)} | {
            name: text for name, text in live.labels.items() if name.startswith(_SECURITY) and f"f:{name}" in mine
        }
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": key.name,
            **({"labels": dict(labels)} if labels else {}),
            **({"annotations": dict(metadata.annotations)} if metadata.annotations else {}),
        },
    }


def _note(key: ResourceKey, metadata: NamespaceMetadata, live: Live) -> str:
    others = [
        f"{name} of the namespace {key.name} is {live.labels.get(name, 'not set')} and stays so, although "
        f"managedNamespaceMetadata says {text}"
        for name, text in sorted(metadata.labels.items())
        if name.startswith(_SECURITY) and live.labels.get(name) != text
    ]
    return f"{'; '.join(others)}: change it in the cluster if that is meant" if others else ""
