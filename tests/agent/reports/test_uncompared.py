"""What could not be compared: what is told of it, and when it is looked at again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from gitops_bot.agent.application.state import Condition
from gitops_bot.agent.live.comparison import Compared
from gitops_bot.agent.reports.uncompared import UNCOMPARED, uncompared
from gitops_bot.agent.reports.view import View
from gitops_bot.agent.rules.timing import comparison_wait
from gitops_bot.agent.sources.desired import Desired
from tests.agent.lives import key

NOW = datetime(2026, 11, 29, 18, 0, tzinfo=UTC)


def compared(name: str, error: str = "", *, shared: str = "", until: datetime | None = None) -> Compared:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
    return Compared(
        desired=Desired(key=key(name=name), body=body), stamped=body, sent=body, live=None,
        status="Unknown" if error else "Synced", error=error, shared=shared, until=until,
    )  # fmt: skip


def told(*objects: Compared, former: str = "") -> str:
    conditions = [
        Condition(type="Other", message="x"),
        *([Condition(type=UNCOMPARED, message=former)] if former else []),
    ]
    found = uncompared(objects, conditions)
    assert all(type_ == UNCOMPARED for type_, _ in found)
    return "".join(message for _, message in found)


def test_objects_are_named_in_order_with_the_first_reason_and_how_many_more():
    assert told(compared("a")) == ""
    assert told(compared("b", "why b"), compared("a", "why a"), compared("c")).endswith(
        "/a, ConfigMap/shop/b could not be compared: why a"
    )
    many = [compared(f"c{number}", "no answer") for number in range(8)]
    assert told(*many).endswith("/c2 and 5 more could not be compared: no answer")


def test_a_reason_that_is_the_same_but_for_its_numbers_leaves_the_condition_as_it_is():
    former = told(compared("a", "read tcp 10.0.0.1:48234: reset, id 3fa9-77c"))
    assert told(compared("a", "read tcp 10.0.0.1:51022: reset, id 88d0-1"), former=former) == former
    assert "refused" in told(compared("a", "read tcp 10.0.0.1:51022: refused"), former=former)
    assert "a2" in told(compared("a2", "why"), former=told(compared("a1", "why")))


def test_what_could_not_be_compared_is_asked_again_at_growing_distance_up_to_a_poll():
    assert [comparison_wait(misses, 180.0) for misses in range(1, 8)] == [10, 20, 40, 80, 160, 180, 180]
    assert comparison_wait(3, 5.0) == 5
    view = View(compared=(compared("a", "no answer"),))
    assert view.due(NOW, poll=180.0, misses=2) == NOW + timedelta(seconds=20)


def test_whatever_comes_first_decides_when_is_looked_again():
    soon, late = NOW + timedelta(seconds=5), NOW + timedelta(seconds=1000)
    assert View(compared=(compared("a"),)).due(NOW, poll=180.0, misses=0) is None
    assert View(compared=(compared("a", until=late),)).due(NOW, poll=180.0, misses=0) == late
    assert View(blocked="it is").due(NOW, poll=180.0, misses=0) == NOW + timedelta(seconds=180)
    for view in (View(blocked="it is", again=late), View(compared=(compared("a", shared="other", until=late),))):
        assert view.due(NOW, poll=180.0, misses=0) == NOW + timedelta(seconds=180)
    assert View(blocked="it is", again=soon).due(NOW, poll=180.0, misses=0) == soon
    assert View(compared=(compared("a", "no answer"), compared("b", until=late))).due(
        NOW, poll=180.0, misses=1
    ) == NOW + timedelta(seconds=10)
