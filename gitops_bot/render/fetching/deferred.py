"""A fetcher that is made when it is first asked: most runs need nothing from afar, and should not pay for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol, Self

from gitops_bot.model.fetched import Fetched
from gitops_bot.model.tree import Tree
from gitops_bot.render.prepared import Fetcher


class ClosableFetcher(Fetcher, Protocol):
    """A fetcher that holds connections, and tells what it brought."""

    @property
    def fetched(self) -> tuple[Fetched, ...]:
        """What was fetched so far, in order."""
        ...

    @property
    def warnings(self) -> tuple[str, ...]:
        """What may have moved since it was fetched; one sentence each."""
        ...

    def close(self) -> None:
        """Let go of them."""
        ...


class DeferredFetcher:
    """A ``Fetcher`` (and context manager) around one that does not exist yet; safe under many threads."""

    def __init__(self, make: Callable[[], ClosableFetcher]) -> None:
        """Take what makes the real one; it is called once at most."""
        self._make = make
        self._made: ClosableFetcher | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._made is not None:
            self._made.close()

    def chart(self, repository: str, name: str, version: str) -> Tree:
        """As ``Fetcher.chart``."""
        return self._real().chart(repository, name, version)

    def git(self, url: str, revision: str) -> Tree:
        """As ``Fetcher.git``."""
        return self._real().git(url, revision)

    def file(self, url: str) -> bytes:
        """As ``Fetcher.file``."""
        return self._real().file(url)

    @property
    def fetched(self) -> tuple[Fetched, ...]:
        """What was fetched so far, in order; nothing while nothing was asked for."""
        return self._made.fetched if self._made is not None else ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What may have moved since it was fetched; nothing while nothing was asked for."""
        return self._made.warnings if self._made is not None else ()

    def _real(self) -> ClosableFetcher:
        with self._lock:
            if self._made is None:
                self._made = self._make()
            return self._made
