"""Every signal that one object's change raises."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import msgspec

from gitops_bot.model.resource import ResourceKey
from gitops_bot.model.signal import Signal
from gitops_bot.review.signals.definitions import unserved_versions
from gitops_bot.review.signals.deletion import deletions, reclaims
from gitops_bot.review.signals.edit import Edit
from gitops_bot.review.signals.exposure import exposures
from gitops_bot.review.signals.host_paths import host_paths
from gitops_bot.review.signals.ignoring import ignored_differences
from gitops_bot.review.signals.images import floating_images, moved_images
from gitops_bot.review.signals.immutable import immutable_fields
from gitops_bot.review.signals.lists import duplicate_keys
from gitops_bot.review.signals.privileged import privileges
from gitops_bot.review.signals.probes import lost_probes
from gitops_bot.review.signals.rbac import widened
from gitops_bot.review.signals.scale import scaled_to_zero
from gitops_bot.review.signals.secrets import plaintext_secrets
from gitops_bot.review.signals.selectors import selector_changes
from gitops_bot.review.signals.versions import major_versions
from gitops_bot.review.signals.volumes import volume_shrinks

MOST = 20
"""Signals of one id about one object; the rest is counted in one more."""
_VERSION = re.compile(r"v?(\d{1,3})\.(\d{1,4})(?!\d)", re.ASCII)

_FAMILIES: tuple[Callable[[Edit], Iterator[Signal]], ...] = (
    reclaims,
    selector_changes,
    volume_shrinks,
    scaled_to_zero,
    lost_probes,
    floating_images,
    moved_images,
    widened,
    privileges,
    host_paths,
    exposures,
    plaintext_secrets,
    duplicate_keys,
    unserved_versions,
    ignored_differences,
    major_versions,
)
"""What looks at objects that stay or come, in the order of the catalogue."""


class ObjectRules(msgspec.Struct, frozen=True):
    """What ``manifests.compare.compare`` asks about each object that differs, as its ``inspect``."""

    kube_version: str = ""
    """Of the target's cluster: ``1.36``; ``""`` when unknown, which is taken for the newest."""
    replaces: bool = False
    """Whether the target's Application replaces its objects: ``syncOptions: [Replace=true]``."""

    def __call__(
        self, key: ResourceKey, before: dict[str, Any] | None, after: dict[str, Any] | None
    ) -> tuple[Signal, ...]:
        """What the change introduces; troubles that were there before raise nothing. At most ``MOST`` of one id."""
        edit = Edit(key, before, after, replaces=self.replaces)
        found = chain(deletions(edit), immutable_fields(edit, self._version()))
        if after is not None:
            found = chain(found, *(family(edit) for family in _FAMILIES))
        return _bounded(found, edit)

    def _version(self) -> tuple[int, int] | None:
        match = _VERSION.match(self.kube_version)
        return (int(match[1]), int(match[2])) if match else None


def _bounded(signals: Iterator[Signal], edit: Edit) -> tuple[Signal, ...]:
    """Each signal once, and of each id no more than can be read."""
    found: dict[str, list[Signal]] = {}
    for signal in dict.fromkeys(signals):
        found.setdefault(signal.id, []).append(signal)
    kept: list[Signal] = []
    for id_, each in found.items():
        kept += each[:MOST]
        if len(each) > MOST:
            worst = min(each[MOST:], key=lambda signal: ("error", "warning", "info").index(signal.severity)).severity
            kept.append(edit.signal(id_, f"and {len(each) - MOST:,} more of this kind", severity=worst))
    return tuple(kept)
