"""Signals: what a reviewer must not miss in a change, each with an id that stays the same from version to version.

``docs/reference/signals.md`` explains every one; settings silence them by id (``review.silence``), from the base
revision only. A message may quote names, images, sizes and numbers, never a value that could be a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

import msgspec

Severity = Literal["error", "warning", "info"]
"""``error``: the cluster will refuse it, data may be lost, or somebody gets the whole cluster. ``warning``: somebody
should look. ``info``: good to know."""

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")
"""Worst first."""


class Meaning(NamedTuple):
    """What a signal stands for."""

    severity: Severity
    """The worst severity that it is raised with."""
    title: str
    """A few words for headings: ``image without a fixed tag``."""
    explanation: str
    """One or two sentences: why it matters and what to do."""


class Signal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """One thing that a change does, to one object or to a target as a whole."""

    id: str
    """A key of ``CATALOGUE``."""
    severity: Severity
    message: str
    """One line: what happens, to what."""
    group: str = ""
    kind: str = ""
    """Kind of the object, ``""`` for a target as a whole."""
    namespace: str = ""
    name: str = ""
    path: str = ""
    """Field of the object, written as in ``FieldChange.path``; ``""`` for the object as a whole."""


CATALOGUE: Mapping[str, Meaning] = {
    "data-deletion": Meaning(
        "error",
        "deletion of data",
        "A Namespace, CustomResourceDefinition, PersistentVolume, PersistentVolumeClaim or a StatefulSet with claims "
        "goes, and what hangs on it may go along. What has to stay needs the sync option `Prune=false`, merged and "
        "synced before this change: it counts on the object in the cluster.",
    ),
    "deletion": Meaning(
        "warning",
        "deletion",
        "The object is gone from Git and will be deleted from the cluster. What has to stay needs the sync option "
        "`Prune=false`, merged and synced before this change.",
    ),
    "immutable-field": Meaning(
        "error",
        "change of an immutable field",
        "The API server refuses to change this field: the sync will fail until the object is deleted and created anew, "
        "by hand or by the sync options `Replace=true,Force=true`.",
    ),
    "selector-change": Meaning(
        "error",
        "change of a selector",
        "A workload's selector cannot be changed, and a Service's decides where traffic goes: pods may be orphaned or "
        "traffic lost.",
    ),
    "volume-shrink": Meaning(
        "error", "smaller volume", "The API server refuses to make a volume claim smaller: the sync will fail."
    ),
    "scaled-to-zero": Meaning(
        "warning", "scaled to zero", "What ran before will not run any more. A zero by mistake is an outage."
    ),
    "probe-lost": Meaning(
        "warning",
        "probe lost",
        "Without a readiness probe a pod gets traffic before it can answer; without a liveness probe one that hangs "
        "stays as it is.",
    ),
    "image-latest": Meaning(
        "warning",
        "image without a fixed tag",
        "Without a tag, or with `latest`, the cluster may run another image tomorrow than was reviewed today. Name a "
        "tag or a digest.",
    ),
    "image-moved": Meaning(
        "warning",
        "image from elsewhere",
        "The container keeps its name and gets its image from another registry or repository. Check that it is the one "
        "that is meant, and that the cluster may pull it.",
    ),
    "rbac-widening": Meaning(
        "error",
        "wider permissions",
        "Somebody may do more than before in the cluster. Check that each new verb, resource and subject is needed. An "
        "error only where it is everything (`cluster-admin`).",
    ),
    "privileged": Meaning(
        "warning",
        "privileged container",
        "The container gets rights over its node (privileged mode, added capabilities, host namespaces, escalation, "
        "root, its ports), or its namespace stops forbidding them.",
    ),
    "host-path": Meaning(
        "warning",
        "host path",
        "A pod gets a directory of its node, and what reads or writes there can leave the pod.",
    ),
    "service-exposed": Meaning(
        "warning",
        "reachable from outside",
        "A Service opens to networks outside the cluster (`LoadBalancer`, `NodePort`, `externalIPs`), past any Ingress "
        "and what that checks.",
    ),
    "plaintext-secret": Meaning(
        "warning",
        "secret in Git",
        "A Secret's value can be read by whoever reads the repository, or the chart makes it up, and it stays in Git's "
        "history. Use Sealed Secrets, External Secrets or SOPS, and change the value.",
    ),
    "removed-api": Meaning(
        "error",
        "API version that is gone",
        "The target cluster's Kubernetes, or the kind's CustomResourceDefinition, no longer serves this API version: "
        "applying it will fail.",
    ),
    "schema": Meaning(
        "error",
        "not valid for the cluster",
        "The object does not match the schema of the target cluster's Kubernetes version.",
    ),
    "duplicate-resource": Meaning(
        "warning",
        "object rendered twice",
        "One object stands in the rendering more than once: the last one wins, and it is easy to edit the wrong one.",
    ),
    "duplicate-list-key": Meaning(
        "error",
        "duplicate list key",
        "Two items of a list have the same key: the API server or server-side apply refuses the object, and where "
        "neither does, one of the two is lost.",
    ),
    "project-forbids": Meaning(
        "error",
        "not allowed by its AppProject",
        "The AppProject does not allow this namespace, kind, source or destination: the sync will be refused.",
    ),
    "project-widened": Meaning(
        "warning",
        "wider AppProject",
        "Applications may do more than before: other sources, clusters, namespaces or kinds. Check that each is "
        "needed.",
    ),
    "ignore-widened": Meaning(
        "warning",
        "more is ignored",
        "`ignoreDifferences` hides more than before, from Argo CD's comparison and from reviews of later changes. Keep "
        "rules to the fields that something else sets, of named kinds.",
    ),
    "mutable-model": Meaning(
        "error",
        "mutable model reference",
        "A protected environment names a model by something that can move (`latest`, an alias, a stage). Name a "
        "version.",
    ),
    "major-version": Meaning(
        "warning",
        "major version jump",
        "A new major version may break what relied on the old one. Read its release notes.",
    ),
}
"""By id, in the order in which the reference explains them."""
