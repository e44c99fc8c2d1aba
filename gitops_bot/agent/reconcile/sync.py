"""One operation: wave after wave, applied and awaited, pruned and awaited; nothing written before all was tried out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Literal, NamedTuple

from gitops_bot.agent.application.state import ResourceResult, ResultCode
from gitops_bot.agent.health.assess import assess, has_health
from gitops_bot.agent.live.applying import Applier
from gitops_bot.agent.live.comparison import Compared
from gitops_bot.agent.live.inventory import Inventory
from gitops_bot.agent.reconcile.plan import Plan, annotations_of
from gitops_bot.agent.reports.telling import named
from gitops_bot.agent.rules.options import ApplicationOptions, Effective, effective
from gitops_bot.agent.rules.order import Task, Wave, wave_of, waves
from gitops_bot.agent.values import Live
from gitops_bot.doors.cluster.errors import NoKind
from gitops_bot.doors.cluster.objects import Body, Objects, Propagation
from gitops_bot.errors import ClusterError
from gitops_bot.manifests.objects import head_of
from gitops_bot.model.resource import ResourceKey

_PROPAGATION: Mapping[str, Propagation] = {
    "foreground": "Foreground",
    "background": "Background",
    "orphan": "Orphan",
}
_LOOK_EVERY = 1.0
"""Seconds after which is looked again although no watch said anything."""


_TELL_AFTER = 5.0
"""Seconds after which it is told how far an operation is: a status with all its results is a large write."""


class Deadlines(NamedTuple):
    """Seconds that an operation waits at most, for each of them."""

    wave: float = 600.0
    """Until everything of a wave is healthy."""
    definition: float = 60.0
    """Until a CustomResourceDefinition is established."""
    prune: float = 300.0
    """Until what was deleted is gone."""
    others: float = 120.0
    """Until other Applications were looked at, which may have what would be deleted."""


class Cancelled(Exception):
    """The operation is not wanted any more; the text says why."""


class Ended(NamedTuple):
    """How an operation ended."""

    phase: Literal["Succeeded", "Failed", "Error"]
    message: str
    results: tuple[ResourceResult, ...]


class Supervisor(NamedTuple):
    """Who is asked and told while an operation goes on."""

    cancelled: Callable[[], str]
    """Why it is not wanted any more, ``""`` when it is."""
    told: Callable[[str, tuple[ResourceResult, ...]], None]
    """Hears how far it is, and of what it has done."""
    waits: Callable[[], AbstractContextManager[None]]
    """Entered while it only waits."""


class Syncer:
    """Carries out operations of one Application, one at a time."""

    def __init__(
        self,
        objects: Objects,
        inventory: Inventory,
        applier: Applier,
        pool: Executor,
        *,
        now: Callable[[], datetime],
        supervisor: Supervisor,
        deadlines: Deadlines,
    ) -> None:
        """Take the doors, and who is asked and told."""
        self._objects = objects
        self._inventory = inventory
        self._applier = applier
        self._pool = pool
        self._now = now
        self._supervisor = supervisor
        self._deadlines = deadlines
        self._part_of = ""
        """The label's value of the Application's objects."""
        self._results: dict[ResourceKey, ResourceResult] = {}
        self._begun = 0.0
        """Since when nothing was told, in monotonic seconds."""
        self._definitions: frozenset[tuple[str, str]] = frozenset()
        """Group and kind of what the operation itself defines."""

    def run(self, plan: Plan) -> Ended:
        """Carry it out. Nothing is raised that the cluster, or a new commit, can cause."""
        self._results = {each.key: each for each in plan.done}
        self._begun, self._part_of = time.monotonic(), plan.app.id
        tasks = [_task_of(each) for each in (*plan.applies, *plan.awaited)]
        self._definitions = frozenset(each.defines for each in tasks if each.defines is not None)
        try:
            refused = self._refused(plan)
            if refused:
                return self._ended("Failed", f"nothing was written: {self._why(refused)}")
            if plan.dry_run:
                for each in plan.applies:
                    self._result(each, "Synced", "would be applied")
                return self._ended("Succeeded", "nothing was written: this was a dry run")
            failed = self._waves(waves([*tasks, *(_prune_of(each, plan.options) for each in plan.prunes)]), plan)
            if failed:
                return self._ended("Failed", failed)
        except Cancelled as error:
            return self._ended("Failed", f"given up: {error}")
        except ClusterError as error:
            return self._ended("Error", error.message)
        for live in plan.skipped:
            self._results[live.key] = _result(live.key, live.api_version, "PruneSkipped", "not in Git, and kept")
        return self._ended("Succeeded", _summary(self._results.values()))

    def _ended(self, phase: Literal["Succeeded", "Failed", "Error"], message: str) -> Ended:
        return Ended(phase, message, tuple(self._results[key] for key in sorted(self._results)))

    # -- before the first write ---------------------------------------------------------------------------------------

    def _refused(self, plan: Plan) -> list[ResourceKey]:
        """What the API server would not take: nothing is written then.

        Objects that are there had their answer in the comparison. New ones are tried out, unless there are only such: a
        first install has nothing to protect, and would take twice the time. A kind that is missing is seen for nothing.
        """
        for each in plan.applies:
            if each.error and not (each.live is not None and _options(each, plan.options).force):
                self._result(each, "SyncFailed", each.error)
        fresh = [each for each in plan.applies if each.live is None and not each.error]
        thorough = any(each.live is not None for each in plan.applies) or bool(plan.prunes) or plan.dry_run
        ready = [
            each for each in fresh if (thorough or not self._has_kind(each)) and self._can_be_tried(each, plan.options)
        ]
        for each, error in zip(ready, self._pool.map(self._tried(plan.options), ready), strict=True):
            if error:
                self._result(each, "SyncFailed", error)
        return [key for key, result in self._results.items() if result.status == "SyncFailed"]

    def _can_be_tried(self, compared: Compared, options: ApplicationOptions) -> bool:
        """False for what needs something first that the same sync makes: its kind, or its namespace."""
        if not self._has_kind(compared):
            by_itself = (compared.key.group, compared.key.kind) in self._definitions
            return not by_itself and not _options(compared, options).skip_dry_run_on_missing
        namespace = compared.key.namespace
        return not namespace or self._objects.find(ResourceKey("", "Namespace", "", namespace), "v1") is not None

    def _has_kind(self, compared: Compared) -> bool:
        return self._objects.kinds.find(compared.desired.api_version, compared.key.kind) is not None

    def _tried(self, options: ApplicationOptions) -> Callable[[Compared], str]:
        def tried(each: Compared) -> str:
            try:
                self._applier.try_out(each, _options(each, options))
            except ClusterError as error:
                return error.message
            return ""

        return tried

    # -- waves --------------------------------------------------------------------------------------------------------

    def _waves(self, order: Sequence[Wave], plan: Plan) -> str:
        """Why they failed, ``""`` when they did not. Raises ClusterError, Cancelled."""
        applies, lives = {each.key: each for each in plan.applies}, {each.key: each for each in plan.prunes}
        busy = [any(task.prune or task.key in applies for task in wave.tasks) for wave in order]
        last = max((number for number, does in enumerate(busy) if does), default=-1)
        for number, wave in enumerate(order[: last + 1]):
            failed = self._wave(wave, applies, lives, plan)
            if not failed and number < last:
                failed = self._healthy([task.key for step in wave.applies for task in step], wave.number)
            if failed:
                return failed
        return ""

    def _wave(
        self, wave: Wave, applies: Mapping[ResourceKey, Compared], lives: Mapping[ResourceKey, Live], plan: Plan
    ) -> str:
        """Why it failed, ``""`` when all of it was done. Raises ClusterError, Cancelled."""
        going: list[Live] = []
        for step in wave.prunes:
            self._check()
            going += self._pruned([lives[task.key] for task in step], plan)
        for step in wave.applies:
            self._check()
            failed = self._applied([applies[task.key] for task in step if task.key in applies], plan.options)
            if failed:
                return f"wave {wave.number}: {self._why(failed)}"
            if time.monotonic() - self._begun > _TELL_AFTER:
                self._begun = time.monotonic()
                self._tell(f"wave {wave.number}: {len(self._results):,} objects done")
            self._established({task.key: task.defines for task in step if task.defines is not None})
        self._gone(going)
        return ""

    def _applied(self, objects: Sequence[Compared], options: ApplicationOptions) -> list[ResourceKey]:
        def apply(each: Compared) -> tuple[ResultCode, str]:
            try:
                return "Synced", self._applier.apply(each, _options(each, options)).told
            except ClusterError as error:
                return "SyncFailed", error.message

        failed = []
        for each, (code, message) in zip(objects, self._pool.map(apply, objects), strict=True):
            self._result(each, code, message)
            failed += [each.key] if code == "SyncFailed" else []
        return failed

    def _pruned(self, objects: Sequence[Live], plan: Plan) -> list[Live]:
        """Delete objects; those that go, which others may have kept meanwhile. Raises ClusterError."""
        propagation = _PROPAGATION[plan.options.propagation]
        spared = self._pool.map(lambda each: self._applier.prune(each, plan.app, propagation), objects)
        going = []
        for each, reason in zip(objects, spared, strict=True):
            code: ResultCode = "PruneSkipped" if reason else "Pruned"
            self._results[each.key] = _result(each.key, each.api_version, code, reason or "pruned")
            going += [] if reason else [each]
        return going

    # -- waiting ------------------------------------------------------------------------------------------------------

    def _tell(self, message: str) -> None:
        self._supervisor.told(message, tuple(self._results.values()))

    def _check(self) -> None:
        """Raise Cancelled when the operation is not wanted any more."""
        reason = self._supervisor.cancelled()
        if reason:
            raise Cancelled(reason)

    def _until(self, holds: Callable[[], bool], seconds: float, what: Callable[[], str]) -> bool:
        """Look again and again, whenever a watch tells of a change, until it holds or the time is over.

        What takes a while is told: ``what`` says it. Raises ClusterError, Cancelled.
        """
        begun = time.monotonic()
        if holds():
            return True
        told, tell_at = "", begun + _LOOK_EVERY
        with self._supervisor.waits():
            while (left := begun + seconds - time.monotonic()) > 0:
                self._check()
                self._inventory.pause(min(left, _LOOK_EVERY), self._part_of)
                if holds():
                    return True
                if time.monotonic() >= tell_at and told != what():
                    told, tell_at = what(), time.monotonic() + _TELL_AFTER
                    self._tell(f"waiting for {told}")
        return False

    def _established(self, defined: Mapping[ResourceKey, tuple[str, str]]) -> None:
        """Wait until the kinds that were defined are there. Raises ClusterError."""
        waiting = set(defined)

        def established() -> bool:
            ready = {key for key in waiting if self._status(key) == "Healthy"}
            if ready:
                # The API server may say so a moment before it serves the kind.
                self._objects.forget_kinds()
                kinds = self._objects.kinds
                waiting.difference_update(key for key in ready if kinds.preferred(*defined[key]) is not None)
            return not waiting

        if defined and not self._until(
            established, self._deadlines.definition, lambda: f"{_counted(sorted(waiting))} to be established"
        ):
            names = ", ".join(sorted(key.name for key in waiting))
            raise ClusterError(f"{names}: not established after {self._deadlines.definition:.0f} s")

    def _healthy(self, keys: Sequence[ResourceKey], number: int) -> str:
        """Wait for a wave; why it failed, ``""`` when everything of it is healthy. Raises ClusterError, Cancelled."""
        waiting = {key for key in keys if has_health(key.group, key.kind)}
        judged: dict[ResourceKey, tuple[str, datetime | None]] = {}
        degraded: list[str] = []

        def may_have_changed(key: ResourceKey) -> bool:
            if key not in judged:
                return True
            version, until = judged[key]
            return version != self._inventory.version(key) or (until is not None and until <= self._now())

        def done() -> bool:
            for key in sorted(filter(may_have_changed, waiting)):
                body = self._served(key)
                if body is None:
                    continue
                health = assess(body, now=self._now())
                judged[key] = (body["metadata"]["resourceVersion"], health.until if health is not None else None)
                if health is None or health.status == "Healthy":
                    waiting.discard(key)
                elif health.status == "Degraded":
                    degraded.append(f"{key}: {health.message}")
            return not waiting or bool(degraded)

        if not self._until(
            done, self._deadlines.wave, lambda: f"wave {number}: {_counted(sorted(waiting))} to be healthy"
        ):
            return f"wave {number}: {_counted(sorted(waiting))} not healthy after {self._deadlines.wave:.0f} s"
        return f"wave {number}: {degraded[0]}" if degraded else ""

    def _gone(self, objects: Sequence[Live]) -> None:
        """Wait until what was deleted is gone. Raises ClusterError when it is not in time, Cancelled."""
        waiting = {each.key: each.uid for each in objects}

        def gone() -> bool:
            for key, uid in list(waiting.items()):
                if self._is_gone(key, uid):
                    del waiting[key]
                    self._inventory.gone(key, uid)
            return not waiting

        if objects and not self._until(gone, self._deadlines.prune, lambda: f"{_counted(sorted(waiting))} to be gone"):
            raise ClusterError(f"{_counted(sorted(waiting))} not gone after {self._deadlines.prune:.0f} s")

    def _is_gone(self, key: ResourceKey, uid: str) -> bool:
        """Whether an object is gone. Where its kind is not served, the watch of the kind knows. Raises ClusterError."""
        try:
            body = self._objects.find(key)
        except NoKind:
            return self._inventory.find(key) is None
        return body is None or body["metadata"]["uid"] != uid

    def _served(self, key: ResourceKey) -> Body | None:
        """An object; None where it, or its kind, is not there yet, which is waited for. Raises ClusterError."""
        try:
            return self._objects.find(key)
        except NoKind:
            return None

    def _status(self, key: ResourceKey) -> str:
        body = self._served(key)
        health = assess(body, now=self._now()) if body is not None else None
        return health.status if health is not None else ""

    def _why(self, failed: Sequence[ResourceKey]) -> str:
        """What was refused, with the first of the reasons."""
        return f"{_counted(failed)} would not be taken: {self._results[failed[0]].message}"

    def _result(self, compared: Compared, code: ResultCode, message: str) -> None:
        self._results[compared.key] = _result(compared.key, compared.desired.api_version, code, message)


def _options(compared: Compared, options: ApplicationOptions) -> Effective:
    return effective(options, compared.desired.annotations, annotations_of(compared))


def _task_of(compared: Compared) -> Task:
    definition = head_of(compared.desired.body).defines
    return Task(
        key=compared.key,
        wave=wave_of(compared.desired.annotations),
        defines=definition[:2] if definition is not None else None,
    )


def _prune_of(live: Live, options: ApplicationOptions) -> Task:
    return Task(
        key=live.key,
        wave=wave_of(live.annotations),
        prune=True,
        prune_last=effective(options, None, live.annotations).prune_last,
    )


def _result(key: ResourceKey, api_version: str, code: ResultCode, message: str) -> ResourceResult:
    return ResourceResult(
        group=key.group, version=api_version.rpartition("/")[2], kind=key.kind, namespace=key.namespace,
        name=key.name, status=code, message=message, sync_phase="Sync",
    )  # fmt: skip


def _counted(keys: Sequence[ResourceKey]) -> str:
    more = len(keys) - 1
    return f"{keys[0]}{f' and {more:,} more' if more else ''}"


def _summary(results: Iterable[ResourceResult]) -> str:
    listed = list(results)
    pruned = [each.key for each in listed if each.status == "Pruned"]
    applied = sum(each.status == "Synced" for each in listed)
    return f"applied {applied:,}" + (f", pruned {len(pruned):,}: {named(pruned)}" if pruned else "")
