"""Signs of life of threads that work: who has given none for too long is stuck."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Pulse:
    """Safe under many threads. A thread that rests may be silent for as long as it likes."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Take the clock (monotonic seconds)."""
        self._clock = clock
        self._lock = threading.Lock()
        self._last: dict[str, float] = {}

    def beat(self, name: str) -> None:
        """Say that it works, and gets on."""
        with self._lock:
            self._last[name] = self._clock()

    def rest(self, name: str) -> None:
        """Say that it has nothing to do."""
        with self._lock:
            self._last.pop(name, None)

    def silent(self, seconds: float) -> tuple[str, ...]:
        """Who works, and has given no sign of life for longer than this; in order."""
        now = self._clock()
        with self._lock:
            return tuple(sorted(name for name, last in self._last.items() if now - last > seconds))
