"""What is remembered of every object between two comparisons: what Git said, and what the cluster said to that."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec

from gitops_bot.agent.ownership.fingerprint import Baseline
from gitops_bot.model.resource import ResourceKey


class Known(NamedTuple):
    """One object that was judged."""

    digest: bytes
    """Of what Git said (``digest``)."""
    baseline: Baseline


class Memory:
    """The baselines of one Application's objects; lost with the process, and made anew after it. Safe under threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[ResourceKey, Known] = {}

    def find(self, key: ResourceKey) -> Known | None:
        """What is known of an object, None for one that was never judged."""
        with self._lock:
            return self._known.get(key)

    def put(self, key: ResourceKey, known: Known) -> None:
        """Take what was judged."""
        with self._lock:
            self._known[key] = known

    def forget(self, keys: Iterable[ResourceKey]) -> None:
        """Take that objects have to be judged anew."""
        with self._lock:
            for key in keys:
                self._known.pop(key, None)

    def keep_only(self, keys: frozenset[ResourceKey]) -> None:
        """Forget what is none of the Application's any more."""
        with self._lock:
            self._known = {key: known for key, known in self._known.items() if key in keys}


def digest(body: Mapping[str, Any]) -> bytes:
    """16 bytes that differ when two objects do; kept in memory only, since the object may hold secrets."""
    return blake2b(msgspec.json.encode(body, order="sorted"), digest_size=16).digest()
