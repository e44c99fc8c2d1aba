"""``CreateNamespace=true``: the destination's namespace, made before anything else, and never pruned."""

from __future__ import annotations

from collections.abc import Iterable

from gitops_bot.agent.application.record import AppObject
from gitops_bot.agent.live.comparison import Compared
from gitops_bot.agent.rules.policy import NamespaceMetadata
from gitops_bot.agent.values import MANAGER
from gitops_bot.doors.cluster.objects import Body, Objects
from gitops_bot.model.resource import ResourceKey

LOWERING = "pod-security.kubernetes.io/"
"""Labels that decide what pods of a namespace may do: those of one that exists already are never changed."""


def ensure_namespace(
    objects: Objects, app: AppObject, metadata: NamespaceMetadata | None, wanted: Iterable[Compared]
) -> None:
    """Make the namespace where it is not there, and give it what ``managedNamespaceMetadata`` says.

    Nothing is done where the namespace is among the Application's own objects (Argo CD's rule). Without part-of label
    and tracking id it is nobody's to prune. Raises ClusterError.
    """
    name = app.application.spec.destination.namespace
    if not name or any((each.key.kind, each.key.name) == ("Namespace", name) for each in wanted):
        return
    key = ResourceKey("", "Namespace", "", name)
    there = objects.find(key, "v1")
    if there is not None and metadata is None:
        return
    labels = dict(metadata.labels) if metadata is not None else {}
    if there is not None:
        labels = {label: value for label, value in labels.items() if not label.startswith(LOWERING)}
    body: Body = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": name,
            **({"labels": labels} if labels else {}),
            **({"annotations": dict(metadata.annotations)} if metadata is not None and metadata.annotations else {}),
        },
    }
    objects.apply(body, key, MANAGER)
