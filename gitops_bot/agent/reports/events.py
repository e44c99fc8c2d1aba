"""Kubernetes Events on Applications: what ``kubectl describe`` shows of what the agent did and found.

Written by a thread of its own, so that no work waits for them, and bounded like those of client-go's recorder: what is
said again raises a count, and an Application that says much is heard for a while and then seldom.
"""

from __future__ import annotations

import queue
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol

from gitops_bot.agent.application.record import AppObject
from gitops_bot.doors.cluster.errors import NotFound, Withheld
from gitops_bot.doors.cluster.objects import Objects
from gitops_bot.errors import ClusterError
from gitops_bot.model.resource import ResourceKey

COMPONENT = "gitops-bot"
_WAITING = 1000
"""Events that may wait to be written; more are dropped."""
_REMEMBERED = 2000
"""Events that are known again when they are said again."""
_BURST = 25.0
"""Events of one Application at once, and..."""
_REFILL = 1 / 300
"""...how many more each second after that: client-go's own numbers."""
_LONGEST = 1000
"""Bytes of a message; the API server takes 1,024."""


class Clock(Protocol):
    """Moments and durations."""

    def now(self) -> datetime:
        """Aware."""
        ...

    def monotonic(self) -> float:
        """Seconds."""
        ...


class _Said(NamedTuple):
    """An event that was written."""

    name: str
    times: int


class _Bucket(NamedTuple):
    left: float
    at: float


class _Event(NamedTuple):
    app: dict[str, Any]
    """The Application as ``involvedObject``."""
    type: str
    reason: str
    message: str
    at: datetime

    @property
    def key(self) -> tuple[str, str, str]:
        return (str(self.app["uid"]), self.reason, self.message)


class Recorder:
    """Writes Events, from ``start`` to ``close``."""

    def __init__(self, objects: Objects, instance: str, clock: Clock, dropped: Callable[[], None]) -> None:
        """Take the door, the name of this process, and who hears of events that are not written."""
        self._objects = objects
        self._instance = instance
        self._clock = clock
        self._dropped = dropped
        self._waiting: queue.Queue[_Event | None] = queue.Queue(_WAITING)
        self._said: OrderedDict[tuple[str, str, str], _Said] = OrderedDict()
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._serial = 0
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def put(self, app: AppObject, reason: str, message: str, *, warning: bool) -> None:
        """Have an event written, soon; never waits."""
        metadata = app.body["metadata"]
        involved = {
            "apiVersion": app.body["apiVersion"], "kind": app.body["kind"], "namespace": metadata["namespace"],
            "name": metadata["name"], "uid": metadata.get("uid", ""),
        }  # fmt: skip
        kind = "Warning" if warning else "Normal"
        try:
            self._waiting.put_nowait(_Event(involved, kind, reason, _short(message), self._clock.now()))
        except queue.Full:
            self._dropped()

    def close(self, seconds: float = 5.0) -> None:
        """Write what waits, within some seconds, and end."""
        if self._thread.ident is None:
            return
        try:
            self._waiting.put(None, timeout=seconds)
        except queue.Full:
            return
        self._thread.join(timeout=seconds)

    def _run(self) -> None:
        while (event := self._waiting.get()) is not None:
            try:
                written = self._is_heard(event) and self._write(event)
            except (ClusterError, Withheld):
                written = False
            if not written:
                self._dropped()

    def _is_heard(self, event: _Event) -> bool:
        """Whether the Application has not said too much lately."""
        uid, now = str(event.app["uid"]), self._clock.monotonic()
        before = self._buckets.pop(uid, _Bucket(_BURST, now))
        left = min(_BURST, before.left + (now - before.at) * _REFILL)
        self._buckets[uid] = _Bucket(left - 1 if left >= 1 else left, now)
        if len(self._buckets) > _REMEMBERED:
            self._buckets.popitem(last=False)
        return left >= 1

    def _write(self, event: _Event) -> bool:
        moment = event.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        said = self._said.pop(event.key, None)
        if said is not None:
            again = said._replace(times=said.times + 1)
            if self._raise_count(event, again, moment):
                self._remember(event, again)
                return True
        made = self._create(event, moment)
        self._remember(event, made)
        return True

    def _raise_count(self, event: _Event, said: _Said, moment: str) -> bool:
        """Say it again; False when the API server has forgotten it, as it does after an hour."""
        key = ResourceKey("", "Event", event.app["namespace"], said.name)
        change: list[Mapping[str, Any]] = [
            {"op": "replace", "path": "/count", "value": said.times},
            {"op": "replace", "path": "/lastTimestamp", "value": moment},
        ]
        try:
            self._objects.patch(key, change, "v1")
        except NotFound:
            return False
        return True

    def _create(self, event: _Event, moment: str) -> _Said:
        self._serial += 1
        serial = f"{int(event.at.timestamp() * 1_000_000):x}{self._serial:04x}"
        name = f"{event.app['name'][:200]}.{serial}"
        self._objects.create(
            self._objects.kinds.of(ResourceKey("", "Event", "", ""), "v1"),
            event.app["namespace"],
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"name": name, "namespace": event.app["namespace"]},
                "involvedObject": event.app,
                "type": event.type,
                "reason": event.reason,
                "message": event.message,
                "count": 1,
                "firstTimestamp": moment,
                "lastTimestamp": moment,
                "source": {"component": COMPONENT},
                "reportingComponent": COMPONENT,
                "reportingInstance": self._instance,
            },
        )
        return _Said(name, 1)

    def _remember(self, event: _Event, said: _Said) -> None:
        self._said[event.key] = said
        if len(self._said) > _REMEMBERED:
            self._said.popitem(last=False)


def _short(message: str) -> str:
    data = message.encode()
    return message if len(data) <= _LONGEST else data[: _LONGEST - 3].decode(errors="ignore") + "…"
