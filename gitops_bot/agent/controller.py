"""The loop: Git is asked at its interval, watches tell of everything else, and whatever was touched is worked on."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from gitops_bot.agent.applications import APPLICATION, Applications
from gitops_bot.agent.definitions import Definer
from gitops_bot.agent.ending import Ender
from gitops_bot.agent.fingerprint import judge
from gitops_bot.agent.health.assess import has_health
from gitops_bot.agent.identity import App
from gitops_bot.agent.inventory import Inventory, Touched
from gitops_bot.agent.operating import Next, Operating
from gitops_bot.agent.queue import Queue
from gitops_bot.agent.record import REFRESH, SKIP, AppObject, Record
from gitops_bot.agent.revisions import Revisions
from gitops_bot.doors.cluster.objects import Objects
from gitops_bot.doors.cluster.watch import Event, Snapshot, Watcher
from gitops_bot.errors import ClusterError

_log = logging.getLogger(__name__)
_FAILED_AGAIN = 10.0
"""Seconds after which an Application is worked on again that the API server had no answer for."""
_KNOWN_WITHIN = 20.0
"""Seconds that the first snapshot of a kind is waited for; objects are asked for one by one after that."""
JITTER = 60.0
"""Seconds: what is added to an interval at most, so that many agents do not ask a Git host together."""


class Clock(Protocol):
    """Moments and durations."""

    def now(self) -> datetime:
        """Aware."""
        ...

    def monotonic(self) -> float:
        """Seconds."""
        ...


class Parts(NamedTuple):
    """What the loop connects."""

    objects: Objects
    applications: Applications
    inventory: Inventory
    revisions: Revisions
    operating: Operating
    ender: Ender
    definer: Definer | None
    """None: Applications are made by people alone."""
    clock: Clock
    people: tuple[str, ...]
    poll: float
    label: str
    """The label that says whose an object is."""


class Controller:
    """Runs until it is closed."""

    def __init__(self, parts: Parts, *, workers: int = 8, leads: Callable[[], bool] = lambda: True) -> None:
        """Take what the loop connects; ``leads`` says whether this agent may write."""
        self._parts = parts
        self._leads = leads
        self._queue = Queue(parts.clock.monotonic)
        self._records: dict[str, Record] = {}
        self._names: dict[str, str] = {}
        """Value of the label → name of the Application."""
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._wake = threading.Event()
        """Set when somebody wants Git to be asked before its time."""
        self._since = parts.clock.monotonic()
        """Repositories that were asked before this are asked again."""
        self._hard: set[str] = set()
        self._watcher = Watcher(parts.objects, parts.label, self._object_told)
        self._apps = Watcher(
            parts.objects, "", self._app_told, namespace=parts.applications.namespace, metadata=False
        )  # fmt: skip
        self._threads = [
            threading.Thread(target=self._work, name=f"work {number}", daemon=True) for number in range(workers)
        ]

    # -- life ---------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin. Raises ClusterError when the API server does not know Applications."""
        kinds = self._parts.objects.kinds
        for kind in ("AppProject", "Application"):
            found = kinds.preferred("argoproj.io", kind)
            if found is None:
                raise ClusterError(
                    f"the cluster does not know {kind} objects", hint="install the definitions: kubectl apply -k deploy"
                )
            self._apps.watch(found)
        for thread in self._threads:
            thread.start()
        threading.Thread(target=self._poll, name="poll", daemon=True).start()

    def close(self) -> None:
        """Stop: what is under way is given up at its next step."""
        self._closed.set()
        self._wake.set()
        self._queue.close()
        self._apps.close()
        self._watcher.close()
        for thread in self._threads:
            thread.join(timeout=30)

    def is_idle(self) -> bool:
        """Whether everything that was to be done now is done."""
        return self._queue.is_idle(self._parts.clock.monotonic() + 1.0)

    def watch(self, kinds: frozenset[tuple[str, str]]) -> None:
        """Watch kinds that are not watched yet, and wait until what there is of them is known."""
        known = self._parts.objects.kinds
        begun = []
        for group, name in sorted(kinds):
            kind = known.preferred(group, name)
            if kind is not None and {"list", "watch"} <= kind.verbs and (group, name) != APPLICATION:
                self._watcher.watch(kind)
                begun.append((group, name))
        end = self._parts.clock.monotonic() + _KNOWN_WITHIN
        inventory = self._parts.inventory
        while not all(map(inventory.knows, begun)) and self._parts.clock.monotonic() < end:
            inventory.pause(0.5)

    # -- what watches tell --------------------------------------------------------------------------------------------

    def _app_told(self, told: Snapshot | Event) -> None:
        applications = self._parts.applications
        if told.kind.kind == "AppProject":
            if isinstance(told, Snapshot):
                applications.replace_projects(told.items)
            elif told.type == "DELETED":
                applications.remove_project(told.body)
            else:
                applications.put_project(told.body)
            for app in applications.all:
                self._queue.put(app.key.name)
            return
        if isinstance(told, Snapshot):
            for name in applications.replace(told.items):
                self._queue.put(name)
            return
        if told.type == "DELETED":
            self._queue.put(applications.remove(told.body))
            return
        before = applications.find(told.body["metadata"]["name"])
        name = applications.put(told.body)
        after = applications.find(name)
        if _is_news(before, after):
            self._queue.put(name)
        if after is not None and REFRESH in after.annotations:
            self._wake.set()  # whoever works on it may be waiting for an older commit

    def _object_told(self, told: Snapshot | Event) -> None:
        inventory, kind = self._parts.inventory, (told.kind.group, told.kind.kind)
        if isinstance(told, Snapshot):
            self._touched(inventory.replace(kind, told.items))
        else:
            change = inventory.remove if told.type == "DELETED" else inventory.put
            found = change(kind, told.body)
            self._touched([found] if found is not None else [])

    def _touched(self, found: Iterable[Touched]) -> None:
        for key, part_of in found:
            name = self._names.get(part_of)
            if name is None:
                continue
            record = self._records[name]
            live, known = self._parts.inventory.find(key), record.memory.find(key)
            if live is None or known is None:
                self._queue.put(name)
                continue
            verdict = judge(known.baseline, live, now=self._parts.clock.now(), people=self._parts.people)
            if verdict != "unchanged" or has_health(key.group, key.kind):
                self._queue.put(name)

    # -- Git ----------------------------------------------------------------------------------------------------------

    def _poll(self) -> None:
        """Ask every repository once in an interval, and work on what follows one that has moved."""
        due = 0.0
        while not self._closed.is_set():
            now = self._parts.clock.monotonic()
            if now >= due:
                self._since = now
                due = now + self._parts.poll + random.random() * min(JITTER, self._parts.poll / 3)  # noqa: S311
                if self._leads():
                    self._ask_git()
            elif self._leads():
                asking = [app for app in self._parts.applications.all if REFRESH in app.annotations]
                self._ask_for(asking, now)
            self._wake.wait(max(0.0, due - self._parts.clock.monotonic()))
            self._wake.clear()

    def _ask_git(self) -> None:
        parts = self._parts
        if parts.definer is not None:
            try:
                parts.definer.work(self._since)
            except ClusterError as error:
                _log.warning("definitions: %s", error.message)
        self._ask_for(parts.applications.all, self._since)

    def _ask_for(self, apps: Iterable[AppObject], since: float) -> None:
        """Ask the repositories of some Applications again; work on those that follow one that has moved."""
        parts = self._parts
        followed: dict[str, list[str]] = {}
        for app in apps:
            for source in app.application.sources:
                if not source.chart:
                    followed.setdefault(source.repo_url, []).append(app.key.name)
        for repository in parts.revisions.refresh(followed, since=since):
            for name in followed[repository]:
                self._queue.put(name)

    # -- work ---------------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        while (name := self._queue.take()) is not None:
            try:
                again = self._worked(name)
                if again is not None:
                    self._queue.put(name, self._parts.clock.monotonic() + again)
            except ClusterError as error:
                _log.warning("%s: %s", name, error.message)
                self._queue.put(name, self._parts.clock.monotonic() + _FAILED_AGAIN)
            except Exception:  # noqa: BLE001 - one Application may not end the work on all others
                _log.exception("%s: a mistake of this program", name)
                self._queue.put(name, self._parts.clock.monotonic() + self._parts.poll)
            finally:
                self._queue.done(name)

    def _worked(self, name: str) -> float | None:
        """Work on one Application; seconds until it has to be looked at again, None for only when something changes."""
        parts = self._parts
        app = parts.applications.find(name)
        if app is None:
            with self._lock:
                self._records.pop(name, None)
            return None
        if not self._leads():
            return parts.poll
        if app.annotations.get(SKIP) == "true":
            return None
        record = self._record(app.key)
        if app.deleting:
            return parts.ender.work(app, record)
        refresh = app.annotations.get(REFRESH)
        since = parts.clock.monotonic() if refresh else self._since
        if refresh:
            parts.applications.consume(app, "refresh")
            app = parts.applications.find(name) or app
        next_: Next = parts.operating.work(
            app, record, since=since, hard=refresh == "hard", cancelled=lambda: self._cancelled(app)
        )
        return None if next_.at is None else max(0.0, (next_.at - parts.clock.now()) / timedelta(seconds=1))

    def _record(self, app: App) -> Record:
        with self._lock:
            self._names[app.id] = app.name
            return self._records.setdefault(app.name, Record())

    def _cancelled(self, app: AppObject) -> str:
        """Why an operation is not wanted any more, ``""`` when it is."""
        if self._closed.is_set():
            return "the agent is stopping"
        if not self._leads():
            return "another agent leads now"
        now = self._parts.applications.find(app.key.name)
        if now is None or now.deleting:
            return "the Application is deleted"
        if now.body["spec"] != app.body["spec"]:
            return "the Application has changed"
        return ""


def _is_news(before: AppObject | None, after: AppObject | None) -> bool:
    """Whether something else than our own status has changed."""
    if before is None or after is None:
        return True
    one, other = before.body, after.body
    return (
        one["spec"] != other["spec"]
        or one.get("operation") != other.get("operation")
        or before.deleting != after.deleting
        or _asking(before) != _asking(after)
    )


def _asking(app: AppObject) -> dict[str, str]:
    """The annotations by which people ask for something."""
    return {name: value for name, value in app.annotations.items() if name.startswith(("argocd.", "gitops-bot/prune"))}
