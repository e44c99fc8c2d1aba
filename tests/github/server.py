"""The port: who asks, for what, with which fault; REST, GraphQL and Git are served from here."""

from __future__ import annotations

import base64
import contextlib
import re
import socket
import threading
import time
from collections.abc import Mapping
from http.server import ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.github.exchange import DROPPED, Answer, Exchange, Refusal, Request
from tests.github.routing import Call, Route, find
from tests.github.tokens import Token
from tests.servers import Handler, git_http

if TYPE_CHECKING:
    from tests.github.fake import FakeGitHub

_GIT = re.compile(r"/(?P<owner>[^/]+)/(?P<name>[^/]+?)(?:\.git)?/(?P<rest>info/refs|git-upload-pack|git-receive-pack)")
_BY_ID = re.compile(r"/repositories/(\d+)(/.*)?")


class GitHubHandler(Handler):
    """One connection."""

    server: GitHubServer  # type: ignore[assignment]  # the one that has a GitHub behind it
    timeout = 60
    disable_nagle_algorithm = True
    """Else the second half of every answer waits 40 ms for the client."""
    _git_request: Request | None = None
    """The Git request that is being served."""
    _pushed = ""
    """Full name of the repository it pushes to."""

    _instead: Answer | None = None
    """What is answered when Git was served, by a fault."""

    do_PATCH = do_PUT = do_DELETE = Handler.do_POST  # noqa: N815  # the names that http.server calls

    def _answer(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        git = _GIT.fullmatch(urlsplit(self.path).path)
        body = b"" if git else self.rfile.read(int(headers.get("content-length") or 0))
        request = Request(self.command, self.path, headers, body, time.time())
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            if git:
                self._git(request, git)
            else:
                self._send(self.server.github.answer(request))

    def _send(self, answer: Answer) -> None:
        if answer.status == DROPPED:
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            return
        headers = {"Content-Type": "application/json; charset=utf-8", "Server": "github.com", **answer.headers}
        if answer.body is None:
            headers.pop("Content-Type")
        self.reply(answer.status, answer.content(), headers)

    def _git(self, request: Request, match: re.Match[str]) -> None:
        github = self.server.github
        refusal, self._instead = github.refuses_git(request, f"{match['owner']}/{match['name']}", match["rest"])
        if refusal is not None:
            self._drain()
            github.note(Exchange(request, refusal, None, {}, "git" if refusal.status in (DROPPED, 502) else ""))
            self._send(refusal)
            return
        query = urlsplit(self.path).query
        name = github.state.repository(f"{match['owner']}/{match['name']}").path.relative_to(github.state.folder)
        self.path = f"/{name}/{match['rest']}" + (f"?{query}" if query else "")
        self._pushed = f"{match['owner']}/{match['name']}" if match["rest"] == "git-receive-pack" else ""
        self._git_request = request
        git_http(github.state.folder, "")(self)

    def reply(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        """Answer; what a push or fetch did is known to the fake before the client learns of it."""
        request, self._git_request = self._git_request, None
        if request is not None:
            instead, self._instead = self._instead, None
            self.server.github.note(Exchange(request, instead or Answer(status), None, {}, "git" if instead else ""))
            if self._pushed:
                self.server.github.pushed(self._pushed)
            if instead is not None:
                self._send(instead)
                return
        super().reply(status, body, headers)

    def _drain(self) -> None:
        """What a refused request still sends must be read, or the connection cannot go on."""
        length = int(self.headers.get("Content-Length") or 0)
        if length:
            self.rfile.read(length)
        else:
            self.close_connection = self.headers.get("Transfer-Encoding", "") == "chunked"


class GitHubServer(ThreadingHTTPServer):
    """A free port of this machine with a GitHub behind it; usable with `tests.servers.running`."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, host: str = "127.0.0.1") -> None:
        super().__init__((host, 0), GitHubHandler)
        self.github: FakeGitHub

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hung up is what some tests are about; what breaks in the fake is told by `answer`."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


def credentials(headers: dict[str, str]) -> str | None:
    """The token or JWT of a request: ``token …``, ``Bearer …``, or the password of ``Basic …``; None without one."""
    kind, _, value = headers.get("authorization", "").partition(" ")
    if not value:
        return None
    if kind.lower() == "basic":
        with contextlib.suppress(ValueError):
            return base64.b64decode(value).decode().partition(":")[2]
        return ""
    return value.strip()


class Dispatcher:
    """Finds the route of a request, checks what its token may, and calls it."""

    def __init__(self, github: FakeGitHub) -> None:
        self._github = github
        self.lock = threading.RLock()

    def route(self, request: Request) -> tuple[Route, dict[str, str]] | None:
        """The route and the parameters of its path; ``/repositories/{id}`` stands for its name."""
        path = request.path
        if by_id := _BY_ID.fullmatch(path):
            repository = self._github.state.by_id(int(by_id[1]))
            if repository is None:
                return None
            path = f"/repos/{repository.full_name}{by_id[2] or ''}"
        return find(request.method, path)

    def __call__(self, request: Request, found: tuple[Route, dict[str, str]] | None) -> tuple[Answer, str]:
        """The answer, and the login it was given to."""
        token: Token | None = None
        try:
            with self.lock:
                if not request.headers.get("user-agent"):
                    raise Refusal(
                        403, "Request forbidden by administrative rules. Please make sure it has a User-Agent."
                    )
                token = self._token(request, found)
                if found is None:
                    raise Refusal(404, "Not Found")
                return self._serve(request, *found, token), token.login if token else ""
        except Refusal as refusal:
            return refusal.answer, token.login if token else ""

    def _token(self, request: Request, found: tuple[Route, dict[str, str]] | None) -> Token | None:
        value = credentials(request.headers)
        if value is None:
            return None
        if found is not None and "app-jwt" in found[0].needs:
            self._github.app.check(value, self._github.state.clock())
            return None
        return self._github.tokens.find(value)

    def _serve(self, request: Request, route: Route, parameters: dict[str, str], token: Token | None) -> Answer:
        state = self._github.state
        repository = None
        if token is None and not route.anyone and "app-jwt" not in route.needs:
            raise Refusal(401, "Requires authentication")
        if "app-jwt" in route.needs and credentials(request.headers) is None:
            raise Refusal(401, "A JSON web token could not be decoded")
        if "repo" in parameters:
            repository = state.repository(f"{parameters['owner']}/{parameters['repo']}")
            reaches = token is not None and (token.repositories is None or repository.full_name in token.repositories)
            if repository.private and not reaches and "app-jwt" not in route.needs:
                raise Refusal(404, "Not Found")
            if route.method != "GET" and token is not None and not reaches:
                raise token.refused()
            repository.refresh()
        needs = [each for each in route.needs if each != "app-jwt"]
        if token is not None and needs and not any(token.may(each) for each in needs):
            raise token.refused()
        return route.answer(Call(state, self._github.tokens, request, parameters, token, repository))
