"""How many threads work, and how many more there are while some of them only wait."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable

import pytest

from gitops_bot.agent.loop.crew import Crew

WITHIN = 30.0


class Site:
    """A crew, and what its threads do: pieces of work that a test ends when it likes."""

    def __init__(self, *, most: int, waiting: int) -> None:
        self._pieces: queue.Queue[Callable[[], None] | None] = queue.Queue()
        self.crew = Crew(self._work, most=most, waiting=waiting)
        self.crew.start()

    def _work(self) -> bool:
        piece = self._pieces.get()
        if piece is not None:
            piece()
        return piece is not None

    def give(self, *, waits: bool = False) -> tuple[threading.Event, threading.Event]:
        """A piece of work; set when it has begun, and what ends it (first the waiting, where it waits)."""
        begun, end = threading.Event(), threading.Event()

        def piece() -> None:
            if waits:
                with self.crew.waits():
                    begun.set()
                    end.wait(WITHIN)
            else:
                begun.set()
                end.wait(WITHIN)

        self._pieces.put(piece)
        return begun, end

    def until_there_are(self, threads: int) -> None:
        until = time.monotonic() + WITHIN
        while len(self.crew.threads) != threads:
            assert time.monotonic() < until, f"there are {len(self.crew.threads)}"
            time.sleep(0.01)

    def close(self) -> None:
        self.crew.stop()
        threads = self.crew.threads
        for _ in threads:
            self._pieces.put(None)
        for thread in threads:
            thread.join(WITHIN)
        assert not any(thread.is_alive() for thread in threads)


def test_others_work_while_some_wait_and_nobody_is_left_over_afterwards():
    site = Site(most=2, waiting=10)
    waiting = [site.give(waits=True) for _ in range(5)]
    assert all(begun.wait(WITHIN) for begun, _ in waiting)
    working = [site.give() for _ in range(2)]
    assert all(begun.wait(WITHIN) for begun, _ in working)
    assert len(site.crew.threads) == 7
    for _, end in (*waiting, *working):
        end.set()
    site.until_there_are(2)
    assert all(thread.is_alive() for thread in site.crew.threads)
    begun, end = site.give()
    assert begun.wait(WITHIN), "those that are left work"
    end.set()
    site.close()


def test_of_too_many_that_wait_the_rest_keeps_its_place():
    site = Site(most=1, waiting=2)
    waiting = [site.give(waits=True) for _ in range(3)]
    assert all(begun.wait(WITHIN) for begun, _ in waiting)
    later, end = site.give()
    assert len(site.crew.threads) == 3
    assert not later.is_set()
    waiting[0][1].set()
    assert later.wait(WITHIN)
    for each in (*(each for _, each in waiting), end):
        each.set()
    site.until_there_are(1)
    site.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_dies_is_missed():
    def work() -> bool:
        raise SystemExit  # which no handler of exceptions catches

    crew = Crew(work, most=1, waiting=1)
    crew.start()
    (thread,) = crew.threads
    thread.join(WITHIN)
    assert [each.is_alive() for each in crew.threads] == [False]


def test_who_waits_while_all_is_ended_begins_nothing():
    site = Site(most=1, waiting=1)
    begun, end = site.give()
    assert begun.wait(WITHIN)
    site.crew.stop()
    with site.crew.waits():
        assert len(site.crew.threads) == 1
    end.set()
    site.close()
