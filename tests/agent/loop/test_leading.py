"""Who may write: by a Lease that is there only in the test's own imagination, and a clock that it moves."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gitops_bot.agent.loop.leading import Leadership
from gitops_bot.doors.cluster.lease import LeaseTimes
from gitops_bot.errors import ClusterError

TIMES = LeaseTimes(lasts=15, renew_within=10, every=3600)


class Clock:
    def __init__(self) -> None:
        self.at = 100.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.at, UTC)

    def monotonic(self) -> float:
        return self.at


class Place:
    """A Lease, as the API server would answer."""

    def __init__(self, clock: Clock, *answers: bool | None, slow: float = 0.0) -> None:
        self._clock, self._answers, self._slow = clock, list(answers), slow
        self.other = "somebody"
        self.released = 0

    def take(self, now: datetime, clock: float) -> bool:
        self._clock.at += self._slow
        answer = self._answers.pop(0)
        if answer is None:
            raise ClusterError("no answer")
        return answer

    def release(self, now: datetime) -> None:
        self.released += 1


def leadership(clock: Clock, place: Place) -> Leadership:
    return Leadership(place, TIMES, clock)  # type: ignore[arg-type]


def test_who_has_the_lease_leads_until_it_cannot_be_sure_any_more():
    clock = Clock()
    one = leadership(clock, Place(clock, True))
    told: list[bool] = []
    assert not one.leads()
    one.start(told.append)
    clock.at += 9.9
    assert one.leads()
    assert one.forbidden == ""
    clock.at += 0.2
    assert not one.leads()  # nobody has said anything: time alone ends it
    assert "somebody" in one.forbidden
    assert told == [True]
    one.close(release=True)


def test_the_time_of_a_slow_renewal_does_not_count():
    clock = Clock()
    one = leadership(clock, Place(clock, True, slow=6.0))
    one.start(lambda _leads: None)
    clock.at += 4.1
    assert not one.leads()
    one.close(release=True)


def test_who_sees_another_holder_stops_at_once_and_who_gets_no_answer_goes_on_for_a_while():
    clock = Clock()
    one = leadership(clock, Place(clock, True, None, True, False))
    told: list[bool] = []
    one.start(told.append)
    clock.at += 6
    with pytest.raises(ClusterError):
        one._try()
    assert one.leads()
    one._try()
    clock.at += 6
    assert one.leads()
    one._try()
    one._tell()
    assert not one.leads()
    assert told == [True, False]
    one.close(release=True)


def test_who_was_not_sure_for_a_moment_begins_anew():
    """What was withheld in that moment is not done by anybody else."""
    clock = Clock()
    place = Place(clock, True, True)
    one = leadership(clock, place)
    told: list[bool] = []
    one.start(told.append)
    clock.at += 9
    place._slow = 2.0
    one._try()
    one._tell()
    assert one.leads()
    assert told == [True, False, True]
    one.close(release=True)


def test_what_may_still_be_under_way_keeps_the_lease_from_being_given_up():
    clock = Clock()
    for release, times in ((True, 1), (False, 0)):
        place = Place(clock, True)
        one = leadership(clock, place)
        one.start(lambda _leads: None)
        one.close(release=release)
        assert place.released == times
        assert not one.leads()


def test_who_never_led_gives_nothing_up():
    clock = Clock()
    place = Place(clock, False)
    one = leadership(clock, place)
    one.start(lambda _leads: None)
    one.close(release=True)
    assert place.released == 0
