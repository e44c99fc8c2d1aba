"""The identity of a Kubernetes object inside one target."""

from __future__ import annotations

from typing import NamedTuple


class ResourceKey(NamedTuple):
    """Group, kind, namespace and name: what the API server tells objects apart by (the version is not part of it)."""

    group: str
    """API group, ``""`` for core."""
    kind: str
    namespace: str
    """``""`` for cluster-scoped kinds."""
    name: str
    """``metadata.name``, or ``metadata.generateName`` followed by ``*``."""

    def __str__(self) -> str:
        """``Deployment.apps/churn/churn-api``, without the parts that are empty."""
        kind = f"{self.kind}.{self.group}" if self.group else self.kind
        return "/".join(part for part in (kind, self.namespace, self.name) if part)
