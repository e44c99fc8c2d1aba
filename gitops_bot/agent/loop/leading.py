"""Whether this agent may write: it has the Lease, and has renewed it lately enough to be sure that nobody else has."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from gitops_bot.doors.cluster.lease import Lease, LeaseTimes
from gitops_bot.errors import ClusterError

_log = logging.getLogger(__name__)


class Clock(Protocol):
    """Moments and durations."""

    def now(self) -> datetime:
        """Aware."""
        ...

    def monotonic(self) -> float:
        """Seconds."""
        ...


class Leadership:
    """Holds a Lease in a thread of its own, from ``start`` to ``close``."""

    def __init__(self, lease: Lease, times: LeaseTimes, clock: Clock) -> None:
        """Take the Lease; nothing is asked yet."""
        self._lease = lease
        self._times = times
        self._clock = clock
        self._until = float("-inf")
        self._told = False
        self._changed: Callable[[bool], None] = lambda _leads: None
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)

    def leads(self) -> bool:
        """Whether this agent may write at this moment; runs out by itself where the Lease cannot be renewed."""
        return self._clock.monotonic() < self._until

    @property
    def forbidden(self) -> str:
        """Why nothing may be written, ``""`` when it may."""
        return "" if self.leads() else f"another agent may lead now{f', {self.other}' if self.other else ''}"

    @property
    def other(self) -> str:
        """Who else had the Lease when it was last asked for, ``""`` for nobody."""
        return self._lease.other

    def start(self, changed: Callable[[bool], None]) -> None:
        """Try once, then go on in the background; ``changed`` hears of every beginning and end of leading.

        Raises ClusterError where the first try shows that this account can have no Lease here.
        """
        self._changed = changed
        self._try()
        self._tell()
        self._thread.start()

    def wait(self, seconds: float) -> bool:
        """Wait until this agent leads; False when it does not within that time, or is stopping."""
        end = self._clock.monotonic() + seconds
        while not self.leads() and self._clock.monotonic() < end and not self._closed.wait(0.05):
            pass
        return self.leads()

    def close(self, *, release: bool) -> None:
        """Write no more; ``release`` gives the Lease up, so that the next agent need not wait for its end.

        It must be False while a request may still be under way: whoever takes over would meet its effect.
        """
        self._closed.set()
        if self._thread.ident is not None:
            self._thread.join()
        leads, self._until = self.leads(), float("-inf")
        if leads and release:
            self._lease.release(self._clock.now())

    @property
    def is_alive(self) -> bool:
        """Whether the Lease is still looked after."""
        return self._thread.is_alive()

    def _run(self) -> None:
        while not self._closed.wait(self._times.every):
            try:
                self._try()
            except ClusterError as error:
                _log.warning("the lease could not be renewed: %s", error.message)
            self._tell()

    def _try(self) -> None:
        before = self._clock.monotonic()
        taken = self._lease.take(self._clock.now(), before)
        self._tell()  # it may have run out meanwhile: what was given up then has to be begun anew
        # Counted from before the request: whoever looks at the Lease counts from later.
        self._until = before + self._times.renew_within if taken else float("-inf")

    def _tell(self) -> None:
        leads = self.leads()
        if leads != self._told:
            self._told = leads
            _log.info("this agent leads" if leads else "this agent does not lead any more: %s", *self._who(leads))
            self._changed(leads)

    def _who(self, leads: bool) -> tuple[str, ...]:
        return () if leads else (self.other or "the lease could not be renewed",)
