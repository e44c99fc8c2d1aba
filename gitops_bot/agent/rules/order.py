"""The order of a sync: waves, and inside a wave the steps that go together. Pure.

The order is Argo CD's (application-semantics 2.9, 2.10, 2.13): phase, wave, kind, name. Ours in it: kinds outside the
list are kept together instead of mixed by name, and what is deleted goes in the opposite order, so that an object is
deleted before its namespace and before the definition of its kind.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Literal, NamedTuple

import msgspec
from msgspec.structs import replace

from gitops_bot.model.kinds import rank
from gitops_bot.model.resource import ResourceKey

SYNC_WAVE = "argocd.argoproj.io/sync-wave"
HOOK_WEIGHT = "helm.sh/hook-weight"

Phase = Literal["PreSync", "Sync", "PostSync", "SyncFail"]
PHASES: tuple[Phase, ...] = ("PreSync", "Sync", "PostSync", "SyncFail")

_NUMBER = re.compile(r"[-+]?[0-9]{1,18}", re.ASCII)
_DEFINITION = ("apiextensions.k8s.io", "CustomResourceDefinition")


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One object that a sync applies or prunes."""

    key: ResourceKey
    wave: int = 0
    phase: Phase = "Sync"
    prune: bool = False
    prune_last: bool = False
    """Only for prunes: after everything else."""
    defines: tuple[str, str] | None = None
    """For a CustomResourceDefinition: group and kind of the objects that it makes possible."""


class Wave(NamedTuple):
    """What is done before anything later begins; its prunes go first."""

    phase: Phase
    number: int
    prunes: tuple[tuple[Task, ...], ...]
    """Steps one after another; the tasks of a step go in parallel."""
    applies: tuple[tuple[Task, ...], ...]

    @property
    def tasks(self) -> tuple[Task, ...]:
        """All tasks, in order."""
        return tuple(task for steps in (self.prunes, self.applies) for step in steps for task in step)


def wave_of(annotations: Mapping[str, str]) -> int:
    """An object's wave: its ``sync-wave``, else its ``hook-weight``, else 0; texts that are no numbers do not count."""
    for name in (SYNC_WAVE, HOOK_WEIGHT):
        text = annotations.get(name, "")
        if _NUMBER.fullmatch(text):
            return int(text)
    return 0


def waves(tasks: Iterable[Task]) -> tuple[Wave, ...]:
    """A sync's tasks in order. The same tasks give the same waves, in whatever order they come.

    More than one wave means that each is waited for before the next (2.10). Raises ValueError where one object is
    there twice in a phase, or both to be applied and to be pruned.
    """
    given = list(tasks)
    _refuse_doubles(given)
    prunes = _last(_swapped([task for task in given if task.prune]), given)
    ready = _corrected([task for task in given if not task.prune]) + _corrected_prunes(prunes)
    found: dict[tuple[int, int], list[Task]] = {}
    for task in ready:
        found.setdefault((PHASES.index(task.phase), task.wave), []).append(task)
    return tuple(
        Wave(
            PHASES[phase],
            number,
            _steps(reversed(_sorted(task for task in found[phase, number] if task.prune))),
            _steps(_sorted(task for task in found[phase, number] if not task.prune)),
        )
        for phase, number in sorted(found)
    )


def deletion(tasks: Iterable[Task]) -> tuple[Wave, ...]:
    """The objects of an Application that is deleted: as they would be applied, backwards (2.13).

    One wave at a time, the highest first; every task comes back as a prune.
    """
    forward = waves(replace(task, prune=False, prune_last=False) for task in tasks)
    return tuple(
        Wave(
            each.phase,
            each.number,
            tuple(tuple(replace(task, prune=True) for task in step) for step in reversed(each.applies)),
            (),
        )
        for each in reversed(forward)
    )


def _refuse_doubles(tasks: Sequence[Task]) -> None:
    seen: set[tuple[Phase, ResourceKey]] = set()
    removed: dict[ResourceKey, bool] = {}
    for task in tasks:
        if (task.phase, task.key) in seen:
            raise ValueError(f"{task.key} is there twice in phase {task.phase}")
        if removed.setdefault(task.key, task.prune) is not task.prune:
            raise ValueError(f"{task.key} is there to be applied and to be pruned")
        seen.add((task.phase, task.key))


# -- prunes -----------------------------------------------------------------------------------------------------------


def _swapped(prunes: Sequence[Task]) -> list[Task]:
    """Prunes with their waves reversed: the lowest of those that occur swaps with the highest, and so inwards (2.9)."""
    numbers = sorted({task.wave for task in prunes})
    mirrored = dict(zip(numbers, reversed(numbers), strict=True))
    return [replace(task, wave=mirrored[task.wave]) for task in prunes]


def _last(prunes: Sequence[Task], given: Sequence[Task]) -> list[Task]:
    """Prunes with ``prune_last`` behind every wave of the Sync phase, prunes included, never before wave 1 (2.9)."""
    applied = (task.wave for task in given if not task.prune and task.phase == "Sync")
    behind = max((0, *applied, *(task.wave for task in prunes if task.phase == "Sync"))) + 1
    return [replace(task, wave=behind) if task.prune_last else task for task in prunes]


# -- what must be there first -----------------------------------------------------------------------------------------


def _dependents(tasks: Sequence[Task]) -> dict[ResourceKey, list[Task]]:
    """The objects in each Namespace and of each CustomResourceDefinition that are among the tasks."""
    by_namespace: dict[str, list[Task]] = {}
    by_kind: dict[tuple[str, str], list[Task]] = {}
    for task in tasks:
        by_namespace.setdefault(task.key.namespace, []).append(task)
        by_kind.setdefault((task.key.group, task.key.kind), []).append(task)
    found = {}
    for task in tasks:
        if (task.key.group, task.key.kind) == ("", "Namespace"):
            found[task.key] = by_namespace.get(task.key.name, [])
        elif (task.key.group, task.key.kind) == _DEFINITION and task.defines is not None:
            found[task.key] = by_kind.get(task.defines, [])
    return found


def _corrected(tasks: Sequence[Task]) -> list[Task]:
    """Namespaces and definitions moved to the first phase and wave that has an object that needs them (2.10)."""
    needed = _dependents(tasks)

    def earliest(task: Task) -> Task:
        places = [(PHASES.index(each.phase), each.wave) for each in (task, *needed.get(task.key, ()))]
        phase, wave = min(places)
        return replace(task, phase=PHASES[phase], wave=wave, prune_last=False)

    # A hook of two phases that are moved to one place is done once.
    return list(dict.fromkeys(earliest(task) for task in tasks))


def _corrected_prunes(tasks: Sequence[Task]) -> list[Task]:
    """Namespaces and definitions that go not before the objects that need them (ours)."""
    needed = _dependents(tasks)
    return [replace(task, wave=max(each.wave for each in (task, *needed.get(task.key, ())))) for task in tasks]


def _sorted(tasks: Iterable[Task]) -> list[Task]:
    """The tasks of one wave by kind, then name; a definition before its objects, whatever their kind is called."""
    given = list(tasks)
    needed = _dependents(given)

    def place(task: Task) -> tuple[float, str, str, str, str]:
        own = rank(task.key.kind)
        first = min((rank(each.key.kind) - 0.5 for each in needed.get(task.key, ())), default=own)
        return min(own, first), task.key.kind, task.key.group, task.key.name, task.key.namespace

    return sorted(given, key=place)


def _steps(tasks: Iterable[Task]) -> tuple[tuple[Task, ...], ...]:
    """Consecutive tasks of one kind together."""
    return tuple(tuple(step) for _, step in groupby(tasks, lambda task: (task.key.group, task.key.kind)))
