"""The one door to HTTP: GET only, to places that a policy allows, with limits on size, time and redirects.

Redirects are followed here, not by the library, so that every hop is judged and no credential travels with it.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol
from urllib.parse import urljoin, urlsplit

from gitops_bot.doors.credentials import Credentials
from gitops_bot.errors import FetchError
from gitops_bot.model.url import shown

if TYPE_CHECKING:
    import requests

Reach = Literal["trusted", "public", "refused"]
"""How a URL may be asked: ``trusted`` with the credential bound to it, ``public`` without any and only at a globally
reachable address, ``refused`` not at all."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_RETRIED = frozenset({408, 429, 500, 502, 503, 504})
_CHUNK = 1 << 16
_LONGEST_RETRY_AFTER = 10.0


class Limits(NamedTuple):
    """What one request may take."""

    size: int = 64 * 1024 * 1024
    """Bytes of the body, after decoding."""
    connect: float = 10.0
    """Seconds to connect."""
    idle: float = 20.0
    """Seconds without a byte."""
    total: float = 120.0
    """Seconds for one attempt, its redirects included."""
    redirects: int = 5
    attempts: int = 3
    """Tries in all: connection failures, cut bodies and statuses that mean "later" are tried again."""
    pause: float = 0.5
    """Seconds before the second attempt; doubled for each further one."""


DEFAULT_LIMITS = Limits()


class Answer(NamedTuple):
    """What a server said."""

    status: int
    headers: Mapping[str, str]
    """Names as in ``requests``: looked up in any case."""
    body: bytes
    url: str
    """Where it came from, after redirects."""


class _Asked(NamedTuple):
    """The wishes of one request that hold for every hop, but ``authorization`` and ``headers``: the first only."""

    headers: Mapping[str, str]
    authorization: str | None
    compressed: bool
    size: int


class _TryAgain(Exception):
    """An attempt failed in a way that may pass; the message says how."""

    def __init__(self, reason: str, after: float = 0.0) -> None:
        super().__init__(reason)
        self.after = after


Resolve = Callable[[str], list[str]]
"""A host name → its IP addresses; raises OSError when there are none."""


def resolve_host(host: str) -> list[str]:
    """The addresses of a host by the system's resolver. Raises OSError when it has none."""
    return sorted({str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)})


class Headers(Protocol):
    """What is sent where."""

    def header(self, url: str) -> str:
        """The ``Authorization`` header for a URL, ``""`` when none is bound to its place."""
        ...


class Client:
    """GET requests under limits. One client serves all threads of a run."""

    def __init__(
        self,
        credentials: Headers | None = None,
        *,
        authorities: Mapping[str, str] | None = None,
        limits: Limits = DEFAULT_LIMITS,
        environment: Mapping[str, str] | None = None,
        resolve: Resolve = resolve_host,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        """Take what may be sent where (None: nothing) and the environment that may name a CA bundle.

        ``authorities`` are certificates (PEM) that alone are trusted for a host's own, by host without port.
        ``environment`` None is the process's own; proxies are always the process's own. ``resolve`` and ``wait`` are
        the outside: names and time.
        """
        self.credentials: Headers = credentials if credentials is not None else Credentials()
        self.limits = limits
        self._environment = os.environ if environment is None else environment
        self._resolve = resolve
        self._wait = wait
        self._lock = threading.Lock()
        self._session: requests.Session | None = None
        self._authorities = authorities or {}
        self._files = contextlib.ExitStack()
        self._trusted: dict[str, str] = {}
        """Host → a file with its authorities."""

    def close(self) -> None:
        """Close the kept connections."""
        with self._lock:
            self._files.close()
            self._trusted = {}
            if self._session is not None:
                self._session.close()
                self._session = None

    def get(
        self,
        url: str,
        reach: Callable[[str], Reach],
        *,
        headers: Mapping[str, str] | None = None,
        authorization: str | None = None,
        compressed: bool = False,
        size: int = 0,
    ) -> Answer:
        """Ask for a URL; every URL on the way, this one included, is judged by ``reach``.

        ``authorization`` replaces the bound credential for the first hop only (a registry's token, ``""`` for none at
        all). ``compressed`` lets the server compress the body on the way. ``size`` lowers the limit in bytes.
        Any status that is neither a redirect nor worth another attempt is the answer. Raises FetchError.
        """
        asked = _Asked(headers or {}, authorization, compressed, size or self.limits.size)
        pause, reason = self.limits.pause, ""
        for attempt in range(self.limits.attempts):
            if attempt:
                self._wait(pause)
                pause *= 2
            try:
                return self._attempt(url, reach, asked)
            except _TryAgain as error:
                reason = str(error)
                pause = max(pause, min(error.after, _LONGEST_RETRY_AFTER))
        raise FetchError(
            f"{shown(url)}: {reason} ({self.limits.attempts} attempts)",
            hint="try again later, or check the URL, the network and the proxy (HTTPS_PROXY)",
        )

    def _attempt(self, url: str, reach: Callable[[str], Reach], asked: _Asked) -> Answer:
        import requests
        import urllib3

        deadline = time.monotonic() + self.limits.total
        start = url
        for _ in range(self.limits.redirects + 1):
            sent = self._headers(url, start, reach, asked)
            try:
                with self._open(url, sent) as answer:
                    if answer.status_code in _REDIRECTS and "Location" in answer.headers:
                        url = urljoin(url, answer.headers["Location"])
                        asked = asked._replace(headers={}, authorization=None)
                        continue
                    if answer.status_code in _RETRIED:
                        raise _TryAgain(f"HTTP {answer.status_code}", _retry_after(answer.headers))
                    body = b"".join(_body(answer.raw, url, asked, deadline, self.limits.total))
                    return Answer(answer.status_code, answer.headers, body, url)
            except requests.exceptions.SSLError as error:
                raise FetchError(
                    f"{shown(url)}: the TLS certificate was not accepted",
                    hint="check the host name; name your own CA bundle with REQUESTS_CA_BUNDLE",
                ) from error
            except requests.exceptions.ConnectTimeout as error:
                raise _TryAgain(f"no connection within {self.limits.connect:g} s") from error
            except (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError) as error:
                raise _TryAgain(f"no answer for {self.limits.idle:g} s") from error
            except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema) as error:
                raise FetchError(f"{shown(url)} is not a URL that can be fetched") from error
            except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
                raise _TryAgain(_in_words(error)) from error
        raise FetchError(f"{shown(start)} redirects more than {self.limits.redirects} times")

    def _headers(self, url: str, start: str, reach: Callable[[str], Reach], asked: _Asked) -> dict[str, str]:
        """The headers for one hop, after the hop itself was judged."""
        how = reach(url)
        if how == "refused":
            where = f"{shown(start)} leads to {shown(url)}, which" if url != start else shown(url)
            raise FetchError(
                f"{where} is not allowed by the base revision",
                hint="add it to fetch.allow in .gitops-bot.yaml on the base branch",
            )
        sent = {
            "User-Agent": "gitops-bot",
            "Accept-Encoding": "gzip" if asked.compressed else "identity",
            **asked.headers,
        }
        if how == "public":
            self._require_public(url)
            return sent
        bound = self.credentials.header(url) if asked.authorization is None else asked.authorization
        return {**sent, "Authorization": bound} if bound else sent

    def _require_public(self, url: str) -> None:
        """Refuse a host outside the allowed ones that resolves to a private address.

        A name that does not resolve here passes: behind a proxy only the proxy can tell, and without one the
        connection fails by itself.
        """
        host = urlsplit(url).hostname or ""
        try:
            addresses = self._resolve(host)
        except OSError:
            return
        for address in addresses:
            ip = ipaddress.ip_address(address.partition("%")[0])
            if not (getattr(ip, "ipv4_mapped", None) or ip).is_global or ip.is_multicast:
                raise FetchError(
                    f"{shown(url)}: the host has the private address {address}",
                    hint="add it to fetch.allow in .gitops-bot.yaml on the base branch, if that is meant",
                )

    def _open(self, url: str, headers: Mapping[str, str]) -> requests.Response:
        import requests.utils

        proxies = requests.utils.get_environ_proxies(url, no_proxy=None)
        return self._shared().get(
            url,
            headers=dict(headers),
            allow_redirects=False,
            stream=True,
            timeout=(self.limits.connect, self.limits.idle),
            proxies=proxies,
            verify=self._trust(urlsplit(url).hostname or ""),
        )

    def _trust(self, host: str) -> str | bool:
        """A file with what is trusted for a host; True for what the system trusts."""
        if host in self._authorities:
            with self._lock:
                if host not in self._trusted:
                    folder = self._files.enter_context(tempfile.TemporaryDirectory(prefix="gitops-bot-ca-"))
                    file = Path(folder) / "ca.pem"
                    file.write_text(self._authorities[host], encoding="utf-8")
                    self._trusted[host] = str(file)
                return self._trusted[host]
        environment = self._environment
        return next((environment[name] for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
                     if environment.get(name)), True)  # fmt: skip

    def _shared(self) -> requests.Session:
        """The session of all threads: no cookies are kept, and ``~/.netrc`` is never read."""
        with self._lock:
            if self._session is None:
                import http.cookiejar

                import requests

                session = requests.Session()
                session.trust_env = False
                session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
                self._session = session
            return self._session


def _body(raw: object, url: str, asked: _Asked, deadline: float, total: float) -> Iterator[bytes]:
    """The pieces of a body, until its end; every piece is counted and the clock looked at."""
    import urllib3

    assert isinstance(raw, urllib3.HTTPResponse)
    read = 0
    while True:
        if time.monotonic() > deadline:
            raise _TryAgain(f"not complete within {total:g} s")
        piece = raw.read1(_CHUNK, decode_content=asked.compressed)
        if not piece:
            break
        read += len(piece)
        if read > asked.size:
            raise FetchError(
                f"{shown(url)} is larger than {asked.size >> 20} MiB", hint="check that the URL is the right one"
            )
        yield piece
    if raw.length_remaining:
        raise _TryAgain("the answer was cut short")


def _retry_after(headers: Mapping[str, str]) -> float:
    value = headers.get("Retry-After", "")
    return float(value) if value.isdigit() else 0.0


def _in_words(error: Exception) -> str:
    """Why a request failed, without the library's object names and without the URL's secrets."""
    text = f"{type(error).__name__} {error}"
    for sign, words in (
        ("NameResolution", "the host name is not known"),
        ("Connection refused", "the connection was refused"),
        ("ProxyError", "the proxy did not connect"),
        ("IncompleteRead", "the answer was cut short"),
        ("reset", "the connection was reset"),
        ("RemoteDisconnected", "the server closed the connection"),
    ):
        if sign in text:
            return words
    return "the connection failed"
