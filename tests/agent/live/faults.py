"""A proxy before the API server that fails as networks and servers do: on purpose, or by a seed."""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from tests.controlplane.plane import ControlPlane

_HOP = frozenset(("connection", "transfer-encoding", "content-length", "keep-alive", "host"))


class Fault(NamedTuple):
    """What goes wrong with one request."""

    status: int = 0
    """Answered by the proxy itself."""
    retry_after: str = ""
    drop: str = ""
    """``before`` or ``after`` the API server has done it: no answer comes."""
    stall: float = 0.0
    """Seconds before it is passed on."""
    ends: bool = False
    """A stream that is over as soon as it has begun."""


SERVER_ERROR, CONFLICT = Fault(500), Fault(409)
BUSY, BUSY_WITHOUT_A_WORD = Fault(429, retry_after="1"), Fault(429)
LOST_BEFORE, LOST_AFTER = Fault(drop="before"), Fault(drop="after")
SLOW = Fault(stall=0.3)
ENDS, EXPIRED, NOT_FOUND = Fault(ends=True), Fault(410), Fault(404)
"""Of watches: by what stands between, by a server that has forgotten the version, or does not know the kind yet."""
ALL = (SERVER_ERROR, CONFLICT, BUSY, BUSY_WITHOUT_A_WORD, LOST_BEFORE, LOST_AFTER, SLOW)

Choose = Callable[[str, str], Fault | None]
"""Verb and path → what goes wrong, None for nothing."""


class Proxy(ThreadingHTTPServer):
    """Plain HTTP on loopback, before the real API server."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, plane: ControlPlane) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = urlsplit(plane.url)
        self.context = ssl.create_default_context(cafile=str(plane.certificate))
        self.choose: Choose = lambda _verb, _path: None
        self.is_down = False
        self.counts: dict[str, int] = {}
        """What went wrong so far: how often each fault."""
        self.lock = threading.Lock()
        self.watches: set[socket.socket] = set()
        self.opened = 0
        """How many streams were opened so far."""
        self._held = ""
        self._let_through = threading.Event()
        self._let_through.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def cut_watches(self) -> int:
        """End every stream in the middle; how many."""
        with self.lock:
            open_ = list(self.watches)
        for each in open_:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        return len(open_)

    def hold(self, part: str) -> None:
        """Let nothing through of the streams whose path has this part, until ``let_through``."""
        self._held = part
        self._let_through.clear()

    def let_through(self) -> None:
        """What was held comes now."""
        self._let_through.set()

    def heard(self, path: str) -> None:
        """Wait until a stream may be heard."""
        if self._held in path:
            self._let_through.wait()

    def stop(self) -> None:
        """As an API server that is stopped: what is open breaks off, nothing is answered any more."""
        self.is_down = True
        self.let_through()
        self.cut_watches()

    def back(self) -> None:
        self.is_down = False

    def never(self) -> None:
        """Nothing goes wrong any more."""
        self.choose = lambda _verb, _path: None
        self.back()

    def at_random(self, seed: int, share: float, faults: tuple[Fault, ...] = ALL) -> None:
        """A share of all requests goes wrong, in an order that the seed decides."""
        dice = random.Random(seed)

        def choose(_verb: str, _path: str) -> Fault | None:
            with self.lock:
                return dice.choice(faults) if dice.random() < share else None

        self.choose = choose

    def once(self, fault: Fault, meant: Callable[[str, str], bool], number: int = 1) -> threading.Event:
        """One request goes wrong: the one with this number of those whose verb and path are meant. Set when it has."""
        failed, left = threading.Event(), number

        def choose(verb: str, path: str) -> Fault | None:
            nonlocal left
            with self.lock:
                left -= meant(verb, path)
                if left or failed.is_set():
                    return None
                failed.set()
                return fault

        self.choose = choose
        return failed

    def kubeconfig(self, path: Path, of: Path) -> Path:
        """A kubeconfig that goes through the proxy, with the account of another one."""
        body = json.loads(of.read_text())
        body["clusters"][0]["cluster"] = {"server": self.url}
        path.write_text(json.dumps(body))
        path.chmod(0o600)
        return path

    def handle_error(self, request: object, client_address: object) -> None:
        """Connections that break are what this is for."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Proxy
    _behind: http.client.HTTPSConnection | None = None

    def _any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.server.choose(self.command, self.path)
        if fault is not None:
            with self.server.lock:
                name = str(fault.status or fault.drop or ("ends" if fault.ends else "stall"))
                self.server.counts[name] = self.server.counts.get(name, 0) + 1
        if self.server.is_down or (fault is not None and fault.drop == "before"):
            self._hang_up()
            return
        if fault is not None and fault.status:
            self._refuse(fault)
            return
        if fault is not None and fault.ends:
            self._reply(200, [("Content-Type", "application/json")], b"")
            return
        if fault is not None and fault.stall:
            threading.Event().wait(fault.stall)
        with contextlib.suppress(OSError, http.client.HTTPException):
            self._pass_on(body, lost=fault is not None and fault.drop == "after")

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _any  # noqa: N815 - as the base class calls them

    def _pass_on(self, body: bytes, *, lost: bool) -> None:
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
        if self._behind is None:
            place = self.server.upstream
            self._behind = http.client.HTTPSConnection(place.hostname or "", place.port, context=self.server.context)
        self._behind.request(self.command, self.path, body or None, headers)
        answer = self._behind.getresponse()
        if "watch=true" in self.path and answer.status == 200:
            self._stream(answer)
            return
        data = answer.read()
        if lost or self.server.is_down:
            self._hang_up()
            return
        self._reply(
            answer.status, [(name, value) for name, value in answer.getheaders() if name.lower() not in _HOP], data
        )

    def _stream(self, answer: http.client.HTTPResponse) -> None:
        self.close_connection = True
        with self.server.lock:
            self.server.watches.add(self.connection)
            self.server.opened += 1
        try:
            self.send_response(200)
            self.send_header("Content-Type", answer.getheader("Content-Type", "application/json"))
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            while data := answer.read1(65536):
                self.server.heard(self.path)
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.write(b"0\r\n\r\n")
        finally:
            with self.server.lock:
                self.server.watches.discard(self.connection)
            assert self._behind is not None
            self._behind.close()
            self._behind = None

    def _refuse(self, fault: Fault) -> None:
        reasons = {
            404: "NotFound",
            405: "MethodNotAllowed",
            410: "Expired",
            415: "UnsupportedMediaType",
            409: "Conflict",
            429: "TooManyRequests",
            500: "InternalError",
            503: "ServiceUnavailable",
        }
        told = {"kind": "Status", "status": "Failure", "code": fault.status, "reason": reasons[fault.status],
                "message": "made to fail by the proxy"}  # fmt: skip
        headers = [("Content-Type", "application/json")]
        headers += [("Retry-After", fault.retry_after)] if fault.retry_after else []
        self._reply(fault.status, headers, json.dumps(told).encode())

    def _reply(self, status: int, headers: list[tuple[str, str]], data: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _hang_up(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def finish(self) -> None:
        with contextlib.suppress(OSError):
            super().finish()
        if self._behind is not None:
            self._behind.close()

    def log_message(self, *_: object) -> None:
        """Silent."""


@contextmanager
def fault_proxy(plane: ControlPlane) -> Iterator[Proxy]:
    proxy = Proxy(plane)
    thread = threading.Thread(target=lambda: proxy.serve_forever(poll_interval=0.02), daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.stop()
        proxy.shutdown()
        proxy.server_close()
        thread.join(10)
