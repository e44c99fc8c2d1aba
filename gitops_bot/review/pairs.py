"""Which target of the base side is which target of the head side."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from gitops_bot.model.target import Target
from gitops_bot.render.plain import KUSTOMIZATIONS
from gitops_bot.render.workshop import Preparation

_ALIKE = 0.5
"""Share of equal input files from which two plain targets at different places count as one that moved."""


_ROOTS = {"Helm": ("Chart.yaml",), "Kustomize": KUSTOMIZATIONS}
"""Files of which one makes a directory a target of this kind; a directory of manifests is one by any of its own."""


class Pair(NamedTuple):
    """One target on both sides; None where it does not exist."""

    base: Preparation | None
    head: Preparation | None

    @property
    def targets(self) -> tuple[Target, ...]:
        """The target as each side that has it defines it."""
        return tuple(side.target for side in self if side is not None)

    @property
    def id(self) -> str:
        """The head side's id; the base side's for a target that is gone."""
        one = self.head or self.base
        assert one is not None
        return one.target.id

    @property
    def moved_from(self) -> str | None:
        """The base side's id when the target was recognised at another place, else None."""
        if self.base is None or self.head is None or self.base.target.id == self.head.target.id:
            return None
        return self.base.target.id


def pair(base: Mapping[str, Preparation], head: Mapping[str, Preparation]) -> list[Pair]:
    """Match targets by id; what is left by name, when that is unique; then by their input files.

    So a moved folder is one moved target, not everything removed and added again. A target without an Application that
    is only there on the side where no Application deploys its files is left out: the Application tells what happens.
    In order of id.
    """
    pairs = [Pair(base[key], head[key]) for key in base.keys() & head.keys()]
    gone = {key: one for key, one in base.items() if key not in head}
    new = {key: one for key, one in head.items() if key not in base}
    pairs += [
        Pair(gone.pop(match.base.target.id), new.pop(match.head.target.id))
        for match in (*_by_name(gone, new), *_by_files(gone, new))
        if match.base.target.id in gone and match.head.target.id in new
    ]
    pairs += [Pair(one, None) for one in gone.values() if not _stands_for(one, new.values())]
    pairs += [Pair(None, one) for one in new.values() if not _stands_for(one, gone.values())]
    return sorted(pairs, key=lambda item: item.id)


def _stands_for(one: Preparation, others: Iterable[Preparation]) -> bool:
    """Whether what makes this a target without an Application is deployed by an Application of the other side.

    That is the chart's or the overlay's own file, not what it includes: several overlays may share a base.
    """
    if one.target.kind == "Application":
        return False
    home, names = one.target.path, _ROOTS.get(one.target.kind)
    own = {posixpath.join(home, name) for name in names} if names else frozenset(one.reads.files())
    return any(other.target.kind == "Application" and not own.isdisjoint(other.reads.files()) for other in others)


class _Match(NamedTuple):
    base: Preparation
    head: Preparation


def _by_name(gone: Mapping[str, Preparation], new: Mapping[str, Preparation]) -> list[_Match]:
    def unique(targets: Iterable[Preparation]) -> dict[tuple[str, str], Preparation]:
        named = [((one.target.kind, one.target.name), one) for one in targets]
        count = Counter(key for key, _ in named)
        return {key: one for key, one in named if count[key] == 1}

    before, after = unique(gone.values()), unique(new.values())
    return [_Match(before[key], after[key]) for key in sorted(before.keys() & after.keys())]


def _by_files(gone: Mapping[str, Preparation], new: Mapping[str, Preparation]) -> list[_Match]:
    def inputs(one: Preparation) -> Counter[str]:
        return Counter(file.identity for source in one.sources for file in source.files)

    before = {key: inputs(one) for key, one in gone.items()}
    after = {key: inputs(one) for key, one in new.items()}
    users: dict[str, set[str]] = {}
    for key, files in after.items():
        for identity in files:
            users.setdefault(identity, set()).add(key)
    scored = [
        (-share, old, fresh)
        for old, files in before.items()
        for fresh in {key for identity in files for key in users.get(identity, ())}
        if gone[old].target.kind == new[fresh].target.kind and (share := _share(files, after[fresh])) >= _ALIKE
    ]
    return [_Match(gone[old], new[fresh]) for _, old, fresh in sorted(scored)]


def _share(first: Counter[str], second: Counter[str]) -> float:
    union = (first | second).total()
    return (first & second).total() / union if union else 0.0
