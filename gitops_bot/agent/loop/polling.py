"""Git is asked: once in an interval for everything that is followed, and before its time for who asks for it."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Iterable

from gitops_bot.agent.application.applications import Applications
from gitops_bot.agent.application.record import REFRESH, AppObject
from gitops_bot.agent.loop.definitions import Definer
from gitops_bot.agent.loop.pulse import Pulse
from gitops_bot.agent.loop.queue import Queue
from gitops_bot.agent.rules.timing import growing
from gitops_bot.agent.sources.revisions import Followed, Revisions
from gitops_bot.errors import ClusterError

JITTER = 60.0
"""Seconds: what is added to an interval at most, so that many agents do not ask a Git host together."""
_SOON = 2.0
"""Seconds after which definitions are looked at again that the API server had no answer for; doubled each time."""
_NOT_SAID = float("inf")
_log = logging.getLogger(__name__)


class Poller:
    """A thread that asks Git while this agent leads, and has worked on what follows something that has moved."""

    def __init__(
        self,
        applications: Applications,
        revisions: Revisions,
        definer: Definer | None,
        queue: Queue,
        *,
        leads: Callable[[], bool],
        interval: Callable[[], float],
        clock: Callable[[], float],
        pulse: Pulse,
    ) -> None:
        """Take what is asked for whom; ``interval`` and ``clock`` are in (monotonic) seconds."""
        self._applications = applications
        self._revisions = revisions
        self._definer = definer
        self._queue = queue
        self._leads = leads
        self._interval = interval
        self._clock = clock
        self._pulse = pulse
        self._closed = threading.Event()
        self._wake = threading.Event()
        self._due = 0.0
        """When every repository is asked next."""
        self._failed = 0
        """How often in a row the API server had no answer for the definitions."""
        self._refreshed = False
        """Whether somebody has asked for Git since it was asked last."""
        self.since = clock()
        """Repositories that were asked before this are asked again."""
        self.has_begun = False
        """Whether the definitions were looked at since this agent leads: what the settings say is known."""
        self.has_asked = False
        """Whether all of Git was asked since then."""
        self._mended = _NOT_SAID
        """When definitions are put back next that were put back before."""
        self.thread = threading.Thread(target=self._run, name="poll", daemon=True)

    def begin(self) -> None:
        """Ask for everything anew, now: this agent leads."""
        self.has_begun, self.has_asked = False, False
        self._due = 0.0
        self._wake.set()

    def hurry(self) -> None:
        """Put definitions back that somebody has changed."""
        self._wake.set()

    def refresh(self) -> None:
        """Ask for who asks for it (``refresh``) before the time, and anew what Git defines."""
        self._refreshed = True
        self._wake.set()

    def stop(self) -> None:
        """End when what is being asked is answered."""
        self._closed.set()
        self._wake.set()

    def _run(self) -> None:
        while not self._closed.is_set():
            now = self._clock()
            self._pulse.beat(self.thread.name)
            try:
                self._ask(now)
            except Exception:  # noqa: BLE001 - Git is asked again, whatever came of it this time
                if not self._closed.is_set():
                    _log.exception("a mistake of this program while Git was asked")
            if self._due == _NOT_SAID:  # the interval may have been read just now
                self._due = now + self._distance()
            self._pulse.rest(self.thread.name)
            self._wake.wait(max(0.0, min(self._due, self._mended) - self._clock()))
            self._wake.clear()

    def _distance(self) -> float:
        interval = self._interval()
        usual = interval + random.random() * min(JITTER, interval / 3)  # noqa: S311
        return growing(_SOON, 2.0, self._failed - 1, usual) if self._failed else usual

    def _ask(self, now: float) -> None:
        applications = self._applications
        if now < self._due:
            if self._leads():
                self._mend()
                if self._refreshed:
                    self._refreshed = False
                    self._define(now)
                self._ask_for([app for app in applications.all if REFRESH in app.annotations], now)
            return
        self.since, self._due = now, _NOT_SAID
        if not self._leads():
            return
        self._define(now)
        if not self.has_begun:
            self.has_begun = True
            for name in applications.names:
                self._queue.put(name)
        self._ask_for(applications.all, now)
        self.has_asked = True

    def _define(self, now: float) -> None:
        """Bring what Git defines into the cluster."""
        if self._definer is None:
            return
        try:
            if not self.has_begun:
                self._definer.begin()
            self._definer.work(now)
            self._failed = 0
        except ClusterError as error:
            self._failed += 1
            _log.warning("definitions: %s", error.message)

    def _mend(self) -> None:
        """Put definitions back that somebody has changed."""
        again = self._definer.mend() if self._definer is not None else None
        self._mended = self._clock() + again if again is not None else _NOT_SAID

    def _ask_for(self, apps: Iterable[AppObject], since: float) -> None:
        """Ask the repositories of some Applications again; work on those that follow one that has moved."""
        followed: dict[Followed, list[str]] = {}
        for app in apps:
            for source in app.application.sources:
                if not source.chart:
                    followed.setdefault(Followed(source.repo_url, app.project), []).append(app.key.name)
        for each in self._revisions.refresh(followed, since=since):
            for name in followed[each]:
                self._queue.put(name)
