"""The only door that opens inwards: a few pages over plain HTTP, for probes and Prometheus, and nothing to send."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple, Self

from gitops_bot.errors import UsageError

_SLOW = 10.0
"""Seconds that a client may take for its request."""
_log = logging.getLogger(__name__)


class Page(NamedTuple):
    """An answer."""

    status: int
    body: bytes
    content_type: str = "text/plain; charset=utf-8"


class Listener:
    """Serves pages in threads of its own, from ``__enter__`` to ``__exit__``."""

    def __init__(self, address: str, pages: Mapping[str, Callable[[], Page]]) -> None:
        """Take where to listen (``:8080``, ``127.0.0.1:0``, ``[::1]:8080``), and what makes the page of each path.

        Raises UsageError for an address that is none, or that cannot be listened on.
        """
        host, port = parse(address)
        try:
            self._server = _Server(host, port, pages)
        except OSError as error:
            raise UsageError(
                f"{address} cannot be listened on: {error.strerror or error}", hint="give another one with --listen"
            ) from error
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="listener", daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def parse(address: str) -> tuple[str, int]:
    """Host (``""`` for all addresses) and port of ``HOST:PORT``. Raises UsageError."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise UsageError(f"{address!r} is no address to listen on", hint="write :8080 or 127.0.0.1:8080")
    return host.removeprefix("[").removesuffix("]"), int(port)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, host: str, port: int, pages: Mapping[str, Callable[[], Page]]) -> None:
        self.pages = pages
        dual = not host and socket.has_dualstack_ipv6()
        self.address_family = socket.AF_INET6 if dual or ":" in host else socket.AF_INET
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        # The base class asks a name server for the host's own name.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no event."""


class _Handler(BaseHTTPRequestHandler):
    timeout = _SLOW
    server: _Server
    server_version = "gitops-bot"
    sys_version = ""

    def do_GET(self) -> None:
        self._answer(whole=True)

    def do_HEAD(self) -> None:
        self._answer(whole=False)

    def _answer(self, *, whole: bool) -> None:
        make = self.server.pages.get(self.path.partition("?")[0])
        try:
            page = make() if make is not None else Page(404, b"not found\n")
        except Exception:  # noqa: BLE001 - a page that cannot be made is told, and the others go on
            _log.exception("%s: a mistake of this program", self.path)
            page = Page(500, b"a mistake of this program; its log says more\n")
        self.send_response(page.status)
        self.send_header("Content-Type", page.content_type)
        self.send_header("Content-Length", str(len(page.body)))
        self.end_headers()
        if whole:
            self.wfile.write(page.body)

    def log_message(self, *_: object) -> None:
        """Probes ask every few seconds; nobody wants to read that."""
