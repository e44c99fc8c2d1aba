"""Times without promotions: ``Fri 16:00-Mon 08:00 Europe/Berlin`` and its like. Pure.

    window = [ day ] time "-" [ day ] time [ zone ]         every week, or every day where no day is named
           | day "-" day [ zone ]                           whole days, the last one included
           | date [ time ] "-" date [ time ] [ zone ]       once; without times whole days, the last one included

Times are wall-clock times of the zone (UTC where none is named). Where clocks are changed, a time that is there twice
or not at all is read so that the window is the longer one: nobody is let through by an hour that does not exist.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from gitops_bot.errors import UsageError

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = r"(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*"
_TIME = r"(?:[01]?[0-9]|2[0-4]):[0-5][0-9]"
_DATE = r"[12][0-9]{3}-[0-9]{2}-[0-9]{2}"
_ZONE = r"(?:\s+(?P<zone>[A-Za-z][A-Za-z0-9_+/-]*))?"
_CLOCK = re.compile(
    rf"(?:(?P<day1>{_DAY})\s+)?(?P<time1>{_TIME})\s*-\s*(?:(?P<day2>{_DAY})\s+)?(?P<time2>{_TIME}){_ZONE}",
    re.IGNORECASE,
)
_WHOLE_DAYS = re.compile(rf"(?P<day1>{_DAY})(?:\s*-\s*(?P<day2>{_DAY}))?{_ZONE}", re.IGNORECASE)
_DATES = re.compile(
    rf"(?P<date1>{_DATE})(?:\s+(?P<time1>{_TIME}))?\s*-\s*(?P<date2>{_DATE})(?:\s+(?P<time2>{_TIME}))?{_ZONE}",
    re.IGNORECASE,
)
_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MOST_JOINED = 400
"""Windows that follow one another without a gap, before it is said that there is no end."""
_HINT = 'write it as "Fri 16:00-Mon 08:00 Europe/Berlin", "22:00-06:00 UTC" or "2026-12-20-2027-01-03"'


class Window(NamedTuple):
    """One line of ``freeze``, read."""

    text: str
    """As it was written."""
    zone: ZoneInfo
    weekdays: frozenset[int]
    """Days of the week on which it begins, 0 is Monday; empty for dates."""
    begin: time
    days: int
    """How many midnights lie between the wall-clock day of its beginning and that of its end."""
    end: time
    once: date | None = None
    """The day of its beginning, for dates."""

    def spans(self, around: datetime) -> Iterable[tuple[datetime, datetime]]:
        """Beginning and end (excluded) in UTC of every occurrence that could hold the instant."""
        if self.once is not None:
            yield self._span(self.once)
            return
        today = around.astimezone(self.zone).date()
        for back in range(self.days + 1, -2, -1):
            day = today - timedelta(days=back)
            if day.weekday() in self.weekdays:
                yield self._span(day)

    def _span(self, day: date) -> tuple[datetime, datetime]:
        last = day + timedelta(days=self.days)
        return min(_instants(day, self.begin, self.zone)), max(_instants(last, self.end, self.zone))


class Frozen(NamedTuple):
    """That there is a freeze now."""

    window: Window
    """The first of the windows that hold now."""
    until: datetime | None
    """When the last of the windows that follow one another ends, in UTC; None when that is not in sight."""


def _instants(day: date, clock: time, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Both readings of a wall-clock time: they differ only where clocks are changed."""
    local = datetime.combine(day, clock, tzinfo=zone)
    return local.astimezone(UTC), local.replace(fold=1).astimezone(UTC)


def parse_window(text: str) -> Window:
    """Read one window. Raises UsageError with what is wrong."""
    squeezed = " ".join(text.split())
    if found := _CLOCK.fullmatch(squeezed):
        return _clock(text, found)
    if found := _WHOLE_DAYS.fullmatch(squeezed):
        first = _weekday(text, found["day1"])
        last = _weekday(text, found["day2"] or found["day1"])
        days = (last - first) % 7 + 1
        return Window(text, _zone(text, found["zone"]), frozenset({first}), time(), days, time())
    if found := _DATES.fullmatch(squeezed):
        return _dates(text, found)
    raise UsageError(f"the freeze {text!r} cannot be read", hint=_HINT)


def _clock(text: str, found: re.Match[str]) -> Window:
    if (found["day1"] is None) != (found["day2"] is None):
        raise UsageError(f"the freeze {text!r} names a day on one side only", hint=_HINT)
    begin, late_begin = _time(text, found["time1"])
    end, late_end = _time(text, found["time2"])
    if late_begin:
        raise UsageError(f"the freeze {text!r} begins at 24:00", hint="write 00:00 of the next day")
    if found["day1"] is None:
        weekdays, days = frozenset(range(7)), 1 if late_end or end <= begin else 0
    else:
        first, last = _weekday(text, found["day1"]), _weekday(text, found["day2"])
        weekdays, days = frozenset({first}), (last - first) % 7 + late_end
        if days == 0 and end <= begin:
            days = 7
    return Window(text, _zone(text, found["zone"]), weekdays, begin, days, end)


def _dates(text: str, found: re.Match[str]) -> Window:
    try:
        first, last = date.fromisoformat(found["date1"]), date.fromisoformat(found["date2"])
        begin, late_begin = _time(text, found["time1"] or "00:00")
        end, late_end = _time(text, found["time2"] or "24:00")
        days = (last - first).days + late_end
        last + timedelta(days=2)
    except (ValueError, OverflowError):
        raise UsageError(f"the freeze {text!r} names a day that does not exist", hint=_HINT) from None
    if late_begin:
        raise UsageError(f"the freeze {text!r} begins at 24:00", hint="write 00:00 of the next day")
    if days < 0 or (days == 0 and end <= begin):
        raise UsageError(f"the freeze {text!r} ends before it begins", hint=_HINT)
    return Window(text, _zone(text, found["zone"]), frozenset(), begin, days, end, first)


def _time(text: str, written: str) -> tuple[time, int]:
    """A time of day; 24:00 is 00:00 and a day more."""
    hour, minute = (int(part) for part in written.split(":"))
    if hour == 24 and minute:
        raise UsageError(f"the freeze {text!r} names {written}, which no clock shows", hint=_HINT)
    return time(hour % 24, minute), int(hour == 24)


def _weekday(text: str, written: str) -> int:
    for number, name in enumerate(_NAMES):
        if name.startswith(written.lower()):
            return number
    raise UsageError(f"the freeze {text!r}: {written} is no day of the week", hint=_HINT)


def _zone(text: str, name: str | None) -> ZoneInfo:
    try:
        return ZoneInfo(name or "UTC")
    except (KeyError, ValueError, OSError):
        raise UsageError(
            f"the freeze {text!r}: there is no time zone {name}", hint="write a zone such as Europe/Berlin, or UTC"
        ) from None


def frozen(windows: Iterable[Window], now: datetime) -> Frozen | None:
    """The freeze that holds at an instant, None when there is none.

    Windows that overlap or follow one another without a gap are one freeze, with one end. ``now`` must be aware.
    """
    listed = list(windows)
    first = next((window for window in listed if _end(window, now) is not None), None)
    if first is None:
        return None
    until = now
    for _ in range(_MOST_JOINED):
        ends = [end for window in listed if (end := _end(window, until)) is not None]
        if not ends:
            return Frozen(first, until)
        until = max(ends)
    return Frozen(first, None)


def _end(window: Window, at: datetime) -> datetime | None:
    """When the window that holds at an instant ends, None when it does not hold."""
    return max((end for begin, end in window.spans(at) if begin <= at < end), default=None)
