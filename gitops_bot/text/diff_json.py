"""The report as JSON, and its schema: what ``gitops-bot diff --format json`` writes and others rely on."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from gitops_bot.model.report import Report

_OPTIONAL = {"FieldChange": ("before", "after")}
"""Fields that are left out where the object has no such field; all others are always written."""


def encode_report(report: Report) -> bytes:
    r"""Write the report as indented UTF-8 JSON that ends in a line feed: same report, same bytes.

    What JSON cannot hold is written as text: infinite numbers and NaN as YAML writes them (``.inf``, ``.nan``), keys
    that are no strings as their YAML text, bytes of a path that are not UTF-8 as ``\udcXX``.
    """
    plain = _plain(msgspec.to_builtins(report), foreign=False)
    return msgspec.json.format(msgspec.json.encode(plain), indent=2) + b"\n"


def schema() -> bytes:
    """Generate the JSON schema (2020-12) of the report from its types, as indented JSON that ends in a line feed."""
    (root,), types = msgspec.json.schema_components([Report], ref_template="#/$defs/{name}")
    for name, definition in types.items():
        definition["required"] = [field for field in definition["properties"] if field not in _OPTIONAL.get(name, ())]
        for field in definition["properties"].values():
            field.pop("default", None)
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "gitops-bot diff",
        **root,
        "$defs": dict(sorted(types.items())),
    }
    return msgspec.json.format(msgspec.json.encode(whole), indent=2) + b"\n"


def _plain(value: Any, *, foreign: bool) -> Any:
    """Copy a value so that JSON can hold it; ``foreign`` maps (a user's field) are sorted by key."""
    if isinstance(value, dict):
        items = [
            (_key(key), _plain(item, foreign=foreign or key in ("before", "after"))) for key, item in value.items()
        ]
        return dict(sorted(items, key=lambda item: item[0]) if foreign else items)
    if isinstance(value, list | tuple):
        return [_plain(item, foreign=foreign) for item in value]
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    return value


def _key(key: Any) -> str:
    """Write a map's key as text, as YAML would."""
    if isinstance(key, bool):
        return "true" if key else "false"
    return "null" if key is None else str(_plain(key, foreign=True))
