"""Which Application is next, and when one that came to nothing is."""

from __future__ import annotations

from gitops_bot.agent.loop.queue import Queue


def test_what_came_to_nothing_is_due_again_soon_and_then_less_and_less_often():
    now = [100.0]
    queue = Queue(lambda: now[0])
    waits = []
    queue.put("a")
    for _ in range(6):
        assert queue.take() == "a"
        queue.done("a", failed=True)
        begun = now[0]
        while not queue.count_due():
            now[0] += 0.5
        waits.append(now[0] - begun)
    assert waits == [1, 2, 4, 8, 10, 10]
    assert queue.take() == "a"
    queue.done("a")
    assert queue.is_idle(float("inf"))
    queue.put("a")
    queue.take()
    queue.done("a", failed=True)
    assert not queue.is_idle(now[0] + 1.0)


def test_what_came_to_nothing_is_due_at_once_when_something_has_changed():
    queue = Queue(lambda: 100.0)
    queue.put("a")
    queue.take()
    queue.put("a")
    queue.done("a", failed=True)
    assert queue.count_due() == 1
