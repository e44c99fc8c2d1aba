"""The conditions that tell what a look has found: what is shared, held, moves, and what stops a sync. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sized
from datetime import datetime, timedelta

from gitops_bot.agent.application.state import Status
from gitops_bot.agent.application.state import told as shortened
from gitops_bot.agent.live.comparison import Compared
from gitops_bot.agent.reconcile.holding import HELD
from gitops_bot.agent.reports.view import Waits
from gitops_bot.agent.rules import options, project
from gitops_bot.agent.rules.guards import Verdict
from gitops_bot.agent.sources.desired import Wanted
from gitops_bot.agent.sources.sources import COMPARISON_ERROR
from gitops_bot.agent.values import Live
from gitops_bot.model.resource import ResourceKey

SHARED = "SharedResourceWarning"
"""The condition that says which objects are another Application's."""
MOVING = "MovingResourceWarning"
"""The condition that says which objects another Application has in its Git by now, and has not taken yet."""
ASKS = "DeletionHeldWarning"
"""The condition that says what somebody has to confirm before an Application ends."""
WAITING = "WaitingWarning"
"""The condition that says for whom nothing is begun yet."""
_REFUSED = "SyncError"
_MOST_NAMED = 5
_TOLD_AFTER = timedelta(seconds=10)
"""How long somebody waits for others before it is told."""

Told = list[tuple[str, str]]
"""Pairs of type and message."""


def told(wanted: Wanted, compared: tuple[Compared, ...], judged: Verdict, chosen: options.ApplicationOptions) -> Told:
    """What people have to know, and that stops nothing."""
    found = [
        ("RepeatedResourceWarning", f"{key} is there more than once; the last one counts") for key in wanted.repeated
    ]
    found += [
        (SHARED, f"{each.key} belongs to {each.shared} already and is left alone") for each in compared if each.shared
    ]
    found += [(HELD, hold.message) for hold in judged.holds]
    found += [
        ("UnknownOptionWarning", f"the sync option {each} is unknown and has no effect") for each in chosen.unknown
    ]
    return found


def blocking(wanted: Wanted, compared: tuple[Compared, ...], chosen: options.ApplicationOptions) -> Told:
    """What stops a sync before it begins."""
    found = [(COMPARISON_ERROR, problem) for problem in wanted.problems]
    if wanted.hooks:
        more = f" and {len(wanted.hooks) - 1} more" if len(wanted.hooks) > 1 else ""
        found.append(
            (
                project.INVALID,
                f"{wanted.hooks[0]}{more} is a hook, which this agent does not run yet; nothing is synced without it",
            )
        )
    if chosen.fail_on_shared:
        found += [
            (_REFUSED, f"{each.key} belongs to {each.shared}, and FailOnSharedResource=true") for each in compared
            if each.shared
        ]  # fmt: skip
    return found


def moving(moved: Iterable[tuple[Live, str]]) -> Told:
    """What is another Application's by now, with that one's name: one for each of these."""
    by_heir: dict[str, list[ResourceKey]] = {}
    for live, heir in moved:
        by_heir.setdefault(heir, []).append(live.key)
    return [
        (MOVING, f"{keys[0]}{_more(keys, 1)} moved to {heir} in Git, and stays until that one takes it over")
        for heir, keys in by_heir.items()
    ]


def waiting(waits: Waits, now: datetime) -> Told:
    """For whom it waits, where that takes long enough to be told."""
    if now - waits.since < _TOLD_AFTER:
        return []
    named = ", ".join(waits.names[:_MOST_NAMED]) + _more(waits.names, _MOST_NAMED)
    return [
        (
            WAITING,
            f"nothing is begun before {named} was looked at, for two minutes at most: an object may have moved there",
        )
    ]


def lasting(conditions: Told, status: Status) -> Told:
    """Without what may be otherwise in a moment, because others were not looked at; what is told already stays."""
    known = {each.message for each in status.conditions}
    return [each for each in conditions if each[0] not in (SHARED, _REFUSED) or shortened(each[1]) in known]


def _more(named: Sized, most: int) -> str:
    return f" and {len(named) - most:,} more" if len(named) > most else ""
