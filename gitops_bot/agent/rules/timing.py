"""When something is tried again: after a failure, a correction, a poll. Pure: times in, times out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import msgspec

from gitops_bot.agent.rules.policy import Backoff
from gitops_bot.model.resource import ResourceKey

_LONGEST = 366 * 24 * 3600.0
"""Seconds; a wait without a most grows beyond what a date can say."""
HEAL_CAP = 300.0
"""Seconds between two corrections of one object at most (Argo CD's, 2.4)."""
QUIET = 600.0
"""Seconds without a correction after which an object's earlier ones are forgotten (ours)."""
MISSED = 10.0
"""Seconds after which an object is compared again that could not be (ours)."""
POLL_CAP = 1800.0
"""Seconds between two attempts at a commit that keeps failing, at most (ours)."""


def growing(first: float, factor: float, count: int, cap: float) -> float:
    """``first · factor^count`` seconds, at most ``cap`` where that is above 0; never negative."""
    try:
        wait = first * factor**count
    except OverflowError:
        wait = _LONGEST if first > 0 else 0.0
    return max(0.0, min(wait, cap if cap > 0 else _LONGEST, _LONGEST))


def next_retry_at(backoff: Backoff, last: datetime, done: int) -> datetime:
    """When a failed operation is tried again: ``last`` is the failure's time, ``done`` counts retries made so far.

    Argo CD's ``NextRetryAt`` (2.5). It is asked with the retries that are *done*, so the first wait is ``duration``, as
    Argo CD's documentation says and its controller does not (that waits for ``duration · factor``).
    """
    return last + timedelta(seconds=growing(backoff.duration, backoff.factor, done, backoff.max_duration))


# -- self-heal ------------------------------------------------------------------------------------------------------


class Heals(msgspec.Struct, frozen=True):
    """How often one object was corrected lately."""

    count: int
    at: datetime
    """When the last correction ended."""


def heal_wait(count: int, cap: float = HEAL_CAP) -> float:
    """Seconds to wait after ``count`` corrections: 0, 2, 6, 18, 54, 162, then the cap (Argo CD's, 2.4)."""
    return 0.0 if count <= 0 else growing(2.0, 3.0, count - 1, cap)


def heal_at(heals: Heals | None, now: datetime, *, fixed: float | None = None) -> datetime:
    """When an object may be corrected again; a time that is not after ``now`` means at once.

    ``heals`` is None for an object that was not corrected before. ``fixed`` is a wait in seconds that somebody
    configured instead of the growing one.
    """
    recent = _recent(heals, now)
    if recent is None:
        return now
    return recent.at + timedelta(seconds=heal_wait(recent.count) if fixed is None else max(0.0, fixed))


def healed(heals: Heals | None, now: datetime) -> Heals:
    """What is remembered after a correction that ended now.

    An ordinary sync of a new commit forgets it (2.4): that is for whoever keeps the corrections.
    """
    recent = _recent(heals, now)
    return Heals(recent.count + 1 if recent is not None else 1, now)


def _recent(heals: Heals | None, now: datetime) -> Heals | None:
    """The corrections that still count: none after ten quiet minutes (ours)."""
    return heals if heals is not None and now - heals.at < timedelta(seconds=QUIET) else None


def due(
    keys: Iterable[ResourceKey], heals: Mapping[ResourceKey, Heals], now: datetime, *, fixed: float | None = None
) -> tuple[frozenset[ResourceKey], datetime]:
    """Which objects may be corrected next, and when: all that are due now, else those that are due first.

    Each object has its own back-off (ours; Argo CD's counts for the whole Application). Raises ValueError for no keys.
    """
    times = {key: max(now, heal_at(heals.get(key), now, fixed=fixed)) for key in keys}
    first = min(times.values())
    return frozenset(key for key, at in times.items() if at == first), first


# -- polls ------------------------------------------------------------------------------------------------------------


def poll_distance(interval: float, failures: int) -> float:
    """Seconds from a commit's failure to the next attempt at it: doubling with each one up to 30 minutes (ours).

    ``failures`` counts the operations that failed at this commit with all their fast retries; another commit starts at
    0 again. An interval that is longer than 30 minutes stays as it is.
    """
    return growing(interval, 2.0, max(0, failures - 1), max(interval, POLL_CAP))


def comparison_wait(misses: int, poll: float) -> float:
    """Seconds until is asked again what the API server had no answer for: 10, 20, 40, at most those between polls.

    ``misses`` counts how often in a row there was none, this time included.
    """
    return growing(MISSED, 2.0, max(0, misses - 1), poll)
