"""What of the prune candidates may go now: who holds it, since when, and whether somebody approved exactly that.

The guards are ours (``guards``). Pure, but for the record that keeps since when a prune is held.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial
from typing import NamedTuple

from gitops_bot.agent.application.bounds import is_truncated
from gitops_bot.agent.application.record import AppObject, Held, Record
from gitops_bot.agent.application.state import Condition, Status, told
from gitops_bot.agent.ownership.managed import ours
from gitops_bot.agent.rules import guards
from gitops_bot.agent.rules.guards import Candidates, Limits, Verdict
from gitops_bot.agent.rules.options import ApplicationOptions
from gitops_bot.agent.values import Live
from gitops_bot.model.resource import ResourceKey

HELD = "PruneHeldWarning"
"""The condition that says what is held and why."""


class Counts(NamedTuple):
    """What is wanted."""

    desired: int
    """Objects in Git."""
    present: int
    """Those of them that the cluster has."""
    rendered: bool
    """False when any source failed to render."""
    waits: bool = False
    """True while it is not known whether another Application has by now what would go."""


def judged(
    app: AppObject,
    record: Record,
    candidates: Candidates,
    options: ApplicationOptions,
    limits: Limits,
    counts: Counts,
    now: datetime,
    earlier: Callable[[ResourceKey], bool] = lambda _key: False,
) -> Verdict:
    """What may go, and since when the rest is held.

    ``earlier`` says what the revision synced last had; it is asked where the status may not tell. While others
    are waited for nothing goes, and nothing is held.
    """
    gone = [*candidates.prunable, *(live for live, _ in candidates.moving)]
    left = inherited(app.created, app.status, gone, earlier)
    if counts.waits:
        return Verdict(inherited=left)
    judge = partial(
        guards.judge,
        candidates.prunable,
        managed=counts.present + len(candidates.prunable),
        desired=counts.desired,
        rendered=counts.rendered,
        options=options,
        limits=limits,
        inherited=left,
    )
    held = judge(approved=False)
    if not held.holds:
        record.held = None
        return held
    going = frozenset(live.key for live in candidates.prunable)
    since, given = _since(record.held, going, held, app.status.conditions), app.annotations.get(guards.APPROVED, "")
    before = record.held.before if record.held is not None and since is not None else ""
    record.held = Held(going, since, before) if since is not None else Held(going, now, given)
    # An approval that was there when the hold began was given for something else, however few moments ago.
    approved = since is not None and given != before and guards.is_approved(app.annotations, since, now)
    return judge(approved=True) if approved else held


def inherited(
    created: datetime, status: Status, prunable: Iterable[Live], earlier: Callable[[ResourceKey], bool]
) -> frozenset[ResourceKey]:
    """Objects that an earlier Application of the same name left, and that this one never wanted.

    They were applied before it was made, and its status has not told of them as wanted, nor, where it is too large to
    tell all, or both were in one second, did the revision that was synced last have them (``earlier``). Whoever takes a
    name that was used before takes no right to delete with it.
    """
    lives = tuple(prunable)
    if not lives:
        return frozenset()
    wanted = {
        each.key for each in status.resources if not (each.requires_pruning and each.requires_deletion_confirmation)
    }
    found = set()
    for live in lives:
        entry = ours(live.managed)
        if entry is None or entry.time is None or entry.time > created or live.key in wanted:
            continue
        # Both are in whole seconds: what was applied in the first one may be this Application's own.
        if not ((is_truncated(status) or entry.time == created) and earlier(live.key)):
            found.add(live.key)
    return frozenset(found)


def _since(
    record: Held | None, going: frozenset[ResourceKey], held: Verdict, conditions: Iterable[Condition]
) -> datetime | None:
    """Since when somebody may have approved exactly this, None for what nobody can have seen yet.

    After a restart the conditions say it, where they name the same.
    """
    if record is not None:
        return record.since if going <= record.keys else None
    times = {each.message: each.last_transition_time for each in conditions if each.type == HELD}
    known = [times.get(told(hold.message)) for hold in held.holds]
    return max((each for each in known if each is not None), default=None) if all(known) else None
