"""Which Applications may go when Git does not define them any more: their finalizers take their objects along. Pure.

Ours: what one commit would delete through them is held by the same guards as a prune (``guards``).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gitops_bot.agent.application.record import GUARD, AppObject
from gitops_bot.agent.rules import guards
from gitops_bot.model.settings import PruneGuard


class Removal(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of one Application that Git does not define any more."""

    app: AppObject
    reason: str
    """Why it is held until somebody approves it, ``""`` when it may go."""


def removals(gone: Sequence[AppObject], made: int, guard: PruneGuard) -> tuple[Removal, ...]:
    """What becomes of each; ``made`` counts all Applications that were made from Git, those that are gone included."""
    limits = [_limits(app, guard) for app in gone]
    many = any(len(gone) > each.objects and len(gone) * 100 > each.percent * made for each in limits)
    at_once = f"{len(gone):,} of {made:,} Applications would go at once" if many else ""
    return tuple(Removal(app=app, reason=at_once or _held(app, each)) for app, each in zip(gone, limits, strict=True))


def _held(app: AppObject, limits: guards.Limits) -> str:
    if not app.cascades:
        return ""
    resources = app.status.resources
    for each in resources:
        meaning = guards.PRECIOUS.get((each.group, each.kind))
        # Definitions outlive their Application (2.13).
        if meaning is not None and each.kind != "CustomResourceDefinition":
            return f"{each.key} would go with it unless another Application has it by now, and {meaning}"
    if len(resources) > limits.objects and limits.percent < 100:
        return f"{len(resources):,} objects would go with it"
    return ""


def _limits(app: AppObject, guard: PruneGuard) -> guards.Limits:
    now = guards.limits_of(app.annotations, percent=guard.percent, objects=guard.objects, allow_empty=True)
    return guards.in_force(app.annotations.get(GUARD), now)
