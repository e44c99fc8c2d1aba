"""What differs between two renderings of one target: the values the diff engine hands to the review."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from gitops_bot.model.resource import ResourceKey
from gitops_bot.model.signal import Signal

Action = Literal["added", "changed", "removed"]

Bucket = Literal["added", "changed", "removed", "noise", "ignored"]
"""Where a differing resource is counted, exactly once.

``noise``: nothing but folded fields differs (chart version labels, checksum annotations).
``ignored``: nothing but what ``ignoreDifferences`` hides differs (folded fields may differ as well).
"""


class FieldChange(msgspec.Struct, frozen=True, kw_only=True):
    """One field that differs. Values of Secrets are masks, never content."""

    path: str
    """Readable path, list items by their key: ``spec.template.spec.containers[name=api].image``, ``args[2]``."""
    before: Any = msgspec.UNSET
    """UNSET where the field was not there."""
    after: Any = msgspec.UNSET
    """UNSET where the field is no longer there."""


class ResourceChange(msgspec.Struct, frozen=True, kw_only=True):
    """One resource that differs between two renderings of one target."""

    action: Action
    bucket: Bucket
    key: ResourceKey
    """Identity on the head side; on the base side for what was removed."""
    renamed_from: ResourceKey | None = None
    """Identity on the base side where the object was recognised under another name, else None."""
    api_version: str
    """Of the head side (base side for what was removed): ``apps/v1``."""
    hook: str | None = None
    """The sync phases of a hook as written (``PreSync``, ``pre-install``), None for an ordinary object."""
    fields: tuple[FieldChange, ...] = ()
    """What differs beyond folded and ignored fields, in path order; empty for added and removed objects."""
    noise: tuple[FieldChange, ...] = ()
    """Folded fields that differ: chart version labels, checksum annotations (values masked)."""
    hidden: int = 0
    """How many differing fields ``ignoreDifferences`` hides."""
    diff: str = ""
    """Unified diff (3 lines of context, no file headers) of the two objects as YAML after masking and folding."""
    images: tuple[tuple[str, str | None, str | None], ...] = ()
    """Container images that differ: (path, before, after), None where absent."""
    signals: tuple[Signal, ...] = ()
    """What ``inspect`` of ``manifests.compare.compare`` found; empty without it."""


class TargetChanges(msgspec.Struct, frozen=True, kw_only=True):
    """The comparison of two renderings of one target."""

    changes: tuple[ResourceChange, ...] = ()
    """In key order."""
    unchanged: int = 0
    """Resources equal on both sides after normalisation."""
    warnings: tuple[str, ...] = ()
    """What a reader must know and no change shows: duplicate resources and keys, a document that is no object."""
    repeated: tuple[tuple[ResourceKey, int], ...] = ()
    """Objects that the head side renders more often than the base side, and more than once: (key, how often)."""
