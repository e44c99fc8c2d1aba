"""Requests over connections that stay open: each goes out in one piece, and its answer is read whole (HTTP/1.1).

urllib3 opens the connections, with all that a kubeconfig may ask for: certificates, server names, proxies. A request
of its own costs five times the CPU of one here, most of it for what other servers may answer, and all threads of a
process share that CPU: it was the larger part of a first apply.
"""

from __future__ import annotations

import select
import weakref
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, cast

if TYPE_CHECKING:
    import socket

    from urllib3._base_connection import BaseHTTPConnection
    from urllib3.connectionpool import HTTPConnectionPool

_LONGEST_LINE = 65536
"""Bytes of one line of an answer's head."""
_MOST_LINES = 200
_NO_BODY = (204, 304)


class NoAnswer(OSError):
    """What came is no answer, or not all of it; or what was to be sent is no request."""


class Reply(NamedTuple):
    """An answer."""

    status: int
    headers: tuple[tuple[str, str], ...]
    """Their names in small letters."""
    data: bytes

    def values(self, name: str) -> list[str]:
        """All that a header says, by its name in small letters."""
        return [value for each, value in self.headers if each == name]


class Wires:
    """Connections to one server; may be used by many threads at once, each of which has one of its own meanwhile."""

    def __init__(self, pool: HTTPConnectionPool, host: str, most: int) -> None:
        """Take who opens connections, what the server calls itself (with its port), and how many stay open unused."""
        self._pool = pool
        self._host = host
        self._most = most
        self._idle: deque[_Wire] = deque()
        weakref.finalize(self, _close, self._idle)

    def exchange(
        self, verb: str, target: str, headers: Mapping[str, str], body: bytes, *, connect: float, read: float
    ) -> Reply:
        """Send a request, once, and read its answer.

        ``connect`` and ``read`` are the seconds without a sign of life after which it is given up. Raises OSError, or
        urllib3's HTTPError where there is no connection to be had.
        """
        lines = [f"{verb} {target} HTTP/1.1", f"Host: {self._host}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if body or verb != "GET":
            lines.append(f"Content-Length: {len(body)}")
        head = "\r\n".join(lines)
        if head.count("\n") != len(lines) - 1 or head.count("\r") != len(lines) - 1:
            raise NoAnswer("a line break in what a request says of itself")
        wire = self._taken(connect)
        try:
            reply = wire.exchange(f"{head}\r\n\r\n".encode("latin-1") + body, read)
        except BaseException:
            wire.close()
            raise
        if wire.stays and len(self._idle) < self._most:
            self._idle.append(wire)
        else:
            wire.close()
        return reply

    def close(self) -> None:
        """Close what is not in use."""
        _close(self._idle)

    def _taken(self, connect: float) -> _Wire:
        while True:
            try:
                wire = self._idle.pop()  # the one that was used last
            except IndexError:
                return _Wire(self._opened(connect))
            if not wire.has_ended:
                return wire
            wire.close()

    def _opened(self, seconds: float) -> BaseHTTPConnection:
        connection = self._pool._new_conn()  # noqa: SLF001 - urllib3 has no other name for it
        connection.timeout = seconds
        try:
            if self._pool.proxy is not None and self._pool.scheme == "https":
                self._pool._prepare_proxy(connection)  # noqa: SLF001 - as above
            else:
                connection.connect()
        except BaseException:
            connection.close()
            raise
        return connection


def _close(idle: deque[_Wire]) -> None:
    while idle:
        idle.pop().close()


class _Wire:
    """One open connection."""

    def __init__(self, connection: BaseHTTPConnection) -> None:
        self._connection = connection
        self._socket = cast("socket.socket", connection.sock)  # type: ignore[attr-defined]
        self._reader = cast("BinaryIO", self._socket.makefile("rb", buffering=65536))
        self.stays = True
        """Whether it can be used again."""

    @property
    def has_ended(self) -> bool:
        """Whether the server has closed it meanwhile, or has said something that nobody asked for."""
        waiting = select.poll()
        waiting.register(self._socket, select.POLLIN)
        return bool(waiting.poll(0))

    def exchange(self, request: bytes, seconds: float) -> Reply:
        self._socket.settimeout(seconds)
        self._socket.sendall(request)
        status, headers = self._head()
        while status < 200:
            status, headers = self._head()
        told = dict(headers)
        self.stays = told.get("connection", "").lower() != "close"
        return Reply(status, headers, b"" if status in _NO_BODY else self._body(told))

    def close(self) -> None:
        self._reader.close()
        self._connection.close()

    def _head(self) -> tuple[int, tuple[tuple[str, str], ...]]:
        version, _, rest = self._line().partition(" ")
        status = rest[:3]
        if version != "HTTP/1.1" or not (status.isascii() and status.isdigit()):
            raise NoAnswer("no HTTP/1.1")
        headers: list[tuple[str, str]] = []
        while line := self._line():
            name, _, value = line.partition(":")
            headers.append((name.lower(), value.strip()))
            if len(headers) > _MOST_LINES:
                raise NoAnswer("a head without an end")
        return int(status), tuple(headers)

    def _body(self, told: Mapping[str, str]) -> bytes:
        if told.get("transfer-encoding", "").lower() == "chunked":
            return self._chunks()
        if "content-length" in told:
            return self._exactly(_number(told["content-length"], 10))
        self.stays = False  # it lasts until the connection ends
        return self._reader.read()

    def _chunks(self) -> bytes:
        parts: list[bytes] = []
        while size := _number(self._line().partition(";")[0].strip(), 16):
            parts.append(self._exactly(size))
            if self._line():
                raise NoAnswer("a chunk that is longer than it says")
        while self._line():
            pass  # trailers
        return b"".join(parts)

    def _exactly(self, size: int) -> bytes:
        data = self._reader.read(size)
        if len(data) < size:
            raise NoAnswer("the connection ended within an answer")
        return data

    def _line(self) -> str:
        line = self._reader.readline(_LONGEST_LINE)
        if not line.endswith(b"\n"):
            raise NoAnswer("the connection ended within an answer" if len(line) < _LONGEST_LINE else "an endless line")
        return line.rstrip(b"\r\n").decode("latin-1")


def _number(text: str, base: int) -> int:
    try:
        number = int(text, base)
    except ValueError:
        number = -1
    if number < 0:
        raise NoAnswer(f"no length: {text[:20]!r}")
    return number
