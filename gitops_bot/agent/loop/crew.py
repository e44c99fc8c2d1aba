"""The threads that work: so many at once, and another one for each that only waits."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Crew:
    """Threads that do one piece of work after another; safe under many threads.

    Whoever only waits for something has another thread work meanwhile. Nobody is kept from going on afterwards: there
    is one too many then, until one of them is done with its piece.
    """

    def __init__(self, work: Callable[[], bool], *, most: int, waiting: int) -> None:
        """Take what finds a piece of work and does it, or says False when there will be none any more.

        ``most`` work at once. Another one is begun for each of ``waiting`` that wait; more of them keep their place.
        """
        self._work = work
        self._most = most
        self._replaced = waiting
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._threads: list[threading.Thread] = []
        self._waiting = 0
        self._closed = False

    def start(self) -> None:
        """Begin."""
        with self._lock:
            for _ in range(self._most):
                self._begin()

    def stop(self) -> None:
        """Begin no thread more; those that there are end when there is no work any more."""
        with self._lock:
            self._closed = True

    @property
    def threads(self) -> tuple[threading.Thread, ...]:
        """Those that there are; one of them that is not alive has ended though nobody wanted it, or with all others."""
        with self._lock:
            return tuple(self._threads)

    @contextmanager
    def waits(self) -> Iterator[None]:
        """While a thread that works only waits."""
        with self._lock:
            self._waiting += 1
            if len(self._threads) < self._wanted and not self._closed:
                self._begin()
        try:
            yield
        finally:
            with self._lock:
                self._waiting -= 1

    @property
    def _wanted(self) -> int:
        """How many threads there should be."""
        return self._most + min(self._waiting, self._replaced)

    def _begin(self) -> None:
        thread = threading.Thread(target=self._run, name=f"work {next(self._numbers)}", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            return  # the machine has none to give: nobody works meanwhile
        self._threads.append(thread)

    def _run(self) -> None:
        while self._work():
            with self._lock:
                if len(self._threads) > self._wanted:
                    self._threads.remove(threading.current_thread())
                    return
