"""Masks over what nobody may read: values of Secrets, and checksums made from them.

Masking goes in pairs, per object and key: the two sides of one value show whether it changed and nothing more. No mask
says anything about another key or another object.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, cast

import msgspec

from gitops_bot.manifests.yaml import Unchanged

SECRET = "<secret>"
SECRET_CHANGED = "<secret, changed>"
CHECKSUM = "<checksum>"
CHECKSUM_CHANGED = "<checksum, changed>"
CHECKSUM_PREFIX = "checksum/"

_SHOWN = frozenset(("apiVersion", "kind", "metadata", "type", "immutable", "sops"))
"""Fields of a Secret that hold no secret; everything else is masked, so a misplaced value does not show either."""
_COPIES = ("kubectl.kubernetes.io/last-applied-configuration",)
"""Annotations that repeat the whole object."""


def is_secret(body: dict[str, Any]) -> bool:
    """Whether the object is a Secret, of whatever group and version."""
    return body.get("kind") == "Secret"


def mask_pair(before: dict[str, Any], after: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both sides of one object with every secret masked; new values for Secrets, the arguments themselves for others.

    Checksums are ``hide_checksums``' part, because they are compared where they stand.
    """
    return _mask_secrets(before, after) if is_secret(before) or is_secret(after) else (before, after)


def mask(body: dict[str, Any]) -> dict[str, Any]:
    """One object that has no other side, with every secret and checksum masked."""
    return cast("dict[str, Any]", shown(hide_checksums(mask_pair(body, body)[0])))


def _mask_secrets(before: dict[str, Any], after: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    left, right = dict(before), dict(after)
    for field in {*before, *after} - _SHOWN:
        _mask_field(left, right, field, decode=field == "data")
    for side in (left, right):
        if isinstance(side.get("metadata"), dict):
            side["metadata"] = dict(side["metadata"])
    annotations = [side["metadata"].get("annotations") if isinstance(side.get("metadata"), dict) else None
                   for side in (left, right)]  # fmt: skip
    copies = [dict(each) if isinstance(each, dict) else {} for each in annotations]
    for name in _COPIES:
        _mask_value(copies[0], copies[1], name, decode=False)
    for side, given, masked in zip((left, right), annotations, copies, strict=True):
        if isinstance(given, dict):
            side["metadata"]["annotations"] = masked
    return left, right


def _mask_field(left: dict[str, Any], right: dict[str, Any], field: str, decode: bool) -> None:
    """Mask one top-level field of a Secret on both sides, per key where both have maps (or only one has it)."""
    maps = [side[field] for side in (left, right) if field in side]
    if not all(isinstance(each, dict) for each in maps):
        _mask_value(left, right, field, decode=False)
        return
    masked = [dict(side[field]) if field in side else {} for side in (left, right)]
    for key in {*masked[0], *masked[1]}:
        _mask_value(masked[0], masked[1], key, decode)
    for side, values in zip((left, right), masked, strict=True):
        if field in side:
            side[field] = values


def _mask_value(left: dict[str, Any], right: dict[str, Any], key: str, decode: bool) -> None:
    changed = key in left and key in right and _bytes(left[key], decode) != _bytes(right[key], decode)
    if key in left:
        left[key] = SECRET
    if key in right:
        right[key] = SECRET_CHANGED if changed else SECRET


def _bytes(value: Any, decode: bool) -> bytes:
    """What is compared: the decoded bytes of valid base64, else the value as it is written."""
    if decode and isinstance(value, str):
        try:
            return b"b" + base64.b64decode(value.replace("\n", "").replace("\r", ""), validate=True)
        except (binascii.Error, ValueError):
            return b"t" + value.encode("utf-8", "surrogatepass")
    return b"v" + msgspec.json.encode(value, order="deterministic")


class Checksum:
    """A checksum's value: compared, never shown."""

    __slots__ = ("_value",)

    def __init__(self, value: Any) -> None:
        self._value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Checksum) and self._value == other._value

    def __hash__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return CHECKSUM


def hide_checksums(value: Any) -> Any:
    """The value with ``checksum/…`` annotations as ``Checksum``, wherever an object or a pod template has them."""
    if isinstance(value, dict):
        return {
            key: _hide_annotations(item)
            if key == "annotations" and isinstance(item, dict)
            else hide_checksums(item)
            if isinstance(item, (dict, list))
            else item
            for key, item in value.items()
        }
    return [hide_checksums(item) for item in value] if isinstance(value, list) else value


def _hide_annotations(annotations: dict[str, Any]) -> dict[str, Any]:
    return {key: Checksum(item) if key.startswith(CHECKSUM_PREFIX) else item for key, item in annotations.items()}


def shown(value: Any) -> Any:
    """The value with a mask for every checksum, ready to leave the engine."""
    if isinstance(value, Checksum):
        return CHECKSUM
    if isinstance(value, Unchanged):
        return f"({value.lines:,} unchanged lines)"
    if isinstance(value, dict):
        return {key: shown(item) for key, item in value.items()}
    return [shown(item) for item in value] if isinstance(value, list) else value
