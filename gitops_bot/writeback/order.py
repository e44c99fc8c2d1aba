"""Which of two versions is newer, and by what evidence (``images[].order`` of the settings). Pure.

``semver`` compares versions, pre-releases included. ``newest`` asks in this order: the ancestry of the commits that
were built (those in the last bump's trailers, or those that the tags themselves name), the numbers of the builds, and
where neither is known the order of events: what is asked for last is taken, and that is said. ``exact`` never asks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from gitops_bot.render.fetching.semver import Version
from gitops_bot.writeback.sources import Built, commit_in

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


def stand(order: Order, versions: Versions, past: Built, now: Built, ancestor: Ancestor) -> Standing:
    """How the new version stands to the old one.

    ``past`` is what the old one was built from, and ``now`` what the new one was; empty where that is not known.
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
        _by_ancestry(versions, past, now, ancestor)
        or _by_run(past, now)
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


def told_older(what: str, versions: Versions, file: str, standing: Standing, *, allowed: bool) -> str:
    """That a new version is older than what is in a file, and what becomes of it; ``allowed`` by --allow-downgrade."""
    said = f"{what}: {versions.new} is older than {versions.old} in {file} ({standing.evidence})"
    so = "it is written because --allow-downgrade says so" if allowed else "--allow-downgrade writes it all the same"
    return f"{said}; {so}"


def _by_ancestry(versions: Versions, past: Built, now: Built, ancestor: Ancestor) -> Standing | None:
    if past.repository and now.repository and past.repository != now.repository:
        return None
    # A tag that names its commit says what was built; a workflow may run for another one.
    before = commit_in(versions.old) or past.commit
    after = commit_in(versions.new) or now.commit
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


def _by_run(past: Built, now: Built) -> Standing | None:
    if not past.run or not now.run or past.repository != now.repository:
        return None
    if past.run == now.run:
        return None
    numbers = f"{past.run} and {now.run}"
    return Standing("newer" if now.run > past.run else "older", f"by the numbers of the builds, {numbers}")
