"""Volume claims that are asked to become smaller."""

from __future__ import annotations

from collections.abc import Iterator

from gitops_bot.manifests.quantity import amount
from gitops_bot.model.signal import Signal
from gitops_bot.review.signals.edit import Edit
from gitops_bot.review.signals.values import at
from gitops_bot.review.signals.words import short

_STORAGE = ("spec", "resources", "requests", "storage")


def volume_shrinks(edit: Edit) -> Iterator[Signal]:
    """Raise a PersistentVolumeClaim that asks for less than before.

    Templates of claims in a StatefulSet cannot change at all, in either direction: they belong to ``immutable``.
    """
    if edit.type != ("", "PersistentVolumeClaim") or not edit.updated or edit.recreated:
        return
    old, new = at(edit.before, *_STORAGE), at(edit.after, *_STORAGE)
    before, after = amount(old), amount(new)
    if before is not None and after is not None and after < before:
        yield edit.signal("volume-shrink", f"storage {short(old)} → {short(new)}", path=".".join(_STORAGE))
