"""The next tag of an environment that follows tags: newer than every release, present or deleted. Pure.

The order is that of semantic versions, never that of time, so tags may have been made in any order. Pre-releases are no
releases; a release that was deleted still counts, because an agent never goes back by itself to what is older.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from typing import Literal, NamedTuple

import msgspec

from gitops_bot.errors import UsageError
from gitops_bot.model.github import Tag
from gitops_bot.render.fetching.semver import Version

Level = Literal["major", "minor", "patch"]
"""Which number is raised."""

_LEVELS: tuple[Level, ...] = ("major", "minor", "patch")
_LONGEST = 200
"""Characters of a tag's name that is looked at; Git hosts take some 250."""
_SHAPE = re.compile(r"(v?)([0-9]+)\.([0-9]+)\.([0-9]+)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?", re.ASCII)
_LARGEST = 2**64 - 1
"""The highest number of a version that Argo CD's library for them reads."""
_WILDCARD = re.compile(r"[*?\[]")
_LEADING = re.compile(r"[0-9]+(?:\.[0-9]+)*\.?\Z", re.ASCII)


class Release(NamedTuple):
    """A tag that is a release; in the order of releases."""

    core: tuple[int, int, int]
    """Major, minor, patch."""
    name: str
    commit: str = ""
    """Full id; ``""`` where only the name is known, or it is a tag of no commit."""


class NextTag(msgspec.Struct, frozen=True, kw_only=True):
    """The tag that comes next."""

    name: str
    """``v1.4.1``."""
    previous: str = ""
    """Name of the newest release that is there; ``""`` for the first."""
    level: Level = "patch"
    notes: tuple[str, ...] = ()
    """What the user should know: a release was deleted, or its commit is not on the branch, or two are one version."""


class Used(NamedTuple):
    """Names of releases that are no tags now, but shall not be made again for something else."""

    deployed: tuple[str, ...] = ()
    """Refs of the environment's deployments."""
    announced: tuple[str, ...] = ()
    """What promotions announced that are merged."""


class _Pattern(NamedTuple):
    """A glob of tags, taken apart."""

    glob: str
    prefix: str
    """What stands before the version: ``v``, ``churn/v``."""
    suffix: str
    lead: str
    """Numbers that the glob fixes: ``3.`` of ``v3.*.*``."""

    @classmethod
    def read(cls, glob: str) -> _Pattern:
        begin = _WILDCARD.search(glob)
        if begin is None:
            raise UsageError(
                f"the tag {glob} is one tag, not a pattern: there is no next one",
                hint='write environments.<name>.tag as a glob such as "v*.*.*"',
            )
        literal = glob[: begin.start()]
        found = _LEADING.search(literal)
        lead = found[0] if found else ""
        return cls(glob, literal.removesuffix(lead), re.split(r"[*?\]]", glob)[-1], lead)

    def release(self, name: str, commit: str = "") -> Release | None:
        """The tag as a release; None for other tags and for pre-releases."""
        shape = self.shape(name)
        if shape is None or shape[5]:
            return None
        core = (int(shape[2]), int(shape[3]), int(shape[4]))
        return Release(core, name, commit) if max(core) <= _LARGEST else None

    def shape(self, name: str) -> re.Match[str] | None:
        """The version in a tag's name, None when it has none or the glob does not take it."""
        if len(name) > _LONGEST or not fnmatchcase(name, self.glob):
            return None
        if not name.startswith(self.prefix) or not name.endswith(self.suffix):
            return None
        found = _SHAPE.fullmatch(name, len(self.prefix), len(name) - len(self.suffix))
        return found if found is not None and not (found[1] and self.prefix) else None


def releases(tags: Iterable[Tag], pattern: str) -> list[Release]:
    """The releases among tags, oldest version first; pre-releases, tags of no commit and other tags are passed over.

    ``pattern`` is the environment's glob. Raises UsageError when it names one tag instead of many.
    """
    read = _Pattern.read(pattern)
    return sorted(found for tag in tags if tag.commit and (found := read.release(tag.name, tag.commit)) is not None)


def newest_release(tags: Iterable[Tag], pattern: str) -> Release | None:
    """The release that an environment follows, None when there is none. Raises as ``releases``."""
    return max(releases(tags, pattern), default=None)


def tagged(tags: Iterable[Tag], pattern: str, commit: str) -> Release | None:
    """The newest release that was made of this very commit, None when there is none: tagging twice is left out."""
    return max((release for release in releases(tags, pattern) if release.commit == commit), default=None)


def next_tag(
    tags: Iterable[Tag],
    pattern: str,
    level: Level = "patch",
    *,
    used: Used = Used(),  # noqa: B008 - a frozen value
    contained: Callable[[str], bool] = lambda _commit: True,
) -> NextTag:
    """The tag after the newest release, and after every name of one that was used.

    ``contained`` tells whether the branch that will be tagged has a commit. Raises UsageError when no such tag can
    match the pattern.
    """
    known = list(tags)
    read = _Pattern.read(pattern)
    there = releases(known, pattern)
    newest = max(there, default=None)
    gone = _gone(read, known, used, newest)
    base = max([*there, *gone], default=None)
    name = _raised(read, base, level) if base else _first(read)
    if not fnmatchcase(name, pattern):
        raise UsageError(
            f"the next tag would be {name}, and the environment follows {pattern}",
            hint="choose another --level, or widen environments.<name>.tag",
        )
    notes = [gone[base]] if base is not None and base in gone else []
    notes += _twin_notes(there) + _loose_notes(known, read, name)
    if newest is not None and newest.commit and not contained(newest.commit):
        notes.append(
            f"{newest.name} was made of a commit that this branch does not have: what only it has will be gone"
        )
    return NextTag(name=name, previous=newest.name if newest else "", level=level, notes=tuple(notes))


def _raised(read: _Pattern, base: Release, level: Level) -> str:
    at = _LEVELS.index(level)
    core = [*base.core[:at], base.core[at] + 1, 0, 0][:3]
    if core[at] > _LARGEST:
        raise UsageError(f"no {level} version comes after {base.name}", hint="choose another --level")
    shape = read.shape(base.name)
    letter = shape[1] if shape else ""
    return f"{read.prefix}{letter}{'.'.join(map(str, core))}{read.suffix}"


def _first(read: _Pattern) -> str:
    """The first release: 1.0.0, or the lowest with the numbers that the glob fixes."""
    fixed = [each for each in read.lead.split(".") if each]
    return f"{read.prefix}{'.'.join([*(fixed or ['1']), '0', '0'][:3])}{read.suffix}"


def _gone(read: _Pattern, tags: list[Tag], used: Used, newest: Release | None) -> dict[Release, str]:
    """Releases that are none now and newer than all that are, each with why the next tag has to be newer still."""
    agent = "the next tag is newer, so that the agent takes it"
    again = "its name is not used for another commit"
    kinds = (
        (used.announced, f"was announced by a promotion that is merged, and there is no such tag; {again}"),
        (used.deployed, f"was deployed and its tag is gone; {agent}"),
        ([tag.name for tag in tags if not tag.commit], f"is a tag of no commit; {agent}"),
    )
    found = {read.release(name): f"{name} {why}" for names, why in kinds for name in names}
    return {
        release: why
        for release, why in found.items()
        if release is not None and (newest is None or release.core > newest.core)
    }


def _twin_notes(there: list[Release]) -> list[str]:
    """That the newest version has two tags of different commits: which one is deployed is the agent's choice."""
    twins = [release for release in there if release.core == there[-1].core]
    if len({release.commit for release in twins}) < 2:
        return []
    names = " and ".join(release.name for release in twins[:3])
    return [f"{names} are one version of different commits: which of them is deployed cannot be known"]


def _loose_notes(tags: list[Tag], read: _Pattern, name: str) -> list[str]:
    """Tags such as ``v2`` that a semver range takes for newer, although the environment's glob does not."""
    if read.prefix not in ("", "v"):
        return []
    core = Version.parse(name.removesuffix(read.suffix)).core
    newer = []
    for tag in tags:
        if read.shape(tag.name) is not None:
            continue
        try:
            version = Version.parse(tag.name)
        except ValueError:
            continue
        if version.is_release and version.core >= core:
            newer.append(tag.name)
    return [
        f"an Application that follows a range of versions takes the tag {each} for newer than {name}"
        for each in sorted(newer)[:3]
    ]
