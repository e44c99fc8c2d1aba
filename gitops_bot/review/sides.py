"""Comparing the two sides of one target: its manifests, where they go, and its own definition where nobody shows it."""

from __future__ import annotations

from typing import Any

import msgspec

from gitops_bot.manifests.compare import compare
from gitops_bot.manifests.hashed_names import mask_pair_of_names
from gitops_bot.manifests.yaml import dump
from gitops_bot.model.application import IgnoreDifference
from gitops_bot.model.change import TargetChanges
from gitops_bot.model.target import Target


def compare_sides(before: bytes, after: bytes, *, was: str, now: str, **options: Any) -> TargetChanges:
    """The changes between two renders whose objects go to the namespaces ``was`` and ``now``.

    Where these differ, an object that names no namespace leaves the one and arrives in the other.
    """
    together = compare(before, after, namespace=now, **options)
    if was == now or not before or not after:
        return together
    before, after = mask_pair_of_names(before, after)
    gone = {change.key: change for change in compare(before, b"", namespace=was, **options).changes}
    new = {change.key: change for change in compare(b"", after, namespace=now, **options).changes}
    stay = [change for change in together.changes if change.key in gone and change.key in new]
    changes = [*stay, *(gone[key] for key in gone.keys() - new.keys()), *(new[key] for key in new.keys() - gone.keys())]
    return TargetChanges(
        changes=tuple(sorted(changes, key=lambda change: (change.key, change.action))),
        unchanged=len(gone.keys() & new.keys()) - len(stay),
        warnings=together.warnings,
        repeated=together.repeated,
    )


def definition(target: Target | None) -> bytes:
    """The target's Application as a manifest, ready to stand behind other manifests; empty without one."""
    if target is None or target.application is None:
        return b""
    body = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", **msgspec.to_builtins(target.application)}
    return b"---\n" + dump(body).encode()


def shared_rules(base: Target | None, head: Target | None) -> tuple[IgnoreDifference, ...]:
    """The ``ignoreDifferences`` that both sides have: a change must not hide itself by the rule that it adds."""
    sides = [side for side in (base, head) if side is not None]
    return tuple(rule for rule in sides[-1].ignore if rule in sides[0].ignore)
