"""Whose the fields of an object are before it is applied: read from its metadata, and where that was lost, from Git.

An object that comes back from a backup has no entry of ours, so the API server does not know any more which fields Git
had; without that knowledge a field that Git has dropped would stay for ever. What Git said when the object was last
synced is applied once more, as a dry run: the answer's entry is the one that was lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gitops_bot.agent.ownership.adoption import TakeOver, adopted, reclaim, take_over
from gitops_bot.agent.ownership.difference import at_version
from gitops_bot.agent.ownership.managed import beyond, ours, topmost
from gitops_bot.agent.ownership.strangers import Stranger, strangers
from gitops_bot.agent.values import MANAGER, Live, live_of
from gitops_bot.doors.cluster.errors import Conflict, Refused
from gitops_bot.doors.cluster.objects import Body, Objects


class Owning(NamedTuple):
    """Whose the fields of one object are."""

    strange: tuple[Stranger, ...]
    """What goes with the next apply although that does not say so."""
    take: TakeOver | None
    """What has to be done before it."""


def own(
    objects: Objects, live: Live, sent: Body, earlier: Body | None, *, people: Sequence[str], migrate: bool
) -> Owning:
    """What has to become ours before ``sent`` is applied.

    ``earlier`` is what Git said of the object when it was last synced, None for one that was none of the Application's
    then; ``migrate`` whether client-side applies lose what they own. Raises ClusterError: Conflict when the object has
    changed since ``live``.
    """
    found = _reclaimed(objects, live, sent, earlier) if earlier is not None else None
    known = found or live
    strange = strangers(known, sent, people=adopted(people, migrate=migrate))
    if found is not None and (entry := ours(found.managed)) is not None:
        gone = topmost({*beyond(entry.fields, sent), *(each.path for each in strange)})
        by_path = {each.path: each for each in strange}
        strange = tuple(by_path.get(path, Stranger(path, (MANAGER,))) for path in gone)
    return Owning(strange, take_over(known, sent, people=people, migrate=migrate, reclaimed=found is not None))


def _reclaimed(objects: Objects, live: Live, sent: Body, earlier: Body) -> Live | None:
    if ours(live.managed) is not None or live.deleting:
        return None
    try:
        judged = at_version(earlier, live.resource_version)
        told = objects.apply(judged, live.key, MANAGER, dry_run=True, validate=False).body
    except Conflict:
        raise
    except Refused as error:
        if error.retryable:
            raise
        return None  # what the API server does not take any more it cannot tell us anything about
    return reclaim(live, live_of(told, live.key), sent)
