"""What the API server would default or convert the same way on both sides, and nothing else.

Quantities at the paths of built-in types, ``protocol: TCP``, nulls, empty maps that mean "none", ``stringData``.
Values are never changed in place.
"""

from __future__ import annotations

import base64
from typing import Any, cast

from gitops_bot.manifests.objects import group_of
from gitops_bot.manifests.quantity import canonical_quantity

_EMPTY_IS_NONE = frozenset(
    ("annotations", "binaryData", "data", "labels", "limits", "matchLabels", "nodeSelector", "requests", "resources",
     "stringData")
)  # fmt: skip
"""Maps whose empty form the API server does not tell from their absence."""
_QUANTITY_MAPS = frozenset(("limits", "requests", "capacity", "hard", "default", "defaultRequest", "max", "min",
                            "maxLimitRequestRatio", "overhead", "podFixed"))  # fmt: skip
_QUANTITY_FIELDS = frozenset(("sizeLimit", "divisor", "averageValue"))
_QUANTITY_MAP_KINDS = {
    "capacity": ("PersistentVolume",),
    "hard": ("ResourceQuota",),
    "default": ("LimitRange",),
    "defaultRequest": ("LimitRange",),
    "max": ("LimitRange",),
    "min": ("LimitRange",),
    "maxLimitRequestRatio": ("LimitRange",),
    "podFixed": ("RuntimeClass",),
}


def is_built_in(api_version: str) -> bool:
    """Whether a group is the API server's own: its types are converted, a custom resource is stored as written."""
    group = group_of(api_version)
    return "." not in group or group in _GROUPS


_GROUPS = frozenset(
    {
        "admission.k8s.io", "admissionregistration.k8s.io", "apiextensions.k8s.io", "apiregistration.k8s.io",
        "authentication.k8s.io", "authorization.k8s.io", "certificates.k8s.io", "coordination.k8s.io",
        "discovery.k8s.io", "events.k8s.io", "flowcontrol.apiserver.k8s.io", "imagepolicy.k8s.io",
        "internal.apiserver.k8s.io", "lifecycle.k8s.io", "networking.k8s.io", "node.k8s.io",
        "rbac.authorization.k8s.io", "resource.k8s.io", "scheduling.k8s.io", "storage.k8s.io",
        "storagemigration.k8s.io",
    }
)  # fmt: skip
"""Kubernetes' own groups with a dot, which every custom resource's group has; others under ``k8s.io`` are installed."""


def normalise(body: dict[str, Any]) -> dict[str, Any]:
    """The object in the form both sides share; a new value, the argument stays as it is."""
    kind = body["kind"]
    if not is_built_in(body["apiVersion"]):
        return cast("dict[str, Any]", _without_nulls(body))
    if kind in ("Secret", "ConfigMap") and group_of(body["apiVersion"]) == "":
        body = _with_texts(body)
        if kind == "Secret":
            body = _with_data(body)
    return cast("dict[str, Any]", _built_in(body, kind, ""))


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {key: _without_nulls(item) for key, item in value.items() if item is not None}
        metadata = kept.get("metadata")
        if isinstance(metadata, dict) and "apiVersion" in kept:
            kept["metadata"] = {
                key: item for key, item in metadata.items() if not (key in ("labels", "annotations") and item == {})
            }
        return kept
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def _with_texts(body: dict[str, Any]) -> dict[str, Any]:
    """Data of ConfigMaps and Secrets are texts: null reads as the empty one."""
    texts = {
        field: {key: "" if item is None else item for key, item in body[field].items()}
        for field in ("data", "stringData", "binaryData")
        if isinstance(body.get(field), dict)
    }
    return {**body, **texts}


def _with_data(body: dict[str, Any]) -> dict[str, Any]:
    """A Secret's ``stringData`` as ``data``, which it overrides; left alone where it is no map of texts."""
    given = body.get("stringData")
    if not isinstance(given, dict) or not all(isinstance(item, str) for item in given.values()):
        return body
    data = body.get("data") or {}
    if not isinstance(data, dict):
        return body
    encoded = {key: base64.b64encode(item.encode("utf-8", "surrogatepass")).decode() for key, item in given.items()}
    return {**{key: item for key, item in body.items() if key != "stringData"}, "data": {**data, **encoded}}


def _built_in(value: Any, kind: str, field: str) -> Any:
    """A part of a built-in object; ``field`` is the key it hangs on (a list's items have the list's)."""
    if isinstance(value, list):
        items = [_built_in(item, kind, field) for item in value]
        return [_with_protocol(item) for item in items] if field == "ports" else items
    if not isinstance(value, dict):
        return canonical_quantity(value) if _is_quantity(field, kind) else value
    if kind == "CustomResourceDefinition" and field in ("properties", "openAPIV3Schema"):
        return value
    if kind in ("Secret", "ConfigMap") and field in ("data", "binaryData", "stringData"):
        return value
    if _is_quantity_map(field, kind):
        return {key: canonical_quantity(item) for key, item in value.items() if item is not None}
    kept = {}
    for key, item in value.items():
        if item is None:
            continue
        item = _built_in(item, kind, key)
        if item == {} and isinstance(item, dict) and key in _EMPTY_IS_NONE:
            continue
        kept[key] = item
    return kept


def _is_quantity_map(field: str, kind: str) -> bool:
    return field in _QUANTITY_MAPS and kind in _QUANTITY_MAP_KINDS.get(field, (kind,))


def _is_quantity(field: str, kind: str) -> bool:
    return field in _QUANTITY_FIELDS or (field == "value" and kind == "HorizontalPodAutoscaler")


def _with_protocol(port: Any) -> Any:
    if isinstance(port, dict) and ("port" in port or "containerPort" in port) and "protocol" not in port:
        return {**port, "protocol": "TCP"}
    return port
