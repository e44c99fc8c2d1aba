"""Whether a sync begins that nobody asked for: one table, first matching row decides. Pure.

The rows are Argo CD's ``autoSync`` (application-semantics 2.3). Ours in them: a commit whose sync failed is tried
again, at growing distance; each object has its own self-heal back-off, and is matched with its namespace; a sync of a
few objects, however it ended, does not count as the commit's own; what a sync could not change starts none.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from gitops_bot.agent.rules.policy import Automated, SyncPolicy
from gitops_bot.agent.rules.timing import Heals, due, poll_distance
from gitops_bot.model.resource import ResourceKey

SyncStatus = Literal["Synced", "OutOfSync", "Unknown"]


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One object that counts for the sync status, as the comparison sees it.

    A namespace of ``CreateNamespace=true`` is one of them where its managed metadata differs (2.2).
    """

    key: ResourceKey
    status: SyncStatus
    prune: bool = False
    """True when it is in the cluster and not in Git any more."""
    held: bool = False
    """True when a sync would leave it as it is: ``Prune=false``, or a guard that nobody has overruled."""


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """The last operation that was about the whole Application, not about some of its objects."""

    identity: str
    """What it synced, as ``operation.identity`` says it."""
    succeeded: bool
    finished: datetime
    failures: int = 0
    """How many operations in a row failed at this identity, this one included."""


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """What the decision is made of."""

    now: datetime
    policy: SyncPolicy
    status: SyncStatus
    identity: str
    """What Git says now, as ``Attempt.identity``."""
    resources: tuple[Seen, ...] = ()
    last: Attempt | None = None
    """None: this Application was never synced as a whole."""
    running: bool = False
    """True while an operation goes on, waits between its retries included."""
    deleting: bool = False
    blocked: str = ""
    """Why nothing may be synced: a condition such as ``ComparisonError: …``, ``""`` for none."""
    approved: bool = False
    """True when somebody approved that everything goes (``guards.is_approved`` since that was refused)."""
    heals: Mapping[ResourceKey, Heals] = {}
    poll: float = 180.0
    """Seconds between two polls of Git."""
    heal_timeout: float | None = None
    """A fixed wait in seconds between two corrections; None: the growing one."""


NotNow = Literal[
    "automation-off",
    "running",
    "deleting",
    "blocked",
    "in-sync",
    "unknown",
    "only-prunes",
    "self-heal-off",
    "held",
    "wipe",
]


class Nothing(msgspec.Struct, frozen=True, kw_only=True):
    """No sync."""

    reason: NotNow


class Full(msgspec.Struct, frozen=True, kw_only=True):
    """A sync of the whole Application."""

    reason: Literal["new", "again"]
    """Something that was never tried, or what failed before."""
    at: datetime
    """When; not after the situation's ``now`` means at once."""
    prune: bool


class Selective(msgspec.Struct, frozen=True, kw_only=True):
    """A correction of some objects: without hooks, and without an entry in the history (2.3)."""

    keys: frozenset[ResourceKey]
    at: datetime
    prune: bool


Decision = Nothing | Full | Selective


def decide(situation: Situation) -> Decision:
    """The decision for one Application, by Argo CD's ``autoSync`` (2.3) with ours."""
    automated = situation.policy.automatic
    if automated is None:
        return Nothing(reason="automation-off")
    if situation.running:
        return Nothing(reason="running")
    if situation.deleting:
        return Nothing(reason="deleting")
    if situation.blocked:
        return Nothing(reason="blocked")
    if situation.status != "OutOfSync":
        return Nothing(reason="in-sync" if situation.status == "Synced" else "unknown")
    differing = [seen for seen in situation.resources if seen.status != "Synced"]
    if not automated.prune and differing and all(seen.prune for seen in differing):
        return Nothing(reason="only-prunes")
    wipes = None if situation.approved else _wipes(automated, situation.resources)
    last = situation.last
    if last is None or last.identity != situation.identity:
        return wipes or Full(reason="new", at=situation.now, prune=automated.prune)
    if not last.succeeded:
        at = last.finished + timedelta(seconds=poll_distance(situation.poll, last.failures))
        return wipes or Full(reason="again", at=max(at, situation.now), prune=automated.prune)
    if not automated.self_heal:
        return Nothing(reason="self-heal-off")
    return wipes or _correction(situation, automated, differing)


def _wipes(automated: Automated, resources: tuple[Seen, ...]) -> Nothing | None:
    """The refusal of a sync that would leave nothing; an Application that has nothing loses nothing (ours).

    The prune guard that holds it tells so (ours; Argo CD's condition is ``SyncError``).
    """
    wipes = automated.prune and not automated.allow_empty and resources and all(seen.prune for seen in resources)
    return Nothing(reason="wipe") if wipes else None


def _correction(situation: Situation, automated: Automated, differing: list[Seen]) -> Decision:
    """The objects that are due for a correction."""
    keys = [seen.key for seen in differing if not seen.held and (automated.prune or not seen.prune)]
    if not keys:
        return Nothing(reason="held")
    chosen, at = due(keys, situation.heals, situation.now, fixed=situation.heal_timeout)
    return Selective(keys=chosen, at=at, prune=automated.prune)
