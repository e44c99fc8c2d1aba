"""What is told while an Application waits for others, and of what moves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from gitops_bot.agent.application.state import Condition, Status
from gitops_bot.agent.reconcile.conditions import MOVING, SHARED, WAITING, lasting, moving, waiting
from gitops_bot.agent.reports.view import Waits
from tests.agent.lives import key, live

NOW = datetime(2026, 11, 29, 18, 0, 0, tzinfo=UTC)


def waits(seconds: float, *names: str) -> Waits:
    return Waits(names, NOW - timedelta(seconds=seconds), NOW + timedelta(seconds=1))


def test_who_is_waited_for_is_told_when_it_takes_long() -> None:
    assert waiting(waits(9, "a"), NOW) == []
    ((kind, message),) = waiting(waits(10, "a", "b"), NOW)
    assert kind == WAITING
    assert "a, b was looked at" in message
    ((_, message),) = waiting(waits(60, *"abcdefgh"), NOW)
    assert "a, b, c, d, e and 3 more" in message


def test_while_it_waits_nothing_is_told_that_may_be_otherwise_in_a_moment() -> None:
    found = [(SHARED, "cm belongs to a"), ("SyncError", "cm belongs to a, and it shall not"), ("Other", "x")]
    assert lasting(found, Status()) == [("Other", "x")]
    told = Status(conditions=(Condition(type=SHARED, message="cm belongs to a", last_transition_time=NOW),))
    assert lasting(found, told) == [(SHARED, "cm belongs to a"), ("Other", "x")]


def test_what_moves_is_told_once_for_each_that_has_it_by_now() -> None:
    lives = [live(key(name=name)) for name in ("a", "b", "c")]
    found = moving([(lives[0], "one"), (lives[1], "two"), (lives[2], "one")])
    assert [kind for kind, _ in found] == [MOVING, MOVING]
    assert found[0][1].startswith("ConfigMap/shop/a and 1 more moved to one")
    assert found[1][1].startswith("ConfigMap/shop/b moved to two")
