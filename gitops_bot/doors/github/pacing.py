"""When a request to GitHub is repeated, after how long, and when to stop: decisions without a clock or a network.

The rules are GitHub's ("Best practices for using the REST API" and "Rate limits for the REST API"): a limit is answered
with 403 or 429; ``retry-after`` holds first, then ``x-ratelimit-reset`` where nothing remains, else at least a minute,
doubling. Faults (5xx, a lost connection) may come before or after the work was done, so what makes something new is
never repeated without looking whether it is there already.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal, NamedTuple

_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 30.0
_FIRST_LIMIT = 60.0
_FAULTS = 6
"""Attempts of one call that may end in faults: with the pauses above, half a minute of them."""
_TRANSIENT = frozenset({408, 500, 502, 503, 504, 520, 521, 522, 523, 524})
_LIMIT_WORDS = re.compile(r"rate limit|abuse detection|submitted too quickly", re.IGNORECASE)
_SECONDS = re.compile(r"[0-9]{1,11}(\.[0-9]{1,9})?")
_BURST = 10
_BETWEEN_WRITES = 1.0
"""Writes that go at once, and the seconds between further ones: GitHub asks those for a second who make many, and takes
80 a minute that make content. What one promotion or rollback writes is below ten."""
_NEVER = 1e9
"""Seconds (30 years): a wait longer than this is as good as none at all."""

Method = Literal["GET", "POST", "PATCH", "PUT", "DELETE"]


class Patience(NamedTuple):
    """What one run may ask of GitHub, and how long it may wait for it."""

    seconds: float = 300.0
    """Waiting in all, over all calls: pauses, and the time of attempts that failed."""
    requests: int = 15
    """Requests, repetitions included; only the first attempts of further pages of a list are free."""
    creations: int = 3
    """Requests that make content, repetitions included (GitHub allows 80 a minute and 500 an hour to everybody of a
    token together)."""


class Heard(NamedTuple):
    """What came back from one attempt."""

    status: int
    """HTTP status; 0 when there was no whole answer."""
    headers: Mapping[str, str]
    """Names in lower case."""
    body: str
    """Text; for status 0 why there is none."""


class Trouble(NamedTuple):
    """An answer that may be another one later."""

    kind: Literal["limit", "fault"]
    """``limit``: GitHub did nothing and says come back later. ``fault``: nobody knows whether it was done."""
    reason: str
    """In words, for messages: ``GitHub answered 502``."""
    after: float | None = None
    """Seconds that GitHub wants us to wait; None when it does not say."""


class Wait(NamedTuple):
    """Wait this long, then send the same again."""

    seconds: float
    why: str


class ReadBack(NamedTuple):
    """Wait this long, then look whether it was done, and send it again only if it was not."""

    seconds: float
    why: str


class GiveUp(NamedTuple):
    """Do not try again."""

    reason: str
    """Why there is no further attempt, as a sentence's end: ``GitHub answered 502 (6 attempts)``."""


def judge(heard: Heard, now: float) -> Trouble | None:
    """Whether an answer is a limit or a fault that may pass; None: it is final, good or bad.

    ``now`` is the server's time in seconds since the epoch, to which ``x-ratelimit-reset`` and dates are compared.
    """
    if heard.status == 0:
        return Trouble("fault", heard.body)
    if _is_limit(heard):
        return Trouble("limit", f"GitHub's rate limit was reached ({heard.status})", _asked_wait(heard.headers, now))
    if heard.status in _TRANSIENT:
        return Trouble("fault", f"GitHub answered {heard.status}", _retry_after(heard.headers, now))
    return None


def _is_limit(heard: Heard) -> bool:
    """429 always; 403 (and 422, for "submitted too quickly") where anything in the answer says so."""
    if heard.status == 429:
        return True
    if heard.status not in (403, 422):
        return False
    if heard.status == 403 and ("retry-after" in heard.headers or _remaining(heard.headers) == 0):
        return True
    return _LIMIT_WORDS.search(heard.body[:2000]) is not None


def _asked_wait(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds to wait at a limit: ``retry-after``, else until the reset where nothing remains, else None."""
    after = _retry_after(headers, now)
    if after is not None:
        return after
    reset = _number(headers.get("x-ratelimit-reset", ""))
    if _remaining(headers) == 0 and reset is not None:
        # The reset is told in whole seconds: one more is certainly behind it.
        return min(max(reset - now, 0.0) + 1, _NEVER)
    return None


def _retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds by ``retry-after``: a number, or an HTTP date; None without it or when it is neither."""
    value = headers.get("retry-after", "").strip()
    seconds = _number(value)
    if seconds is None and value:
        try:
            when = parsedate_to_datetime(value)
            seconds = (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() - now
        except (ValueError, OverflowError, IndexError, TypeError):
            return None
    return None if seconds is None else min(max(seconds, 1.0), _NEVER)


def _remaining(headers: Mapping[str, str]) -> float | None:
    return _number(headers.get("x-ratelimit-remaining", ""))


def _number(text: str) -> float | None:
    text = text.strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    # A number too long to be a time is one all the same: it must not read as "nothing was said".
    return _NEVER * 1000 if text.isdecimal() else None


def next_step(
    trouble: Trouble,
    method: Method,
    attempt: int,
    *,
    waited: float,
    patience: Patience,
    jitter: float,
    now: float,
) -> Wait | ReadBack | GiveUp:
    """What to do after a failed attempt.

    ``attempt`` counts this call's attempts from 1, ``waited`` is what the run has waited so far in seconds, ``jitter``
    is in [0, 1) and keeps many runs from coming back together, ``now`` is the server's time (for the message). A POST
    gives ReadBack instead of Wait. A wait beyond what patience is left is not begun.
    """
    seconds = _pause(trouble, attempt, jitter)
    if trouble.kind == "fault" and attempt >= _FAULTS:
        return GiveUp(f"{trouble.reason} ({attempt} attempts)")
    if waited + seconds > patience.seconds:
        if trouble.kind == "limit":
            left = max(patience.seconds - waited, 0)
            return GiveUp(f"{trouble.reason}; it holds until {_moment(now + seconds)}, and at most {left:.0f} s more "
                          "are waited")  # fmt: skip
        return GiveUp(f"{trouble.reason} ({attempt} attempt{'s' if attempt > 1 else ''}, {waited:.0f} s waited)")
    return ReadBack(seconds, trouble.reason) if method == "POST" else Wait(seconds, trouble.reason)


def _pause(trouble: Trouble, attempt: int, jitter: float) -> float:
    doubled = float(2 ** min(attempt - 1, 20))
    if trouble.kind == "limit":
        return trouble.after if trouble.after is not None else _FIRST_LIMIT * doubled + jitter
    pause = min(_FIRST_PAUSE * doubled, _LONGEST_PAUSE)
    return max(pause * (0.5 + jitter / 2), trouble.after or 0.0)


def write_turn(paced: float, now: float) -> tuple[float, float]:
    """Seconds that the next write must wait (0: none), and the ``paced`` of the one after it.

    ``paced`` is when all writes so far would be over had each taken its second; before the first it is any moment long
    ago. ``now`` is by the same monotonic clock.
    """
    missing = max(paced - now - (_BURST - 1) * _BETWEEN_WRITES, 0.0)
    return missing, max(paced, now + missing) + _BETWEEN_WRITES


def _moment(seconds: float) -> str:
    """A time for people, in UTC."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return "a time far away"


def server_time(headers: Mapping[str, str], otherwise: float) -> float:
    """The server's clock as its ``date`` header tells it, in seconds since the epoch; ``otherwise`` without one.

    A runner's own clock may be wrong by minutes, and a reset compared with it would be waited for too long.
    """
    try:
        when = parsedate_to_datetime(headers.get("date", ""))
    except (ValueError, OverflowError, IndexError, TypeError):
        return otherwise
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
