"""Masks over what nobody may read: values of Secrets, what is named or looks like a secret, and checksums of both.

Masking goes in pairs, per object and key: the two sides of one value show whether it changed and nothing more. No mask
says anything about another key or another object. ``secret_names`` and ``secret_text`` have the rules.
"""

from __future__ import annotations

from typing import Any, cast

from gitops_bot.manifests.hidden import SECRET, SECRET_CHANGED, is_secret, resolve, unveil, veil, veil_any
from gitops_bot.manifests.secret_names import is_checksum_annotation
from gitops_bot.manifests.secret_text import replace, spans
from gitops_bot.manifests.yaml import Unchanged

__all__ = ["CHECKSUM", "CHECKSUM_CHANGED", "SECRET", "SECRET_CHANGED", "Checksum", "hide_checksums", "is_secret",
           "mask", "mask_pair", "shown"]  # fmt: skip

CHECKSUM = "<checksum>"
CHECKSUM_CHANGED = "<checksum, changed>"


def mask_pair(
    before: dict[str, Any], after: dict[str, Any], *, built_in: bool = True
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both sides of one object with every secret masked: new values, or the arguments where there is none.

    ``built_in`` says how lists are paired, see ``lists.align``. Checksums in annotations are ``hide_checksums``' part,
    because they are compared where they stand.
    """
    left = veil(before)
    right = left if after is before else veil(after)
    if left is before and right is after:
        return before, after
    return resolve(left, right, built_in=built_in)


def mask_text(text: str) -> str:
    """A text with a mask for each part that looks like a secret or that it gives to a name of one."""
    return replace(text, ((span, SECRET) for span in spans(text)))


def mask_value(value: Any) -> Any:
    """Any plain value with every secret masked."""
    return unveil(veil_any(value))


def mask(body: dict[str, Any]) -> dict[str, Any]:
    """One object that has no other side, with every secret and checksum masked."""
    return cast("dict[str, Any]", shown(hide_checksums(mask_pair(body, body)[0])))


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
    """The value with checksum annotations as ``Checksum``, wherever an object or a pod template has them."""
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
    return {key: Checksum(item) if is_checksum_annotation(key, item) else item for key, item in annotations.items()}


def shown(value: Any) -> Any:
    """The value with a mask for every checksum, ready to leave the engine."""
    if isinstance(value, Checksum):
        return CHECKSUM
    if isinstance(value, Unchanged):
        return f"({value.lines:,} unchanged lines)"
    if isinstance(value, dict):
        return {key: shown(item) for key, item in value.items()}
    return [shown(item) for item in value] if isinstance(value, list) else value
