"""What branches, tags and ranges of repositories mean now: one question for each repository and interval.

A host that does not answer changes nothing: what its repository offered when it last did stays in force, and after a
grace (Argo CD's: 180 s, application-semantics 2.1) everybody who follows it is told since when.
"""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Protocol

from gitops_bot.doors.remote_git import References
from gitops_bot.errors import FetchError
from gitops_bot.model import url as urls
from gitops_bot.model.url import Url
from gitops_bot.render.fetching.fetch import resolve

GRACE = timedelta(seconds=180)
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_PATIENCE = 5.0
"""Seconds that somebody waits for an answer another thread is asking for, where an older one is known."""
_AT_ONCE = 8
"""Repositories that are asked at once, so that a host that hangs keeps few others waiting."""


class Git(Protocol):
    """Lists what repositories offer, with the logins of an AppProject."""

    def references(self, url: Url, project: str) -> References:
        """Branches and tags. Raises FetchError."""
        ...

    def scope(self, url: str, project: str) -> str:
        """The project, where a login of its own is used; ``""`` where all projects are answered the same."""
        ...


class Followed(NamedTuple):
    """A repository as the Applications of a project follow it."""

    repository: str
    project: str = ""


class Meaning(NamedTuple):
    """What a revision means."""

    commit: str
    reference: str = ""
    """Full name of the branch or tag (``refs/heads/main``), ``HEAD``, or ``""`` for a commit."""
    stale: str = ""
    """What is to be told where nobody knows whether it still means that."""


class _Known(NamedTuple):
    at: float
    """When it was asked, in monotonic seconds."""
    references: References | None
    """What it said when it last answered; None when it never did."""
    error: str = ""
    """Why it did not answer this time, ``""`` when it did."""
    since: datetime | None = None
    """When it first did not answer, None when it did."""


class Revisions:
    """What every repository offered when it was last asked; safe under many threads."""

    def __init__(
        self, git: Git, clock: Callable[[], float], now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """Take what lists references, and the clocks (monotonic seconds, and moments)."""
        self._git = git
        self._clock = clock
        self._now = now
        self._lock = threading.Lock()
        self._known: dict[Followed, _Known] = {}
        self._asking: dict[Followed, threading.Lock] = {}
        self._refreshed: dict[Followed, tuple[object, ...]] = {}
        self._changed = float("-inf")
        """When logins changed: a failure that was asked for before counts no more, even if it is heard of later."""

    def resolve(self, repository: str, revision: str, *, since: float, project: str = "", last: str = "") -> Meaning:
        """What a revision means.

        The repository is asked when it was not asked since ``since`` (monotonic seconds). A full commit id means
        itself. ``last`` is the commit that it meant before this process, ``""`` where nobody knows: it counts while the
        host does not answer. Raises FetchError, also for a branch or tag that the repository does not have (any more).
        """
        if _COMMIT.fullmatch(revision):
            return Meaning(revision)
        url = _url(repository)
        known = self._asked(url, self._key(repository, project), since)
        if known.references is None:
            if not last:
                raise FetchError(known.error)
            return Meaning(last, stale=self._stale(known, repository, last))
        _, commit, reference = resolve(known.references, revision, urls.shown(repository))
        return Meaning(commit, reference, self._stale(known, repository, commit))

    def refresh(self, followed: Iterable[Followed], *, since: float) -> Iterator[Followed]:
        """Ask repositories that were not asked since then; each that says something else than the last time here.

        They come as they answer. One thread calls this; what ``resolve`` has heard meanwhile is news all the same.
        """
        wanted: dict[Followed, list[Followed]] = {}
        for each in followed:
            wanted.setdefault(self._key(*each), []).append(each)
        if not wanted:
            return
        with ThreadPoolExecutor(min(_AT_ONCE, len(wanted)), thread_name_prefix="git") as pool:
            futures: dict[Future[_Known], Followed] = {}
            for key in wanted:
                with contextlib.suppress(FetchError):
                    futures[pool.submit(self._asked, _url(key.repository), key, since)] = key
            for future in as_completed(futures):
                key = futures[future]
                if isinstance(future.exception(), InterruptedError):
                    continue  # this program is ending
                known = future.result()
                said = (known.references, known.error, self._is_told(known))
                if self._refreshed.get(key) != said:
                    self._refreshed[key] = said
                    yield from wanted[key]

    def forget_failures(self) -> tuple[str, ...]:
        """Have repositories that did not answer asked again by whoever needs them, because a login has changed."""
        with self._lock:
            self._changed = self._clock()
            failed = [key for key, known in self._known.items() if known.error]
        return tuple(key.repository for key in failed)

    def _key(self, repository: str, project: str) -> Followed:
        return Followed(repository, self._git.scope(repository, project))

    def _asked(self, url: Url, key: Followed, since: float) -> _Known:
        with self._lock:
            asking, known = self._asking.setdefault(key, threading.Lock()), self._known.get(key)
        # Who comes meanwhile gets the same answer, or after a while the one before.
        patient = known is None or known.references is None
        if not asking.acquire(timeout=-1 if patient else _PATIENCE):
            assert known is not None
            return known
        try:
            known = self._known.get(key)
            if known is not None and known.at >= since and not (known.error and known.at <= self._changed):
                return known
            known = self._ask(url, key.project, known)
            with self._lock:
                self._known[key] = known
            return known
        finally:
            asking.release()

    def _ask(self, url: Url, project: str, before: _Known | None) -> _Known:
        at = self._clock()
        try:
            return _Known(at, self._git.references(url, project))
        except FetchError as error:
            since = before.since if before is not None and before.since is not None else self._now()
            return _Known(at, before.references if before is not None else None, error.told, since)

    def _is_told(self, known: _Known) -> bool:
        return known.since is not None and self._now() - known.since > GRACE

    def _stale(self, known: _Known, repository: str, commit: str) -> str:
        if known.since is None or not self._is_told(known):
            return ""
        since = known.since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return f"{urls.shown(repository)} cannot be asked since {since}, {commit[:8]} stays in force: {known.error}"


def _url(repository: str) -> Url:
    try:
        return urls.parse_git(repository)
    except ValueError as error:
        raise FetchError(f"{urls.shown(repository)}: {error}", hint="correct spec.source.repoURL") from None
