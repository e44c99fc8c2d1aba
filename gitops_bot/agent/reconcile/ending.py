"""The end of an Application: its objects go with it where its finalizer says so, one wave after another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from datetime import datetime, timedelta

from gitops_bot.agent.application.applications import Applications, key_of
from gitops_bot.agent.application.record import AppObject, Record
from gitops_bot.agent.live.applying import Applier
from gitops_bot.agent.live.inventory import Inventory
from gitops_bot.agent.ownership.identity import group_kinds, is_ours
from gitops_bot.agent.reconcile import conditions
from gitops_bot.agent.reconcile.handover import AGAIN, Handover
from gitops_bot.agent.reconcile.operating import policy_of
from gitops_bot.agent.reports.reporting import Reporter
from gitops_bot.agent.rules import guards, options, order, project
from gitops_bot.agent.sources.surroundings import Surroundings
from gitops_bot.agent.values import Live
from gitops_bot.doors.cluster.objects import Objects, Propagation
from gitops_bot.model.resource import ResourceKey

_AGAIN = 2.0
"""Seconds after which is looked again whether a wave is gone."""
_NOT_TAKEN = 10.0
"""Seconds after which is looked again whether what moved was taken, although nobody said so."""


class Ender:
    """Ends Applications."""

    def __init__(
        self,
        objects: Objects,
        inventory: Inventory,
        applications: Applications,
        pool: Executor,
        around: Surroundings,
        handover: Handover,
        reporter: Reporter,
    ) -> None:
        """Take the doors; ``handover`` knows what others want, ``reporter`` tells what an end waits for and does."""
        self._objects = objects
        self._inventory = inventory
        self._applications = applications
        self._pool = pool
        self._around = around
        self._handover = handover
        self._reporter = reporter

    def work(self, app: AppObject, record: Record, since: float) -> float | None:
        """Do what can be done now; seconds until it has to be looked at again, None when it waits for somebody.

        Git counts as it was asked at ``since``. Raises ClusterError.
        """
        self._handover.forget(app.key.name)
        finalizer = app.cascades
        if not finalizer:
            return None
        if not self._around.cluster.is_meant(app.application.spec.destination):
            # Its objects are in a cluster that nobody here reaches (Argo CD's rule: the finalizer is dropped).
            self._applications.let_go(app, finalizer)
            self._reporter.tell_deleted(
                app, (), "its objects stay: they are in a cluster that is not reached from here"
            )
            return _AGAIN  # it is gone then, unless somebody else's write was in the way
        kinds = group_kinds(app.annotations) | {(each.group, each.kind) for each in app.status.resources}
        if self._around.watch(frozenset(kinds)):
            return _AGAIN  # objects of kinds that are not known yet may be there
        found = [live for key in self._inventory.of(app.key.id) if (live := self._inventory.find(key)) is not None]
        owned = [live for live in found if is_ours(live, app.key)]
        asked = datetime.fromisoformat(app.body["metadata"]["deletionTimestamp"])
        others = self._handover.others(app, record, since)
        ending = guards.ending(
            owned,
            itself=key_of(*app.key),
            options=options.application_options(policy_of(app).sync_options),
            permitted=self._permitted(app),
            approved=guards.is_approved(app.annotations, asked, self._around.now()),
            heir=others.heir,
        )
        if ending.asks:
            self._reporter.write_conditions(app, [(conditions.ASKS, ending.asks)])
            return None
        if not ending.delete and ending.moving:
            # Once this one is gone, nobody could tell whose project the objects were.
            moved = [(live, others.heir(live.key)) for live in ending.moving]
            self._reporter.write_conditions(app, conditions.moving(moved))
            return _NOT_TAKEN
        if not ending.delete:
            self._applications.let_go(app, finalizer)
            self._reporter.tell_deleted(app, [live.key for live, reason in ending.left if reason != "itself"])
            return _AGAIN  # it is gone then, unless somebody else's write was in the way
        if others.waits([live.key for live in ending.delete]) is not None:
            return AGAIN / timedelta(seconds=1)
        self._reporter.write_conditions(app, ())
        self._reporter.tell_deleting(app, record, ending)
        self._delete(ending.delete, app, record, "Background" if finalizer.endswith("/background") else "Foreground")
        return _AGAIN

    def _delete(self, lives: Sequence[Live], app: AppObject, record: Record, propagation: Propagation) -> None:
        """Delete the wave that goes first; what is being deleted already is waited for."""
        by_key = {live.key: live for live in lives}
        tasks = [order.Task(key=live.key, wave=order.wave_of(live.annotations)) for live in lives]
        applier = Applier(self._objects, record.memory, self._inventory, self._around.now)
        wave = order.deletion(tasks)[0]
        for step in wave.prunes:
            going = [by_key[task.key] for task in step if not by_key[task.key].deleting]
            list(self._pool.map(lambda live: applier.prune(live, app.key, propagation), going))

    def _permitted(self, app: AppObject) -> Callable[[ResourceKey], bool]:
        limits = project.limits_of(app.application, self._around.projects(), self._around.cluster)
        if isinstance(limits, tuple):
            return lambda _key: False
        return limits.permits
