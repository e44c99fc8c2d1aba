"""Objects for the tests of the door."""

from __future__ import annotations

from typing import Any

from gitops_bot.model.resource import ResourceKey


def config_map(namespace: str, name: str = "settings", labels: dict[str, str] | None = None, **data: str) -> Any:
    metadata = {"name": name, "namespace": namespace, "labels": labels or {}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def key_of(namespace: str, name: str = "settings") -> ResourceKey:
    return ResourceKey("", "ConfigMap", namespace, name)


def definition(group: str, *versions: str, stored: str = "v1") -> Any:
    """A CustomResourceDefinition of Cups, which serves these versions."""
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": f"cups.{group}"},
        "spec": {
            "group": group, "scope": "Namespaced", "names": {"kind": "Cup", "plural": "cups"},
            "versions": [
                {"name": each, "served": each in versions, "storage": each == stored, "schema": schema}
                for each in sorted({*versions, stored})
            ],
        },
    }  # fmt: skip
