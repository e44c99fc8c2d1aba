"""Requests to one API server, repeated where that is safe, within a bounded time.

Reads, server-side applies, deletions of a named UID and patches that are made for it may be repeated: done twice they
have done the same. Everything else is sent once. ``Retry-After`` is obeyed; each wait ends at once when the run is
stopped.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urlencode

import msgspec

from gitops_bot.doors.cluster.errors import (
    Cause,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    NoKind,
    NotFound,
    NotTyped,
    Refused,
    Unavailable,
    Unreachable,
    Withheld,
)
from gitops_bot.doors.cluster.wire import Reply
from gitops_bot.errors import ClusterError

if TYPE_CHECKING:
    from urllib3.response import BaseHTTPResponse

    from gitops_bot.doors.cluster.connect import Connection

Query = Mapping[str, str]
Observe = Callable[[str, int], None]
"""Hears of every request: its verb, and the status of its answer, 0 where none came."""

_CLASSES: Mapping[int, type[Refused]] = {
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    422: Invalid,
    429: Unavailable,
    500: Unavailable,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}


_NOT_THE_SERVERS_FAULT = {
    "failed to create typed patch object": NotTyped,
    "etcdserver: request is too large": Invalid,
}
"""What the API server answers with 500 although the object is at fault (tried on v1.36.3): asking again is no use."""


_BEYOND_ITS_RIGHTS = "attempting to grant RBAC permissions not currently held"
_GIVES_THEM = " (docs/reference/agent.md#rights: deploy/grant-roles.yaml lets the agent give them)"


class Patience(NamedTuple):
    """How long a request may take, in seconds."""

    connect: float = 10.0
    read: float = 60.0
    """Without a byte; the API server itself gives up after 60."""
    attempts: int = 6
    pause: float = 0.25
    """Before the second attempt; doubled for each further one, with jitter."""
    longest_pause: float = 15.0
    """Also of a ``Retry-After``."""


DEFAULT_PATIENCE = Patience()


class Answer(NamedTuple):
    """What the API server said."""

    body: Any
    """The JSON."""
    warnings: tuple[str, ...] = ()
    """Its ``Warning`` headers: deprecated versions, unknown fields."""


class Requests:
    """Asks one API server; may be used by many threads at once."""

    def __init__(
        self,
        connection: Connection,
        *,
        patience: Patience = DEFAULT_PATIENCE,
        wait: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
        forbidden: Callable[[], str] = lambda: "",
        observe: Observe = lambda _verb, _status: None,
        agent: str = "gitops-bot",
    ) -> None:
        """Take the connection.

        ``wait`` sleeps seconds and may raise to end everything, ``jitter`` is in [0, 1); ``forbidden`` says why nothing
        may be written at this moment, ``""`` when it may: every single attempt asks. ``agent`` is how the API server's
        audit log names us.
        """
        self._connection = connection
        self._patience = patience
        self._wait = wait
        self._jitter = jitter
        self._forbidden = forbidden
        self._observe = observe
        self.agent = agent

    def get(self, path: str, query: Query | None = None, *, accept: str = "application/json") -> Answer:
        """Read. Raises ClusterError."""
        return self._repeated("GET", path, query, None, "", accept)

    def apply(self, path: str, query: Query, body: Any) -> Answer:
        """Server-side apply. Raises ClusterError."""
        return self._repeated("PATCH", path, query, body, "application/apply-patch+yaml", "application/json")

    def patch(self, path: str, operations: Any) -> Answer:
        """A JSON patch (RFC 6902) that does the same twice, or is refused when it was done already.

        Raises ClusterError.
        """
        return self._repeated("PATCH", path, None, operations, "application/json-patch+json", "application/json")

    def delete(self, path: str, options: Any) -> Answer:
        """Delete what the options' precondition names. Raises ClusterError."""
        return self._repeated("DELETE", path, None, options, "application/json", "application/json")

    def once(
        self, verb: str, path: str, body: Any, *, query: Query | None = None, content_type: str = "application/json"
    ) -> Answer:
        """Anything that must not be done twice: create, replace. Raises ClusterError."""
        return _answer(self._send(verb, path, query, body, content_type, "application/json"), path)

    def stream(self, path: str, query: Query, *, accept: str, idle: float) -> BaseHTTPResponse:
        """An answer that goes on, to be read line by line and closed; ``idle`` seconds without a byte end it.

        Raises ClusterError.
        """
        from urllib3 import Timeout
        from urllib3.exceptions import HTTPError

        try:
            response = self._connection.pool.urlopen(
                "GET", self._target(path, query), headers=self._headers(accept), retries=False, redirect=False,
                assert_same_host=False, preload_content=False,
                timeout=Timeout(connect=self._patience.connect, read=idle),
            )  # fmt: skip
            self._observe("GET", response.status)
            if response.status >= 400:
                try:
                    raise _refused(response.status, response.data, path)
                finally:
                    response.close()
        except HTTPError as error:
            raise self._unreachable("GET", error) from error
        return response

    def pause(self, seconds: float) -> None:
        """Sleep; ends at once, by what it raises, when the run is stopped."""
        self._wait(seconds)

    # -- one request --------------------------------------------------------------------------------------------------

    def _repeated(self, verb: str, path: str, query: Query | None, body: Any, content_type: str, accept: str) -> Answer:
        for attempt in range(1, self._patience.attempts + 1):
            after = 0.0
            try:
                reply = self._send(verb, path, query, body, content_type, accept)
                after = max(map(_seconds, reply.values("retry-after")), default=0.0)
                return _answer(reply, path)
            except (Unavailable, Unreachable):
                if attempt == self._patience.attempts:
                    raise
            doubled = self._patience.pause * 2.0 ** (attempt - 1) * (0.5 + self._jitter() / 2)
            self._wait(min(max(doubled, after), self._patience.longest_pause))
        raise AssertionError("unreachable")

    def _send(self, verb: str, path: str, query: Query | None, body: Any, content_type: str, accept: str) -> Reply:
        from urllib3.exceptions import HTTPError

        reason = self._forbidden() if verb != "GET" else ""
        if reason:
            raise Withheld(f"nothing was written: {reason}")
        headers, data = self._headers(accept), b""
        if body is not None:
            data = msgspec.json.encode(body)
            headers["Content-Type"] = content_type
        try:
            reply = self._connection.wires.exchange(
                verb, self._target(path, query), headers, data,
                connect=self._patience.connect, read=self._patience.read,
            )  # fmt: skip
        except (HTTPError, OSError) as error:
            raise self._unreachable(verb, error) from error
        self._observe(verb, reply.status)
        return reply

    def _target(self, path: str, query: Query | None) -> str:
        return f"{self._connection.base}{path}" + (f"?{urlencode(query)}" if query else "")

    def _headers(self, accept: str) -> dict[str, str]:
        return {"Accept": accept, "User-Agent": self.agent, **self._connection.authorization()}

    def _unreachable(self, verb: str, error: Exception) -> Unreachable:
        self._observe(verb, 0)
        return Unreachable(f"{self._connection.url} did not answer: {type(error).__name__}")


def _answer(reply: Reply, path: str) -> Answer:
    if reply.status >= 400:
        raise _refused(reply.status, reply.data, path)
    try:
        body = msgspec.json.decode(reply.data) if reply.data else None
    except msgspec.DecodeError as error:
        raise ClusterError(f"{path}: the answer is no JSON") from error
    return Answer(body, tuple(_warning(each) for each in reply.values("warning")))


def _refused(status: int, data: bytes, path: str) -> Refused:
    """The error that an answer is. Its message is the API server's own, which names the object."""
    try:
        told = msgspec.json.decode(data)
    except msgspec.DecodeError:
        told = {}
    told = told if isinstance(told, dict) else {}
    details = told.get("details") or {}
    causes = tuple(
        Cause(str(each.get("field", "")), str(each.get("message", ""))) for each in details.get("causes") or ()
    )
    message = str(told.get("message") or f"{path}: HTTP status {status}")
    # What follows there is a list that may be long.
    message = message.replace(_BEYOND_ITS_RIGHTS, _BEYOND_ITS_RIGHTS + _GIVES_THEM)
    kind = _CLASSES.get(status, Refused)
    if status == 404 and not details.get("name"):
        kind = NoKind
    if status == 500:
        kind = next((each for sign, each in _NOT_THE_SERVERS_FAULT.items() if sign in message), kind)
    return kind(message, status=status, reason=str(told.get("reason", "")), causes=causes)


def _warning(header: str) -> str:
    """The text of ``299 - "text"``."""
    begin, end = header.find('"'), header.rfind('"')
    text = header[begin + 1 : end] if 0 <= begin < end else header
    return text.replace('\\"', '"')


def _seconds(text: str) -> float:
    return float(text) if text.isascii() and text.isdigit() else 0.0


def part(text: str) -> str:
    """One part of a path, quoted."""
    return quote(text, safe="")
