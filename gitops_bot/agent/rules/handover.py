"""To whom an object goes that has left an Application's Git, and how long it is waited until that is known. Pure.

Ours. One commit moves an object, and two Applications hear of it one after the other: who hears first may neither
delete it nor take it before the other has been looked at too.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from gitops_bot.agent.ownership.identity import TRACKING_ID, App, is_ours, parse_tracking_id
from gitops_bot.agent.values import Live
from gitops_bot.model.resource import ResourceKey


class Marks(msgspec.Struct, frozen=True):
    """Which identities there are, in eight bytes each: those of all Applications are kept.

    Two that are the same by chance, in 64 bits, keep an object: it is asked before one is deleted or taken.
    """

    packed: bytes = b""
    """Numbers in order, the same in one process only; made by ``marks``."""

    def __contains__(self, key: ResourceKey) -> bool:
        """Whether one is there."""
        numbers, number = memoryview(self.packed).cast("q"), hash(key)
        at = bisect_left(numbers, number)
        return at < len(numbers) and numbers[at] == number


def marks(keys: Iterable[ResourceKey]) -> Marks:
    """Identities, as many as there are."""
    return Marks(array("q", sorted(map(hash, keys))).tobytes())


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What an Application was found to want when it was looked at last."""

    uid: str
    project: str
    spec: bytes
    """Digest of its specification then, and of what its project says."""
    commits: tuple[str, ...] = ()
    """Of its sources then; empty where it did not come to that."""
    wants: Marks = Marks()
    """What Git has, as far as it was ever known: a look that failed takes nothing away."""
    permitted: Marks = Marks()
    """Those of them that its project allows."""
    children: Mapping[str, bytes] = {}
    """The Applications among its objects → digest of what Git says of them."""
    near: frozenset[str] = frozenset()
    """Other Applications that its objects come from, or go to."""
    failing: datetime | None = None
    """Since when it is not known what Git wants, None when it is."""
    since: datetime
    """Since when Git says the same of its children."""


class Other(NamedTuple):
    """Another Application, as it is now."""

    name: str
    project: str
    look: Look | None
    """None: it was not looked at yet."""
    is_current: bool
    """Whether it was looked at as it is now, at what Git says now, whatever came of it."""
    unmade: tuple[str, ...] = ()
    """Those of its children that are not in the cluster as Git says."""
    is_left_alone: bool = False
    """True while somebody asks that nobody works on it."""
    is_going: bool = False
    """True while it is being deleted."""


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How long an Application waits for others already."""

    commits: tuple[str, ...]
    since: datetime
    is_over: bool = False


def heir(key: ResourceKey, project: str, others: Iterable[Other]) -> str:
    """The Application that has an object in its Git by now, the first by name; ``""`` for none.

    Only one of the same project: what an object holds is not for others, which may make their own.
    """
    names = (
        each.name
        for each in others
        if each.look is not None
        and not each.is_going
        and each.project == each.look.project == project
        and key in each.look.permitted
    )
    return min(names, default="")


def holder(live: Live, namespace: str) -> str:
    """The Application of this agent's namespace whose marks an object carries as its own; ``""`` for none."""
    tracking = parse_tracking_id(live.annotations.get(TRACKING_ID, ""))
    return tracking.app if tracking is not None and is_ours(live, App(tracking.app, namespace)) else ""


def has_let_go(key: ResourceKey, project: str, owner: Other) -> bool:
    """Whether who has an object may lose it to another Application of a project.

    It was looked at, at what Git says now, and does not want it any more; or it is going itself.
    """
    if owner.project != project or owner.is_left_alone:
        return False
    look = owner.look
    return owner.is_going or (owner.is_current and look is not None and look.failing is None and key not in look.wants)


def awaited(
    project: str,
    others: Iterable[Other],
    now: datetime,
    longest: timedelta,
    *,
    children: bool = True,
    about: AbstractSet[str] | None = None,
) -> tuple[str, ...]:
    """The Applications that have to be looked at before it is known who wants what; in their order.

    Of other projects only those that make Applications, which may be of this one. With ``children`` these have to be
    made too; ``about`` are the only ones that matter, None for all. Who cannot be looked at, or does not make its
    children, for longer than ``longest`` is not waited for.
    """
    found: dict[str, None] = {}
    for each in others:
        look = each.look
        if each.is_going or each.is_left_alone:
            continue
        made = frozenset(look.children) if look is not None else frozenset()
        if about is not None and each.name not in about and not made & about:
            continue
        if look is None:
            found[each.name] = None
            continue
        if each.project != project and not made:
            continue
        if not each.is_current or (look.failing is not None and now - look.failing < longest):
            found[each.name] = None
        if children and now - look.since < longest:
            found |= dict.fromkeys(name for name in each.unmade if about is None or name in about)
    return tuple(found)


def patience(before: Patience | None, commits: tuple[str, ...], now: datetime, longest: timedelta) -> Patience:
    """How long somebody waits by now who has to.

    A newer commit begins a new wait only when the one before had ended: many commits keep nobody waiting for ever.
    """
    if before is None or (before.is_over and before.commits != commits):
        return Patience(commits=commits, since=now)
    is_over = before.is_over or now - before.since >= longest
    return Patience(commits=commits, since=before.since, is_over=is_over)
