"""How ApplicationSets merge: generator templates under templates, params over params, a patch into an Application."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def fill(value: Any, defaults: Any) -> Any:
    """``value`` where it says something, ``defaults`` where it is empty (null, ``""``, 0, false, [], {}), deeply.

    A generator's own ``template`` is completed with the ApplicationSet's this way. ``valuesObject`` is one value.
    """
    if not (isinstance(value, Mapping) and isinstance(defaults, Mapping)):
        return value or defaults
    keys = [*defaults, *(key for key in value if key not in defaults)]
    return {
        key: (value.get(key) or defaults.get(key)) if key == "valuesObject" else fill(value.get(key), defaults.get(key))
        for key in keys
    }


def override(lower: Mapping[str, Any], upper: Mapping[str, Any]) -> dict[str, Any]:
    """Both mappings' entries; where both have one ``upper`` wins, and mappings are merged deeply."""
    merged = dict(lower)
    for key, value in upper.items():
        below = merged.get(key)
        merged[key] = override(below, value) if isinstance(value, Mapping) and isinstance(below, Mapping) else value
    return merged


def patch(document: Any, change: Mapping[str, Any]) -> dict[str, Any]:
    """A document after Kubernetes' strategic merge with an Application's schema.

    That schema names no list keys, so lists are replaced, except ``metadata.finalizers``, which are united; null
    deletes an entry; ``$patch: replace`` replaces a mapping and ``$patch: delete`` empties it.
    """
    return _patched(document, change, ())


def _patched(document: Any, change: Mapping[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    directive = change.get("$patch")
    body = {key: value for key, value in change.items() if not key.startswith("$")}
    if directive == "delete":
        return {}
    merged = dict(document) if isinstance(document, Mapping) and directive != "replace" else {}
    for key, value in body.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping):
            merged[key] = _patched(merged.get(key), value, (*path, key))
        elif isinstance(value, list) and (*path, key) == ("metadata", "finalizers"):
            old = merged.get(key) or []
            merged[key] = [*old, *(entry for entry in value if entry not in old)]
        else:
            merged[key] = value
    return merged
