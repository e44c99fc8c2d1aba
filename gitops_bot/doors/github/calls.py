"""One call to GitHub in as many attempts as its rules allow: repetition, waiting, redirects and the run's budget."""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

from gitops_bot.doors.github import pacing
from gitops_bot.doors.github.errors import Unavailable, as_rest, refusal
from gitops_bot.doors.github.pacing import GiveUp, Heard, Method, Patience
from gitops_bot.errors import GitHubError

_log = logging.getLogger(__name__)
_REDIRECTS = frozenset({301, 302, 307, 308})
_MOST_REDIRECTS = 3
LONG_WAIT = 10.0
"""Seconds after which the world may have moved on, so that a write is thought over before it is repeated."""


class Call(NamedTuple):
    """One thing to ask of GitHub."""

    method: Method
    path: str
    """Below the API's URL, ``/repos/acme/shop/pulls/7``; or a whole URL that GitHub gave us."""
    doing: str
    """For messages: ``reading pull request acme/shop#7``."""
    query: Mapping[str, str] = {}
    body: Mapping[str, object] | None = None
    needs: str = ""
    """The permission of a workflow's token that it takes."""
    harmless: bool = False
    """A POST that changes nothing worth counting (a query, a token): repeated like a GET."""
    as_app: bool = False
    """Asked with the App's own JWT instead of a token."""
    graphql: bool = False
    page: bool = False
    """A further page of a list: not counted in the run's budget."""

    @property
    def writing(self) -> bool:
        return self.method != "GET" and not self.harmless

    @property
    def creating(self) -> bool:
        return self.method == "POST" and not self.harmless


class Caller:
    """Sends calls, and keeps the count of what a run has asked and waited. For one thread."""

    def __init__(
        self,
        send: Callable[[Call], Heard],
        origin: str,
        patience: Patience,
        *,
        wait: Callable[[float], None],
        clock: Callable[[], float],
        now: Callable[[], float],
        jitter: Callable[[], float],
        hide: Callable[[str], str],
    ) -> None:
        """Take the wire (``send``), the only ``origin`` it may be redirected to, and the outside.

        ``wait`` sleeps seconds, ``clock`` is monotonic, ``now`` is the time since the epoch, ``jitter`` is in [0, 1),
        ``hide`` takes secrets out of a text.
        """
        self._send = send
        self._origin = origin
        self._patience = patience
        self._wait = wait
        self._clock = clock
        self._now = now
        self._jitter = jitter
        self._hide = hide
        self._paced = -math.inf
        self._repeated = 0
        self.requests = 0
        """Every request that was sent."""
        self.budgeted = 0
        """Those of them that count: all but further pages."""
        self.creations = 0
        self.waited = 0.0
        """Seconds: pauses, and the time of attempts that failed."""

    def ask(self, call: Call, before_repeat: Callable[[], None] | None = None) -> Heard:
        """A good answer, however many attempts it takes. Never for a call that creates.

        ``before_repeat`` runs before a write is repeated after a long wait; what it raises ends the call. Raises
        GitHubError.
        """
        assert not call.creating, "what creates is read back between attempts"
        for attempt in itertools.count(1):
            before = self.waited
            heard = self.attempt(call, attempt)
            if heard is not None:
                return heard
            if before_repeat is not None and self.waited - before >= LONG_WAIT:
                before_repeat()
        raise AssertionError("unreachable")

    def attempt(self, call: Call, number: int) -> Heard | None:
        """One attempt, the ``number``-th from 1: a good answer, or None after the wait that must come before the next.

        Raises GitHubError for a final refusal and Unavailable when there is no next.
        """
        self._spend(call, number)
        if call.writing:
            self._keep_pace()
        began = self._clock()
        heard = self._follow(call)
        _log.debug("%s %s: %d", call.method, call.doing, heard.status)
        now = pacing.server_time(heard.headers, self._now())
        trouble = pacing.judge(heard, now)
        if trouble is None:
            if not 200 <= heard.status < 300:
                # What was refused for good created nothing.
                self.creations -= call.creating
                raise refusal(heard, call.doing, writing=call.writing, needs=call.needs, hide=self._hide)
            return heard
        self.waited += max(self._clock() - began, 0.0)
        step = pacing.next_step(
            trouble,
            "GET" if call.harmless else call.method,
            number,
            waited=self.waited,
            patience=self._patience,
            jitter=self._jitter(),
            now=now,
        )
        if isinstance(step, GiveUp):
            raise Unavailable(f"{call.doing}: {step.reason}", hint="run the job again later, see also githubstatus.com")
        _log.debug("%s: %s; waiting %.1f s", call.doing, step.why, step.seconds)
        self._rest(step.seconds)
        return None

    def _follow(self, call: Call) -> Heard:
        """Send, and follow redirects (a renamed repository) as long as they stay on the API's own origin."""
        target = call
        for _ in range(_MOST_REDIRECTS + 1):
            self.requests += 1
            heard = self._send(target)
            location = heard.headers.get("location", "")
            if heard.status not in _REDIRECTS or not location:
                return as_rest(heard) if call.graphql else heard
            url = urljoin(f"{self._origin}/", location)
            if origin_of(url) != self._origin:
                raise GitHubError(
                    f"GitHub's API sends {call.doing} to another place ({heard.status}), where the token does not go",
                    hint="set the API's URL (GITHUB_API_URL) to the place where it really is",
                )
            target = target._replace(path=url, query={})
        raise GitHubError(f"{call.doing}: more than {_MOST_REDIRECTS} redirects", hint="check the repository's name")

    def _spend(self, call: Call, number: int) -> None:
        """Count the request, or refuse it: a run's budget is hard.

        Beyond it without any repetition, the mistake is ours; with some, GitHub failed too often.
        """
        repeated = number > 1
        self._repeated += repeated
        self.budgeted += repeated or not call.page
        self.creations += call.creating
        limits = self._patience
        if self.budgeted <= limits.requests and self.creations <= limits.creations:
            return
        if not self._repeated:
            raise RuntimeError(
                f"{call.doing}: a run may make {limits.requests} requests, {limits.creations} that create"
            )
        raise Unavailable(
            f"{call.doing}: GitHub failed too often, a run makes {limits.requests} requests and no more",
            hint="run the job again later, see also githubstatus.com",
        )

    def _keep_pace(self) -> None:
        missing, self._paced = pacing.write_turn(self._paced, self._clock())
        if missing > 0:
            self._rest(missing)

    def _rest(self, seconds: float) -> None:
        self.waited += seconds
        self._wait(seconds)


def origin_of(url: str) -> str:
    """Scheme, host and port of a URL, all spelled out: ``https://api.github.com:443``; ``""`` when it is none."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)
    except ValueError:
        return ""
    host = f"[{parts.hostname}]" if parts.hostname and ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}:{port}" if parts.scheme in ("https", "http") and host else ""
