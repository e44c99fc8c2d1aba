"""What was applied when an Application was last synced, for objects that came back without a trace of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from gitops_bot.agent.ownership.identity import App, is_ours, stamp
from gitops_bot.agent.sources.desired import Desired
from gitops_bot.agent.values import Live
from gitops_bot.doors.cluster.objects import Body
from gitops_bot.model.resource import ResourceKey


class Earlier:
    """Asked for one object after another, by many threads; found out for the first, since it takes a rendering."""

    def __init__(self, find: Callable[[], Iterable[Desired]], app: App, destination: str) -> None:
        """Take what finds it out, and what objects are stamped with."""
        self._find = find
        self._app = app
        self._destination = destination
        self._lock = threading.Lock()
        self._found: dict[ResourceKey, Desired] | None = None

    def __call__(self, live: Live) -> Body | None:
        """What was applied of an object, stamped; None where it was not in Git, or does not carry our marks."""
        if not is_ours(live, self._app):
            return None
        then = self._known().get(live.key)
        return stamp(then.body, self._app, live.key, destination=self._destination) if then is not None else None

    def wanted(self, key: ResourceKey) -> bool:
        """Whether an object was in Git then."""
        return key in self._known()

    def _known(self) -> dict[ResourceKey, Desired]:
        with self._lock:
            if self._found is None:
                self._found = {each.key: each for each in self._find()}
            return self._found
