"""Freeze windows: wall-clock times in time zones whose clocks are changed, over week ends and years."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_bot.errors import UsageError
from gitops_bot.writeback.moves.freeze import frozen, parse_window

WEEKEND = "Fri 16:00-Mon 08:00 Europe/Berlin"
BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str, zone: str = "UTC") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


def until(window: str, now: datetime) -> datetime | None:
    found = frozen([parse_window(window)], now)
    assert found is None or found.until is not None
    return found.until if found else None


@pytest.mark.parametrize(
    ("now", "ends"),
    [
        ("2026-08-07T15:59:59", None),
        ("2026-08-07T16:00:00", "2026-08-10T08:00:00"),
        ("2026-08-08T03:00:00", "2026-08-10T08:00:00"),
        ("2026-08-10T07:59:59", "2026-08-10T08:00:00"),
        ("2026-08-10T08:00:00", None),
        ("2026-08-12T12:00:00", None),
        ("2027-01-01T16:00:00", "2027-01-04T08:00:00"),  # over a new year
    ],
)
def test_a_weekend_in_berlin(now: str, ends: str | None) -> None:
    found = until(WEEKEND, at(now, "Europe/Berlin"))
    assert found == (at(ends, "Europe/Berlin") if ends else None)


def test_the_zone_of_the_asker_does_not_matter() -> None:
    assert until(WEEKEND, at("2026-08-07T14:00:00")) == at("2026-08-10T06:00:00")
    assert until(WEEKEND, at("2026-08-07T13:59:59")) is None
    assert until(WEEKEND, at("2026-08-07T10:00:00", "America/New_York")) is not None
    assert until(WEEKEND, at("2026-01-09T14:59:59")) is None  # in winter it is 15:00 in UTC
    assert until(WEEKEND, at("2026-01-09T15:00:00")) is not None


def test_a_weekend_in_which_clocks_are_changed() -> None:
    # Summer time begins on Sunday 29 March 2026: Friday is UTC+1, Monday is UTC+2.
    assert until(WEEKEND, at("2026-03-27T15:00:00")) == at("2026-03-30T06:00:00")
    assert until(WEEKEND, at("2026-10-23T14:00:00")) == at("2026-10-26T07:00:00")


@pytest.mark.parametrize(
    ("window", "first", "end"),
    [
        # 02:00 to 03:00 is not there on 29 March: read so that the window is the longer one.
        ("2026-03-29 02:30-2026-03-29 05:00 Europe/Berlin", "2026-03-29T00:30:00", "2026-03-29T03:00:00"),
        ("2026-03-29 01:00-2026-03-29 02:30 Europe/Berlin", "2026-03-29T00:00:00", "2026-03-29T01:30:00"),
        # 02:00 to 03:00 is there twice on 25 October.
        ("2026-10-25 02:30-2026-10-25 05:00 Europe/Berlin", "2026-10-25T00:30:00", "2026-10-25T04:00:00"),
        ("2026-10-25 01:00-2026-10-25 02:30 Europe/Berlin", "2026-10-24T23:00:00", "2026-10-25T01:30:00"),
        ("Sun 02:30-Sun 02:45 Europe/Berlin", "2026-10-25T00:30:00", "2026-10-25T01:45:00"),
    ],
)
def test_an_hour_that_is_not_there_or_there_twice_makes_the_window_longer(window: str, first: str, end: str) -> None:
    assert until(window, at(first)) == at(end)
    assert until(window, at(first) - timedelta(seconds=1)) is None
    assert until(window, at(end)) is None


@pytest.mark.parametrize(
    ("window", "now", "ends"),
    [
        ("22:00-06:00 UTC", "2026-08-05T23:00:00", "2026-08-06T06:00:00"),
        ("22:00-06:00", "2026-08-05T05:59:00", "2026-08-05T06:00:00"),
        ("22:00-06:00 UTC", "2026-08-05T12:00:00", None),
        ("12:00 - 13:00", "2026-08-05T12:30:00", "2026-08-05T13:00:00"),
        ("sat-sun", "2026-08-08T00:00:00", "2026-08-10T00:00:00"),
        ("Saturday-Sunday", "2026-08-09T23:59:59", "2026-08-10T00:00:00"),
        ("Sat - Sun UTC", "2026-08-10T00:00:00", None),
        ("Fri", "2026-08-07T10:00:00", "2026-08-08T00:00:00"),
        ("Mon 09:00-Mon 10:00 UTC", "2026-08-10T09:30:00", "2026-08-10T10:00:00"),
        ("Mon 09:00-Mon 09:00 UTC", "2026-08-12T09:30:00", None),  # the whole week: see below
        ("Mon 10:00-Mon 09:00 UTC", "2026-08-10T09:30:00", None),
        ("Mon 10:00-Mon 09:00 UTC", "2026-08-13T09:30:00", "2026-08-17T09:00:00"),
        ("Fri 16:00-Sun 24:00", "2026-08-09T23:59:00", "2026-08-10T00:00:00"),
        ("00:00-24:00", "2026-08-09T23:59:00", None),
        ("2026-12-20-2027-01-03 Europe/Berlin", "2027-01-03T22:59:59", "2027-01-03T23:00:00"),
        ("2026-12-20-2027-01-03 Europe/Berlin", "2026-12-19T22:59:59", None),
        ("2026-12-24 12:00-2026-12-27 08:00", "2026-12-25T00:00:00", "2026-12-27T08:00:00"),
    ],
)
def test_every_form(window: str, now: str, ends: str | None) -> None:
    found = frozen([parse_window(window)], at(now))
    if window in ("Mon 09:00-Mon 09:00 UTC", "00:00-24:00"):
        assert found is not None
        assert found.until is None  # no end is in sight
    else:
        assert (found.until if found else None) == (at(ends) if ends else None)


def test_windows_that_follow_one_another_are_one_freeze() -> None:
    windows = [parse_window(each) for each in ("Sat-Sun", "Fri 16:00-Fri 24:00", "Mon 00:00-Mon 08:00", "Wed")]
    found = frozen(windows, at("2026-08-07T20:00:00"))
    assert found is not None
    assert (found.until, found.window.text) == (at("2026-08-10T08:00:00"), "Fri 16:00-Fri 24:00")
    assert frozen(windows, at("2026-08-10T08:00:00")) is None
    assert frozen([], at("2026-08-10T08:00:00")) is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "cannot be read"),
        ("always", "cannot be read"),
        ("Fri 16:00", "cannot be read"),
        ("Fri 16:00-08:00", "on one side only"),
        ("Fri 16:00-Mon 08:00 Europe/Atlantis", "no time zone Europe/Atlantis"),
        ("Fri 16:00-Mon 08:00 ../../etc/passwd", "cannot be read"),
        ("Fri 16:00-Mon 08:00 a/../../etc/passwd", "cannot be read"),
        ("Fri 25:00-Mon 08:00", "cannot be read"),
        ("Fri 16:00-Mon 24:30", "no clock shows"),
        ("Frog 16:00-Mon 08:00", "cannot be read"),
        ("Frigg 16:00-Mon 08:00", "no day of the week"),
        ("Fri 24:00-Mon 08:00", "begins at 24:00"),
        ("2026-02-30-2026-03-01", "does not exist"),
        ("2026-03-02-2026-03-01", "ends before it begins"),
        ("2026-03-01 12:00-2026-03-01 12:00", "ends before it begins"),
        ("9999-12-31-9999-12-31", "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_refused(text: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        parse_window(text)


clocks = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59))
days = st.sampled_from(["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"])
zones = st.sampled_from(
    ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia"]
)
weekly = st.builds("{} {}-{} {} {}".format, days, clocks, days, clocks, zones)
daily = st.builds("{}-{} {}".format, clocks, clocks, zones)
instants = st.datetimes(datetime(2025, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone


@settings(deadline=None)
@given(weekly | daily, instants)
def test_a_freeze_holds_until_its_end_and_not_a_moment_longer(window: str, now: datetime) -> None:
    read = parse_window(window)
    found = frozen([read], now)
    if found is not None and found.until is not None:
        assert found.until > now
        assert frozen([read], found.until) is None
        assert frozen([read], found.until - timedelta(microseconds=1)) is not None
        # The end is the written wall-clock time, or the other reading of it where clocks are changed.
        local = found.until.astimezone(read.zone)
        assert any(
            local == datetime.combine(local.date(), read.end, read.zone).replace(fold=fold).astimezone(UTC)
            for fold in (0, 1)
        )


@settings(deadline=None)
@given(weekly, instants)
def test_wall_clock_decides_where_clocks_stand_still(window: str, now: datetime) -> None:
    read = parse_window(window)
    local = now.astimezone(read.zone)
    for other in (now - timedelta(days=9), now + timedelta(days=9)):
        if other.astimezone(read.zone).utcoffset() != local.utcoffset():
            return
    first, _, last = window.rpartition(" ")[0].partition("-")

    def minutes(text: str) -> int:
        day, _, clock = text.partition(" ")
        return (
            ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"].index(day) * 1440 + int(clock[:2]) * 60 + int(clock[3:])
        )

    begin, end = minutes(first), minutes(last)
    here = local.weekday() * 1440 + local.hour * 60 + local.minute
    holds = begin <= here < end if begin < end else here >= begin or here < end
    assert (frozen([read], now) is not None) == holds
