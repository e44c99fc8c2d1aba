"""A kind's objects as they change: one stream for each kind, that lists anew whenever it has lost its place.

Where metadata is enough, only that crosses the wire: a quiet cluster of ten thousand objects costs some megabytes and
no request.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

import msgspec

from gitops_bot.doors.cluster.errors import Gone, NotFound
from gitops_bot.doors.cluster.kinds import Kind
from gitops_bot.doors.cluster.objects import METADATA, Body, Objects, selected
from gitops_bot.errors import ClusterError

_IDLE = 330.0
"""Seconds without a byte after which a stream is dead; the API server ends it after ``_LASTS``, and sends bookmarks."""
_LASTS = 290
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


class Watcher:
    """Watches any number of kinds, each in a thread of its own, until it is closed."""

    def __init__(
        self,
        objects: Objects,
        selector: str,
        told: Told,
        *,
        namespace: str = "",
        name: str = "",
        whole: Callable[[Kind], bool] = never,
        kept: Callable[[Kind, Body], Body] = lambda _kind, body: body,
        failed: Callable[[ClusterError], None] = lambda _error: None,
    ) -> None:
        """Take what is asked, the label selector, and who is told; ``failed`` hears why there is nothing to tell.

        ``namespace`` ``""`` means everywhere, ``name`` ``""`` every object. ``whole`` says of which kinds whole objects
        are told, and not only their metadata; ``kept`` what of each object of a snapshot is told.
        """
        self._objects = objects
        self._selector = selector
        self._told = told
        self._namespace = namespace
        self._name = name
        self._whole = whole
        self._kept = kept
        self._failed = failed
        self._closed = threading.Event()
        self._streams: dict[Kind, threading.Thread] = {}
        self._open: set[Any] = set()
        self._lock = threading.Lock()

    def watch(self, kind: Kind) -> None:
        """Begin with a kind, where that has not been done. Its snapshot comes first."""
        with self._lock:
            if kind in self._streams or self._closed.is_set():
                return
            thread = threading.Thread(target=self._run, args=(kind,), name=f"watch {kind.plural}", daemon=True)
            self._streams[kind] = thread
            thread.start()

    @property
    def kinds(self) -> frozenset[Kind]:
        """What is watched."""
        with self._lock:
            return frozenset(self._streams)

    @property
    def dead(self) -> tuple[str, ...]:
        """What is to be watched and is not any more, which only a mistake of ours can bring about; in order."""
        with self._lock:
            return tuple(sorted(kind.plural for kind, thread in self._streams.items() if not thread.is_alive()))

    def close(self) -> None:
        """End every stream and wait for its thread."""
        self._closed.set()
        with self._lock:
            threads, responses = list(self._streams.values()), list(self._open)
        for response in responses:
            _shut(response)
        for thread in threads:
            thread.join(timeout=5)

    def _run(self, kind: Kind) -> None:
        pause = 0.0
        while not self._closed.wait(pause):
            try:
                listed = self._objects.list(
                    kind, self._namespace, name=self._name, selector=self._selector,
                    metadata=not self._whole(kind), kept=lambda body: self._kept(kind, body),
                )  # fmt: skip
                self._told(Snapshot(kind, listed.items, listed.version))
                pause = 0.0
                self._follow(kind, listed.version)
            except NotFound:
                # The kind itself is gone; whoever brings it back asks for it anew.
                self._told(Snapshot(kind, ()))
                with self._lock:
                    self._streams.pop(kind, None)
                return
            except Gone:
                continue
            except ClusterError as error:
                self._failed(error)
                pause = min(max(pause * 2, 1.0), _LONGEST_PAUSE)
                _log.warning("watching %s: %s; again in %.0f s", kind.plural, error.message, pause)
            except Exception:  # noqa: BLE001 - see below
                # Who is told has made a mistake; all there is is told anew, so that nothing is missed.
                pause = min(max(pause * 2, 1.0), _LONGEST_PAUSE)
                _log.exception("watching %s: a mistake of this program", kind.plural)

    def _follow(self, kind: Kind, version: str) -> None:
        """Hand on what changes, from a version on, over as many streams as it takes. Raises Gone, ClusterError."""
        while not self._closed.is_set():
            for event in self._events(kind, version):
                body = event["object"]
                if event["type"] == "ERROR":
                    raise Gone(str(body.get("message", "")), status=int(body.get("code", 410)))
                version = body["metadata"].get("resourceVersion", version)
                if event["type"] in ("ADDED", "MODIFIED", "DELETED"):
                    self._told(Event(kind, event["type"], body))

    def _events(self, kind: Kind, version: str) -> Iterator[Any]:
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(_LASTS),
        } | selected(self._selector, self._name)
        accept = "application/json" if self._whole(kind) else METADATA
        response = self._objects.requests.stream(kind.path(self._namespace), query, accept=accept, idle=_IDLE)
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
