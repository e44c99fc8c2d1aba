"""What watches tell of the cluster's objects: it is kept, and whoever has to do something about it is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from gitops_bot.agent.application.record import Record
from gitops_bot.agent.health.assess import has_health
from gitops_bot.agent.live.inventory import Inventory, Touched
from gitops_bot.agent.live.wellness import HealthReader, is_judged_whole
from gitops_bot.agent.ownership.fingerprint import judge
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
