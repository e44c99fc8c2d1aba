"""What branches, tags and ranges of repositories mean now: one question for each repository and interval."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

from gitops_bot.doors.remote_git import References
from gitops_bot.errors import FetchError
from gitops_bot.model import url as urls
from gitops_bot.model.url import Url
from gitops_bot.render.fetching.fetch import resolve

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


class Git(Protocol):
    """Lists the branches and tags of a repository (``doors.remote_git.RemoteGit``)."""

    def references(self, url: Url) -> References:
        """Raises FetchError."""
        ...


class _Known(NamedTuple):
    at: float
    """When it was asked, in monotonic seconds."""
    references: References | None
    error: str
    """``""`` where it answered."""


class Revisions:
    """What every repository offered when it was last asked; safe under many threads."""

    def __init__(self, git: Git, clock: Callable[[], float]) -> None:
        """Take what lists references, and the clock (monotonic seconds)."""
        self._git = git
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[str, _Known] = {}
        self._asking: dict[str, threading.Lock] = {}
        self._refreshed: dict[str, tuple[object, ...]] = {}

    def resolve(self, repository: str, revision: str, *, since: float) -> str:
        """The commit id that a revision means.

        The repository is asked when it was not asked since ``since`` (monotonic seconds). A full commit id means
        itself. Raises FetchError; what a repository said before it could not be reached counts no more then.
        """
        if _COMMIT.fullmatch(revision):
            return revision
        url = _url(repository)
        known = self._asked(url, since)
        if known.references is None:
            raise FetchError(known.error)
        return resolve(known.references, revision, urls.shown(repository))[1]

    def refresh(self, repositories: Iterable[str], *, since: float) -> frozenset[str]:
        """Ask repositories that were not asked since then; those that say something else than the last time here.

        One thread calls this; what ``resolve`` has heard meanwhile is news all the same.
        """
        moved = set()
        for repository in repositories:
            try:
                url = _url(repository)
            except FetchError:
                continue
            known = self._asked(url, since)
            if self._refreshed.get(str(url)) != known[1:]:
                self._refreshed[str(url)] = known[1:]
                moved.add(repository)
        return frozenset(moved)

    def _asked(self, url: Url, since: float) -> _Known:
        name = str(url)
        with self._lock:
            asking = self._asking.setdefault(name, threading.Lock())
        with asking:  # who comes meanwhile gets the same answer
            known = self._known.get(name)
            if known is not None and known.at >= since:
                return known
            at = self._clock()
            try:
                known = _Known(at, self._git.references(url), "")
            except FetchError as error:
                known = _Known(at, None, error.told)
            with self._lock:
                self._known[name] = known
            return known


def _url(repository: str) -> Url:
    try:
        return urls.parse_git(repository)
    except ValueError as error:
        raise FetchError(f"{urls.shown(repository)}: {error}", hint="correct spec.source.repoURL") from None
