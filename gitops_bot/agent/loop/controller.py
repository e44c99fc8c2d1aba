"""The loop: Git is asked at its interval, watches tell of everything else, and whatever was touched is worked on."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from gitops_bot.agent.application.applications import APPLICATION, Applications
from gitops_bot.agent.application.record import REFRESH, AppObject
from gitops_bot.agent.live.inventory import Inventory
from gitops_bot.agent.live.wellness import HealthReader, is_judged_whole
from gitops_bot.agent.loop.crew import Crew
from gitops_bot.agent.loop.definitions import Definer
from gitops_bot.agent.loop.hearing import DefinedHearing, Hearing
from gitops_bot.agent.loop.polling import Poller
from gitops_bot.agent.loop.preflight import look_around
from gitops_bot.agent.loop.pulse import Pulse
from gitops_bot.agent.loop.queue import Queue
from gitops_bot.agent.loop.records import Records
from gitops_bot.agent.reconcile.ending import Ender
from gitops_bot.agent.reconcile.handover import Handover
from gitops_bot.agent.reconcile.operating import Next, Operating
from gitops_bot.agent.sources.revisions import Revisions
from gitops_bot.agent.sources.sources import COMPARISON_ERROR
from gitops_bot.doors.cluster.errors import Withheld
from gitops_bot.doors.cluster.objects import Objects
from gitops_bot.doors.cluster.watch import Chosen, Watcher, always
from gitops_bot.errors import ClusterError

_log = logging.getLogger(__name__)
_KNOWN_WITHIN = 20.0
"""Seconds that the first snapshot of a kind is waited for; objects are asked for one by one after that."""
_STUCK = 1800.0
"""Seconds without a sign of life after which a thread is stuck: more than the longest step has, a render."""
_NOW = 1.0
"""Seconds within which something is due now."""


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
    health: HealthReader
    revisions: Revisions
    operating: Operating
    ender: Ender
    handover: Handover
    definer: Definer | None
    """None: Applications are made by people alone."""
    clock: Clock
    people: Callable[[], tuple[str, ...]]
    poll: Callable[[], float]
    """Seconds."""
    label: str
    """The label that says whose an object is."""


Observe = Callable[[str, float], None]
"""Hears how the work on an Application ended (``success``, ``error``), and how many seconds it took."""


class Controller:
    """Runs until it is closed."""

    def __init__(
        self,
        parts: Parts,
        *,
        workers: int = 8,
        waiting: int = 64,
        leads: Callable[[], bool] = lambda: True,
        observe: Observe = lambda _result, _seconds: None,
    ) -> None:
        """Take what the loop connects.

        So many ``workers`` work at once, beside as many as ``waiting`` that only wait. ``leads`` says whether this
        agent may write, ``observe`` hears of each Application that was worked on.
        """
        self._parts = parts
        self._leads = leads
        self._observe = observe
        self._pulse = Pulse(parts.clock.monotonic)
        self._ready = False
        self._seen: frozenset[str] = frozenset()
        """The Applications that were worked on since this agent leads."""
        self._queue = Queue(parts.clock.monotonic)
        parts.applications.on_news = parts.handover.on_news = self._queue.put
        self._records = Records()
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._poller = Poller(
            parts.applications, parts.revisions, parts.definer, self._queue, leads=leads, interval=parts.poll,
            clock=parts.clock.monotonic, pulse=self._pulse,
        )  # fmt: skip
        hearing = Hearing(
            parts.inventory,
            parts.health,
            self._records.whose,
            self._queue.put,
            now=parts.clock.now,
            people=parts.people,
        )
        self._watcher = Watcher(
            parts.objects, Chosen(parts.label), hearing.told, whole=is_judged_whole, kept=hearing.kept
        )
        defined = DefinedHearing(parts.applications, parts.definer, self._poller, hearing, self._queue.put, self._begin)
        self._apps = Watcher(
            parts.objects, Chosen(namespace=parts.applications.namespace), defined.told, whole=always, kept=defined.kept
        )
        self._crew = Crew(self._work, most=workers, waiting=waiting)

    # -- life ---------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin. Raises ClusterError where no agent can work: no Applications, no rights, or an Argo CD has them."""
        for kind in look_around(self._parts.objects, self._parts.applications.namespace):
            self._apps.watch(kind)
        self._crew.start()
        self._poller.thread.start()

    def stop(self) -> None:
        """Begin nothing more; what is under way is given up at its next step."""
        self._closed.set()
        self._poller.stop()
        self._crew.stop()
        self._queue.close()

    def close(self, seconds: float = 30.0) -> bool:
        """Stop, and wait until all threads have ended; False when some go on after that time."""
        end = self._parts.clock.monotonic() + seconds
        self.stop()
        self._apps.close()
        self._watcher.close()
        threads = self._threads
        for thread in threads:
            if thread.ident is not None:
                thread.join(timeout=max(0.0, end - self._parts.clock.monotonic()))
        return not any(thread.is_alive() for thread in threads)

    def leadership_changed(self, leads: bool) -> None:
        """Begin or end to write. What was known before is forgotten: another agent has written since."""
        self._records.clear()
        with self._lock:
            self._seen = frozenset()
        self._parts.handover.clear()
        if leads:
            self._poller.begin()

    @property
    def _threads(self) -> tuple[threading.Thread, ...]:
        return (*self._crew.threads, self._poller.thread)

    def waits(self) -> AbstractContextManager[None]:
        """While whoever works on an Application only waits: others are worked on meanwhile."""
        return self._crew.waits()

    @property
    def is_idle(self) -> bool:
        """Whether Git was asked, every Application was worked on since, and nothing more is due now."""
        applications, definer = self._parts.applications, self._parts.definer
        names = frozenset(applications.names)
        return (
            self._poller.has_asked
            and applications.are_known
            and (definer is None or (definer.defined <= names | applications.unreadable and definer.is_settled))
            and names <= self._seen
            and self._queue.is_idle(self._parts.clock.monotonic() + _NOW)
        )

    @property
    def problem(self) -> str:
        """Why the Applications that Git defines are not those of the cluster, ``""`` when they are."""
        definer = self._parts.definer
        return definer.problem if definer is not None else ""

    @property
    def leads(self) -> bool:
        """Whether this agent may write."""
        return self._leads()

    @property
    def is_interrupted(self) -> bool:
        """Whether what is under way is left as it is: this process is stopping, or another agent leads."""
        return self._closed.is_set() or not self._leads()

    @property
    def queued(self) -> int:
        """How many Applications are due now."""
        return self._queue.count_due()

    @property
    def problems(self) -> tuple[str, ...]:
        """What of the loop has stopped, so that only a new process helps; empty while everything gets on."""
        dead = [f"{thread.name} has ended" for thread in self._threads if not thread.is_alive()]
        dead += [f"the watch of {name} has ended" for name in (*self._apps.dead, *self._watcher.dead)]
        return (*dead, *(f"{name} is stuck" for name in self._pulse.silent(_STUCK)))

    @property
    def is_ready(self) -> bool:
        """Whether it was known once what the cluster has: of Applications, and of the kinds that they are made of."""
        if not self._ready:
            kinds = {(kind.group, kind.kind) for kind in self._watcher.kinds}
            self._ready = self._parts.applications.are_known and all(map(self._parts.inventory.knows, kinds))
        return self._ready

    def watch(self, kinds: frozenset[tuple[str, str]]) -> frozenset[tuple[str, str]]:
        """Watch kinds that are not watched yet, and wait until what there is of them is known.

        Those of which it is not known in time, or whose API server does not answer; kinds that the cluster is known
        not to have are none.
        """
        begun = self._begin(kinds)
        inventory = self._parts.inventory
        if not all(map(inventory.knows, begun)):
            with self.waits():
                self._hear_of(begun)
        known = self._parts.objects.kinds
        silent = (kind for kind in kinds if known.preferred(*kind) is None and not known.lacks(*kind))
        return frozenset((*silent, *(kind for kind in begun if not inventory.knows(kind))))

    def _hear_of(self, kinds: Iterable[tuple[str, str]]) -> None:
        """Wait until what there is of these kinds is known, for a while."""
        inventory, clock = self._parts.inventory, self._parts.clock.monotonic
        end = clock() + _KNOWN_WITHIN
        while not all(map(inventory.knows, kinds)) and clock() < end and not self._closed.is_set():
            inventory.pause(0.5)

    def _begin(self, kinds: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """Watch kinds that are not watched yet; those of them that can be watched."""
        known = self._parts.objects.kinds
        begun = []
        for group, name in sorted(kinds):
            kind = known.preferred(group, name)
            if kind is not None and {"list", "watch"} <= kind.verbs and (group, name) != APPLICATION:
                self._watcher.watch(kind)
                begun.append((group, name))
        return begun

    # -- Git ----------------------------------------------------------------------------------------------------------

    def logins_changed(self) -> None:
        """Work on what could not be fetched: it may be open now."""
        failed = self._parts.revisions.forget_failures()
        for app in self._parts.applications.all:
            unrendered = any(each.type == COMPARISON_ERROR for each in app.status.conditions)
            if unrendered or any(source.repo_url in failed for source in app.application.sources):
                record = self._records.find(app.key.name)
                if record is not None:
                    record.unrendered = None
                self._queue.put(app.key.name)

    # -- work ---------------------------------------------------------------------------------------------------------

    def _work(self) -> bool:
        """Work on the Application that is due next; False when none will be."""
        if (name := self._queue.take()) is None:
            return False
        begun = self._parts.clock.monotonic()
        self._pulse.beat(threading.current_thread().name)
        result, failed = "error", False
        try:
            again = self._worked(name)
            result = "success"
            if again is not None:
                self._queue.put(name, self._parts.clock.monotonic() + again)
        except Withheld as error:
            _log.info("%s", error.message, extra={"app": name})  # whoever leads now goes on with it
        except ClusterError as error:
            _log.warning("%s", error.message, extra={"app": name})
            failed = True
        except Exception:  # noqa: BLE001 - one Application may not end the work on all others
            self._mistaken(name)
            self._queue.put(name, self._parts.clock.monotonic() + self._parts.poll())
        finally:
            self._pulse.rest(threading.current_thread().name)
            self._observe(result, self._parts.clock.monotonic() - begun)
            self._queue.done(name, failed=failed)
        return True

    def _mistaken(self, subject: str) -> None:
        """Tell of an exception that should not be; while everything is being ended, many may come."""
        if not self._closed.is_set():
            _log.exception("%s: a mistake of this program", subject)

    def _worked(self, name: str) -> float | None:
        """Work on one Application; seconds until it has to be looked at again, None for only when something changes."""
        parts = self._parts
        app = parts.applications.find(name)
        if app is None:
            self._records.forget(name)
            parts.handover.forget(name)
            return None
        if not self._leads() or not self._poller.has_begun:
            return None  # all of them are looked at when this agent begins to lead, and knows the settings
        with self._lock:
            self._seen |= {name}
        if app.is_skipped:
            return None
        record = self._records.of(app)
        if app.deleting:
            return parts.ender.work(app, record, self._poller.since)
        refresh = app.annotations.get(REFRESH)
        if refresh:
            record.refresh = "hard" if "hard" in (refresh, record.refresh) else refresh
            parts.applications.consume(app, "refresh")
            app = parts.applications.find(name) or app
        # Asked after it was taken away: who asks once more while it stands there means what is in Git by then.
        since = parts.clock.monotonic() if record.refresh else self._poller.since
        next_: Next = parts.operating.work(
            app, record, since=since, hard=record.refresh == "hard", cancelled=lambda: self._cancelled(app)
        )
        record.refresh = ""
        return None if next_.at is None else max(0.0, (next_.at - parts.clock.now()) / timedelta(seconds=1))

    def _cancelled(self, app: AppObject) -> str:
        """Why an operation is not wanted any more, ``""`` when it is."""
        self._pulse.beat(threading.current_thread().name)
        if self._closed.is_set():
            return "the agent is stopping"
        if not self._leads():
            return "another agent leads now"
        now = self._parts.applications.find(app.key.name)
        if now is None or now.deleting:
            return "the Application is deleted"
        return "the Application has changed" if now.body["spec"] != app.body["spec"] else ""
