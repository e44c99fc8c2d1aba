"""Which of two versions is newer, and by what evidence (``images[].order`` of the settings). Pure.

``semver`` compares versions, pre-releases included. ``newest`` asks in this order: the ancestry of the commits that
were built (those in the last bump's trailers, or those that the tags themselves name), the numbers of the builds, and
where neither is known the order of events: what is asked for last is taken, and that is said. ``exact`` never asks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from gitops_bot.render.fetching.semver import Version
from gitops_bot.writeback.bumps.request import Source
from gitops_bot.writeback.sources import commit_in
from gitops_bot.writeback.trailers import Trailers

Order = Literal["semver", "newest", "exact"]
Relation = Literal["newer", "same", "older", "unknown"]

Ancestor = Callable[[str, str], bool | None]
"""Whether the first commit is an ancestor of, or the same as, the second; None where one of them is not known."""


class Standing(NamedTuple):
    """How the version that is asked for stands to the one that is there."""

    relation: Relation
    evidence: str
    """Why, as the end of a sentence: ``by semantic version``; for ``unknown`` why it cannot be known."""


class Versions(NamedTuple):
    """The version that is there, and the one that is asked for."""

    old: str
    """``""`` where there is none."""
    new: str


def stand(order: Order, versions: Versions, source: Source, past: Trailers | None, ancestor: Ancestor) -> Standing:
    """How the new version stands to the old one.

    ``source`` is where the new one comes from; ``past`` what the commit says that wrote the old one, None when no
    commit of ours did.
    """
    old, new = versions
    if old == new:
        return Standing("same", "it is there already")
    if not old:
        return Standing("newer", "there was none")
    if order == "exact":
        return Standing("newer", "the rule takes exactly what is asked for")
    if order == "semver":
        return by_version(versions)
    return (
        _by_ancestry(versions, source, past, ancestor)
        or _by_run(source, past)
        or Standing(
            "unknown",
            "neither the source commits nor the builds' numbers tell which is newer, so the order of events decides",
        )
    )


def by_version(versions: Versions) -> Standing:
    """By semantic version; ``unknown`` when one of them is none."""
    try:
        old = Version.parse(versions.old)
    except ValueError:
        return Standing("unknown", f"{versions.old} is no semantic version, so the order cannot be known")
    try:
        new = Version.parse(versions.new)
    except ValueError:
        return Standing("unknown", f"{versions.new} is no semantic version, so the order cannot be known")
    if new == old:
        return Standing("newer", "the versions are equal but for their build metadata or spelling")
    return Standing("newer" if new > old else "older", "by semantic version")


def _by_ancestry(versions: Versions, source: Source, past: Trailers | None, ancestor: Ancestor) -> Standing | None:
    other = past is not None and past.repository and source.repository and past.repository != source.repository
    if other:
        return None
    # A tag that names its commit says what was built; a workflow may run for another one.
    before = commit_in(versions.old) or (past.commit if past is not None else "")
    after = commit_in(versions.new) or source.commit
    if not before or not after:
        return None
    short = f"{before[:7]} and {after[:7]}"
    if before == after:
        return None  # one commit built twice: the builds' numbers tell
    if ancestor(before, after):
        return Standing("newer", f"by the ancestry of the source commits {short}")
    if ancestor(after, before):
        return Standing("older", f"by the ancestry of the source commits {short}")
    return None


def _by_run(source: Source, past: Trailers | None) -> Standing | None:
    if past is None or not past.run or not source.run or past.repository != source.repository:
        return None
    if past.run == source.run:
        return None
    numbers = f"{past.run} and {source.run}"
    return Standing("newer" if source.run > past.run else "older", f"by the numbers of the builds, {numbers}")
