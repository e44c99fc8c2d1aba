"""Which Application is looked at next: each at most once at a time, the one that is due first."""

from __future__ import annotations

import threading
from collections.abc import Callable

from gitops_bot.agent.rules.timing import growing

_AGAIN, _LONGEST = 1.0, 10.0
"""Seconds after which one is due again that came to nothing: at first, and at most."""


class Queue:
    """Names with the moment at which they are due; safe under many threads."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Take the clock (monotonic seconds)."""
        self._clock = clock
        self._changed = threading.Condition()
        self._due: dict[str, float] = {}
        self._running: set[str] = set()
        self._failed: dict[str, int] = {}
        """How often in a row one came to nothing."""
        self._closed = False

    def put(self, name: str, at: float | None = None) -> None:
        """Have it looked at, at once or at some moment; an earlier moment stands."""
        with self._changed:
            self._put(name, self._clock() if at is None else at)

    def _put(self, name: str, moment: float) -> None:
        if name not in self._due or moment < self._due[name]:
            self._due[name] = moment
            self._changed.notify_all()

    def take(self) -> str | None:
        """Wait for the next one that is due and that nobody works on; None when the queue is closed."""
        with self._changed:
            while not self._closed:
                ready = [(moment, name) for name, moment in self._due.items() if name not in self._running]
                moment, name = min(ready, default=(float("inf"), ""))
                left = moment - self._clock()
                if left <= 0:
                    del self._due[name]
                    self._running.add(name)
                    return name
                self._changed.wait(None if left == float("inf") else left)
            return None

    def done(self, name: str, *, failed: bool = False) -> None:
        """Say that nobody works on it any more; what came to nothing is due again soon, then less and less often."""
        with self._changed:
            self._running.discard(name)
            if failed:
                times = self._failed[name] = self._failed.get(name, 0) + 1
                self._put(name, self._clock() + growing(_AGAIN, 2.0, times - 1, _LONGEST))
            else:
                self._failed.pop(name, None)
            self._changed.notify_all()

    def is_idle(self, until: float) -> bool:
        """Whether nothing is worked on, and nothing is due before a moment."""
        with self._changed:
            return not self._running and all(moment > until for moment in self._due.values())

    def wants(self, name: str) -> bool:
        """Whether it is due already, so that what is done about it now may be out of date."""
        with self._changed:
            moment = self._due.get(name)
            return moment is not None and moment <= self._clock()

    def count_due(self) -> int:
        """How many are due, and wait for somebody to take them."""
        with self._changed:
            now = self._clock()
            return sum(moment <= now and name not in self._running for name, moment in self._due.items())

    def close(self) -> None:
        """Let everybody who waits go."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
