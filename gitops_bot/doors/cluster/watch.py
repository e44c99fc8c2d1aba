"""A kind's objects as they change: one stream for each kind, that lists anew whenever it has lost its place.

Where metadata is enough, only that crosses the wire: a quiet cluster of ten thousand objects costs some megabytes and
no request.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

import msgspec

from gitops_bot.doors.cluster.errors import Gone, NoKind
from gitops_bot.doors.cluster.kinds import Kind
from gitops_bot.doors.cluster.objects import METADATA, SETTLES, Body, Objects, selected
from gitops_bot.errors import ClusterError

_IDLE = 330.0
"""Seconds without a byte after which a stream is dead; the API server ends it after ``_LASTS``, and sends bookmarks."""
_LASTS = 290
_SOON = 5.0
"""Seconds: a stream that ends sooner, and has told nothing, was for nothing."""
_LONGEST_PAUSE = 30.0
_log = logging.getLogger(__name__)


class Snapshot(NamedTuple):
    """All objects of a kind at one moment: what is not among them is gone."""

    kind: Kind
    items: tuple[Body, ...]
    version: str = ""
    """The resourceVersion of that moment, ``""`` where the kind itself is gone."""


class Event(NamedTuple):
    """One object that was added, changed or removed, or that lost what the selector asks for."""

    kind: Kind
    type: Literal["ADDED", "MODIFIED", "DELETED"]
    body: Body


Told = Callable[[Snapshot | Event], None]
"""Called by the watcher's own thread, one call at a time for a kind; it should only put things away."""


def always(_kind: Kind) -> bool:
    """Whether whole objects are asked for: always."""
    return True


def never(_kind: Kind) -> bool:
    """Whether whole objects are asked for: never, their metadata is enough."""
    return False


class Chosen(NamedTuple):
    """Which objects of a kind are watched."""

    labels: str = ""
    """A label selector, ``""`` for whatever labels they have."""
    namespace: str = ""
    """``""`` means everywhere."""
    name: str = ""
    """``""`` means every one."""


class _Pace:
    """How long is waited before a kind is asked about again: the longer, the more often that was for nothing."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._begun = clock()
        self._in_vain = 0

    def begin(self) -> None:
        """Take that something is asked now."""
        self._begun = self._clock()

    def told(self) -> None:
        """Take that it was worth it."""
        self._in_vain = 0

    def ended(self) -> float:
        """Seconds to wait after a stream that ended: none where it had lasted, or told something, or was the first."""
        self._in_vain = self._in_vain + 1 if self._clock() - self._begun < _SOON else 0
        return self._pause()

    def failed(self) -> float:
        """Seconds to wait after a refusal, or no answer."""
        self._in_vain = max(self._in_vain, 1) + 1
        return self._pause()

    def _pause(self) -> float:
        return min(2.0 ** min(self._in_vain - 2, 10), _LONGEST_PAUSE) if self._in_vain > 1 else 0.0


class _Stream:
    """One kind that is watched, and how far it was told."""

    thread: threading.Thread

    def __init__(self, kind: Kind, clock: Callable[[], float]) -> None:
        self.kind = kind
        self.pace = _Pace(clock)
        self.version = ""
        """The resourceVersion up to which it was told, ``""`` where all of it has to be told."""
        self.missing_since: float | None = None
        """Since when the cluster does not have the kind, None while it has."""
        self.is_gone = False
        """Whether that was told."""
        self.awake = threading.Event()
        """Set when nothing is to be waited for."""


class Watcher:
    """Watches any number of kinds, each in a thread of its own, until it is closed."""

    def __init__(
        self,
        objects: Objects,
        chosen: Chosen,
        told: Told,
        *,
        whole: Callable[[Kind], bool] = never,
        kept: Callable[[Kind, Body], Body] = lambda _kind, body: body,
        failed: Callable[[ClusterError], None] = lambda _error: None,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[threading.Event, float], object] = threading.Event.wait,
    ) -> None:
        """Take what is asked for which objects, and who is told; ``failed`` hears why there is nothing to tell.

        ``whole`` says of which kinds whole objects are told, and not only their metadata; ``kept`` what of each object
        of a snapshot is told. ``clock`` is in seconds; ``wait`` waits so many of them before something is asked again,
        or until the event is set.
        """
        self._objects = objects
        self._chosen = chosen
        self._told = told
        self._whole = whole
        self._kept = kept
        self._failed = failed
        self._clock = clock
        self._wait = wait
        self._closed = threading.Event()
        self._streams: dict[tuple[str, str], _Stream] = {}
        """Group and kind → its stream."""
        self._open: set[Any] = set()
        self._lock = threading.Lock()

    def watch(self, kind: Kind) -> None:
        """Begin with a kind, where that has not been done, or the cluster has it again. Its snapshot comes first.

        It is watched in one version at a time: in this one while the cluster has it, in another one after that.
        """
        with self._lock:
            known = self._streams.get((kind.group, kind.kind))
            if known is not None and known.is_gone:
                known.awake.set()
            if known is not None or self._closed.is_set():
                return
            stream = _Stream(kind, self._clock)
            stream.thread = threading.Thread(
                target=self._run, args=(stream,), name=f"watch {kind.plural}", daemon=True
            )  # fmt: skip
            self._streams[kind.group, kind.kind] = stream
            stream.thread.start()

    @property
    def kinds(self) -> frozenset[Kind]:
        """What is watched, of what the cluster has."""
        with self._lock:
            return frozenset(stream.kind for stream in self._streams.values() if not stream.is_gone)

    @property
    def dead(self) -> tuple[str, ...]:
        """What is to be watched and is not any more, which only a mistake of ours can bring about; in order."""
        with self._lock:
            return tuple(sorted(each.kind.plural for each in self._streams.values() if not each.thread.is_alive()))

    def close(self) -> None:
        """End every stream and wait for its thread."""
        self._closed.set()
        with self._lock:
            streams, responses = list(self._streams.values()), list(self._open)
        for stream in streams:
            stream.awake.set()
        for response in responses:
            _shut(response)
        for stream in streams:
            stream.thread.join(timeout=5)

    def _run(self, stream: _Stream) -> None:
        while not self._closed.is_set():
            stream.pace.begin()
            try:
                self._attempt(stream)
                pause = stream.pace.ended()
            except Gone:
                stream.version = ""
                pause = stream.pace.ended()
            except ClusterError as error:
                # A server that was away may have been restored from a backup, and be behind what it told before.
                stream.version = ""
                self._failed(error)
                pause = stream.pace.failed()
                _log.warning("watching %s: %s; again in %.0f s", stream.kind.plural, error.message, pause)
            except Exception:  # noqa: BLE001 - see below
                # Who is told has made a mistake; all there is is told anew, so that nothing is missed.
                stream.version = ""
                pause = stream.pace.failed()
                _log.exception("watching %s: a mistake of this program", stream.kind.plural)
            if pause:
                self._wait(stream.awake, pause)
                stream.awake.clear()

    def _attempt(self, stream: _Stream) -> None:
        """Tell what there is, where that was not told, and what changes until a stream ends. Raises ClusterError."""
        try:
            if stream.is_gone and not self._is_back(stream):
                return
            if not stream.version:
                self._list(stream)
            self._follow(stream)
        except NoKind:
            if not self._has_moved(stream):
                raise

    def _list(self, stream: _Stream) -> None:
        kind, chosen = stream.kind, self._chosen
        listed = self._objects.list(
            kind, chosen.namespace, name=chosen.name, selector=chosen.labels,
            metadata=not self._whole(kind), kept=lambda body: self._kept(kind, body),
        )  # fmt: skip
        stream.missing_since = None
        self._told(Snapshot(kind, listed.items, listed.version))
        stream.version = listed.version

    def _follow(self, stream: _Stream) -> None:
        """Hand on what changes, from its version on, until the stream ends. Raises Gone, ClusterError."""
        stream.pace.begin()
        for event in self._events(stream.kind, stream.version):
            body = event["object"]
            if event["type"] == "ERROR":
                raise Gone(str(body.get("message", "")), status=int(body.get("code", 410)))
            if event["type"] in ("ADDED", "MODIFIED", "DELETED"):
                stream.pace.told()
                self._told(Event(stream.kind, event["type"], body))
            stream.version = body["metadata"].get("resourceVersion", stream.version)

    # -- kinds that are not there -------------------------------------------------------------------------------------

    def _has_moved(self, stream: _Stream) -> bool:
        """Whether a kind that was not found is there in another version only, or is gone: then that is told.

        That it was not found says little: an API server that has just started knows a kind some moments later, and so
        may the list of all kinds. Raises ClusterError.
        """
        self._objects.kinds_changed()
        kinds, now = self._objects.kinds, self._clock()
        found = kinds.preferred(stream.kind.group, stream.kind.kind)
        if found is not None and found.path() != stream.kind.path():
            stream.kind, stream.version, stream.missing_since = found, "", None
            return True
        if not kinds.lacks(stream.kind.group, stream.kind.kind):
            stream.missing_since = None
            return False
        if stream.missing_since is None:
            stream.missing_since = now
        if now - stream.missing_since < SETTLES:
            return False
        self._told(Snapshot(stream.kind, ()))
        stream.version, stream.is_gone = "", True
        return True

    def _is_back(self, stream: _Stream) -> bool:
        """Whether the cluster has a kind again that was gone. Raises ClusterError."""
        found = self._objects.kinds.preferred(stream.kind.group, stream.kind.kind)
        if found is None:
            return False
        stream.kind, stream.is_gone, stream.missing_since = found, False, None
        return True

    def _events(self, kind: Kind, version: str) -> Iterator[Any]:
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(_LASTS),
        } | selected(self._chosen.labels, self._chosen.name)
        accept = "application/json" if self._whole(kind) else METADATA
        response = self._objects.requests.stream(kind.path(self._chosen.namespace), query, accept=accept, idle=_IDLE)
        with self._lock:
            self._open.add(response)
        try:
            if not self._closed.is_set():
                yield from _lines(response)
        finally:
            with self._lock:
                self._open.discard(response)
            response.close()


def _lines(response: Any) -> Iterator[Any]:
    """The JSON of every line, until the stream ends in whatever way."""
    from urllib3.exceptions import HTTPError

    rest = b""
    try:
        for chunk in response.stream(65536):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                if line:
                    yield msgspec.json.decode(line)
    except (HTTPError, OSError, ValueError) as error:
        _log.debug("a watch broke off: %s", type(error).__name__)


def _shut(response: Any) -> None:
    """End a stream that another thread reads."""
    import contextlib
    import socket

    connection = getattr(response, "connection", None)
    sock = getattr(connection, "sock", None)
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
