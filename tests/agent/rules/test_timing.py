from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_bot.agent.rules.policy import Backoff
from gitops_bot.agent.rules.timing import Heals, due, heal_at, heal_wait, healed, next_retry_at, poll_distance
from tests.agent.lives import key

NOW = datetime(2026, 11, 29, 18, 0, tzinfo=UTC)
SHORT = Backoff(duration=2, factor=3, max_duration=60)


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("backoff", "done", "wait"),
    [
        *((Backoff(), n, wait) for n, wait in enumerate((5, 10, 20, 40, 80))),
        (Backoff(), 80, 180),
        (Backoff(), 100_000, 180),
        *((SHORT, n, wait) for n, wait in enumerate((2, 6, 18, 54, 60))),
        (Backoff(max_duration=0), 6, 320),
        (Backoff(max_duration=-1), 6, 320),
        (Backoff(max_duration=0), 100_000, 366 * 24 * 3600),
        (Backoff(duration=0), 9, 0),
        (Backoff(duration=-5), 0, 0),
        (Backoff(factor=1), 9, 5),
        (Backoff(duration=0, max_duration=0), 100_000, 0),
    ],
)
def test_next_retry(backoff: Backoff, done: int, wait: float) -> None:
    assert next_retry_at(backoff, NOW, done) == later(wait)


def test_self_heal_waits() -> None:
    assert [heal_wait(n) for n in range(9)] == [0, 2, 6, 18, 54, 162, 300, 300, 300]
    assert [heal_wait(n, 120) for n in range(7)] == [0, 2, 6, 18, 54, 120, 120]


def test_an_object_that_was_left_alone_is_corrected_at_once() -> None:
    assert heal_at(None, NOW) == NOW
    assert heal_at(None, NOW, fixed=5) == NOW


def test_each_correction_is_waited_for_longer() -> None:
    heals, now, waits = None, NOW, []
    for _ in range(8):
        at = heal_at(heals, now)
        waits.append((at - now).total_seconds())
        heals, now = healed(heals, at), at
    assert waits == [0, 2, 6, 18, 54, 162, 300, 300]


def test_a_fixed_wait_instead() -> None:
    assert heal_at(Heals(7, NOW), later(1), fixed=5) == later(5)


def test_ten_quiet_minutes_forget_everything() -> None:
    many = Heals(7, NOW)
    assert heal_at(many, later(599)) == later(300)
    assert heal_at(many, later(600)) == later(600)
    assert healed(many, later(599)) == Heals(8, later(599))
    assert healed(many, later(600)) == Heals(1, later(600))


def test_each_object_has_its_own() -> None:
    busy, calm = key(name="busy"), key(name="calm")
    heals = {busy: Heals(5, NOW)}
    assert due([busy, calm], heals, NOW) == (frozenset({calm}), NOW)
    assert due([busy], heals, NOW) == (frozenset({busy}), later(162))
    assert due([busy, calm], heals, later(200)) == (frozenset({busy, calm}), later(200))


def test_a_failing_commit_is_tried_at_growing_distance() -> None:
    assert [poll_distance(180, n) for n in range(1, 8)] == [180, 360, 720, 1440, 1800, 1800, 1800]
    assert poll_distance(180, 0) == 180
    assert poll_distance(180, 10**6) == 1800
    assert poll_distance(7200, 3) == 7200


@settings(deadline=None)
@given(st.floats(0.1, 1e6), st.floats(1, 10), st.integers(0, 10**6), st.floats(-10, 1e6))
def test_waits_never_shrink_and_never_end_beyond_a_year(first: float, factor: float, done: int, most: float) -> None:
    backoff = Backoff(duration=first, factor=factor, max_duration=most)
    here, next_ = (next_retry_at(backoff, NOW, count) - NOW for count in (done, done + 1))
    assert timedelta() <= here <= next_ <= timedelta(days=366)
