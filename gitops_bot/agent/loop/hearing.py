"""What watches tell: it is kept, and whoever has to do something about it is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from gitops_bot.agent.application.applications import APPLICATION, Applications
from gitops_bot.agent.application.record import REFRESH, Record, is_news, slim
from gitops_bot.agent.health.assess import has_health
from gitops_bot.agent.live.inventory import Inventory, Touched
from gitops_bot.agent.live.wellness import HealthReader, is_judged_whole
from gitops_bot.agent.loop.definitions import Definer
from gitops_bot.agent.loop.polling import Poller
from gitops_bot.agent.ownership.fingerprint import judge
from gitops_bot.agent.ownership.identity import group_kinds
from gitops_bot.agent.values import key_in
from gitops_bot.doors.cluster.kinds import Kind
from gitops_bot.doors.cluster.objects import Body
from gitops_bot.doors.cluster.watch import Event, Snapshot


class Hearing:
    """Listens to watches of the objects of Applications."""

    def __init__(
        self,
        inventory: Inventory,
        health: HealthReader,
        whose: Callable[[str], tuple[str, Record | None]],
        due: Callable[[str], None],
        *,
        now: Callable[[], datetime],
        people: Callable[[], Sequence[str]],
    ) -> None:
        """Take where it is kept.

        ``whose`` gives the Application that the label of an object means, and what is known of it (None: it was not
        worked on yet, and will be anyway); ``due`` hears of each that has to be worked on.
        """
        self._inventory = inventory
        self._health = health
        self._whose = whose
        self._due = due
        self._now = now
        self._people = people

    def kept(self, kind: Kind, body: Body) -> Body:
        """An object of a list without what nobody needs any more once its health is known."""
        if is_judged_whole(kind):
            self._health.take(kind, body)
        return {"metadata": body["metadata"]}

    def told(self, told: Snapshot | Event) -> None:
        """Hear what there is of a kind, or that one object has changed."""
        kind = (told.kind.group, told.kind.kind)
        if isinstance(told, Snapshot):
            self._touched(self._inventory.replace(kind, told.items, told.version), has_health(*kind))
            return
        news = has_health(*kind)
        if told.type != "DELETED" and is_judged_whole(told.kind):
            # Before the inventory knows the version that it was judged in: whoever looks meanwhile need not ask.
            news = self._health.take(told.kind, told.body)
        if told.type == "DELETED":
            self._health.forget(key_in(kind, told.body))  # also of one that the inventory knows to be gone
        change = self._inventory.remove if told.type == "DELETED" else self._inventory.put
        found = change(kind, told.body)
        self._touched([found] if found is not None else [], news)

    def _touched(self, found: Iterable[Touched], news: bool) -> None:
        """Have what was touched worked on; ``news`` says that its health may be another one."""
        for key, part_of in found:
            if not self._inventory.version(key):
                self._health.forget(key)
            name, record = self._whose(part_of)
            if record is None:
                continue
            live, known = self._inventory.find(key), record.memory.find(key)
            if live is None or known is None:
                self._due(name)
                continue
            verdict = judge(known.baseline, live, now=self._now(), people=self._people())
            if verdict != "unchanged" or news:
                self._due(name)


class DefinedHearing:
    """Listens to the watch of Applications and AppProjects."""

    def __init__(
        self,
        applications: Applications,
        definer: Definer | None,
        poller: Poller,
        objects: Hearing,
        due: Callable[[str], None],
        begin: Callable[[Iterable[tuple[str, str]]], object],
    ) -> None:
        """Take where they are kept, and who has to know.

        ``objects`` hears of them as objects that other Applications may have, ``due`` of each that has to be worked on,
        ``begin`` of the kinds that they are made of.
        """
        self._applications = applications
        self._definer = definer
        self._poller = poller
        self._objects = objects
        self._due = due
        self._begin = begin

    def kept(self, kind: Kind, body: Body) -> Body:
        """One of a list without what nobody reads of it."""
        return slim(body) if (kind.group, kind.kind) == APPLICATION else body

    def told(self, told: Snapshot | Event) -> None:
        """Hear which there are, or that one has changed."""
        if self._definer is not None and self._definer.heard(told):
            self._poller.hurry()
        if told.kind.kind == "AppProject":
            self._project_told(told)
            return
        self._objects.told(told)
        if isinstance(told, Snapshot):
            self._all_told(told)
        elif told.type == "DELETED":
            self._due(self._applications.remove(told.body))
        else:
            self._one_told(told.body)

    def _all_told(self, told: Snapshot) -> None:
        applications = self._applications
        for name in applications.replace(told.items, told.version):
            self._due(name)
        if any(REFRESH in app.annotations for app in applications.all):
            self._poller.refresh()
        # Who waits to lead knows what there is already when its time comes.
        self._begin(set().union(*(group_kinds(app.annotations) for app in applications.all)))

    def _one_told(self, body: Body) -> None:
        before = self._applications.find(body["metadata"]["name"])
        name = self._applications.put(body)
        after = self._applications.find(name)
        if is_news(before, after):
            self._due(name)
        if after is not None and REFRESH in after.annotations:
            self._poller.refresh()  # whoever works on it may be waiting for an older commit

    def _project_told(self, told: Snapshot | Event) -> None:
        applications = self._applications
        if isinstance(told, Snapshot):
            applications.replace_projects(told.items)
        elif told.type == "DELETED":
            applications.remove_project(told.body)
        else:
            applications.put_project(told.body)
        for app in applications.all:
            self._due(app.key.name)
