"""Real servers on loopback: scripted HTTP with faults, a chart repository, an OCI registry, Git over smart HTTP."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest


class Seen(NamedTuple):
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    """Names in lower case."""


class Handler(BaseHTTPRequestHandler):
    """Hands each request to the server's routes, longest prefix first."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer()

    def do_PATCH(self) -> None:
        self.do_PUT()

    def do_DELETE(self) -> None:
        self.do_PUT()

    def _answer(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.seen.append(Seen(self.command, self.path, headers))
        path = self.path.partition("?")[0]
        routes = self.server.routes
        prefix = max((prefix for prefix in routes if path.startswith(prefix)), key=len, default=None)
        if prefix is None:
            self.reply(404, b"not found")
        else:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                routes[prefix](self)

    def reply(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Silent: tests look at what was seen."""


Route = Callable[[Handler], None]


class Server(ThreadingHTTPServer):
    """A threaded server on a free port; ``routes`` may change while it runs, ``seen`` is what arrived."""

    daemon_threads = True

    def __init__(self, certificate: Path | None = None, key: Path | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.routes: dict[str, Route] = {}
        self.seen: list[Seen] = []
        self.scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            self.socket = context.wrap_socket(self.socket, server_side=True)
            self.scheme = "https"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hung up is what some tests are about."""

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def paths(self) -> list[str]:
        return [seen.path for seen in self.seen]


@contextlib.contextmanager
def running(server: Server) -> Iterator[Server]:
    """Serve until the block ends."""
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def gives(body: bytes, status: int = 200, **headers: str) -> Route:
    """A route that always gives the same answer; ``Content_Type`` stands for ``Content-Type``."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler: handler.reply(status, body, named)


def redirects(target: str, status: int = 302) -> Route:
    return lambda handler: handler.reply(status, b"", {"Location": target})


def in_turn(*routes: Route) -> Route:
    """A route that answers with each of these in turn, then always with the last."""
    left = list(routes)
    lock = threading.Lock()

    def answer(handler: Handler) -> None:
        with lock:
            route = left.pop(0) if len(left) > 1 else left[0]
        route(handler)

    return answer


def cut_short(body: bytes, after: int) -> Route:
    """A route that promises the whole body, sends a part and hangs up."""

    def answer(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body[:after])
        handler.wfile.flush()
        handler.close_connection = True

    return answer


def drips(released: threading.Event) -> Route:
    """A route that sends a byte now and then and never ends, until released or left alone."""

    def answer(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000000")
        handler.end_headers()
        while not released.wait(0.05):
            handler.wfile.write(b"#")
            handler.wfile.flush()

    return answer


def silent(released: threading.Event) -> Route:
    """A route that says nothing until released."""
    return lambda _: released.wait(30) and None


def directory(root: Path, prefix: str = "") -> Route:
    """A route that serves the files of a directory below ``prefix``."""

    def answer(handler: Handler) -> None:
        path = root / handler.path.partition("?")[0].removeprefix(prefix).lstrip("/")
        if path.is_file() and path.resolve().is_relative_to(root.resolve()):
            handler.reply(200, path.read_bytes())
        else:
            handler.reply(404, b"not found")

    return answer


def asks_login(route: Route, user: str, password: str) -> Route:
    """A route behind basic authentication."""
    expected = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    def answer(handler: Handler) -> None:
        if handler.headers.get("Authorization") != expected:
            handler.reply(401, b"", {"WWW-Authenticate": 'Basic realm="test"'})
        else:
            route(handler)

    return answer


@pytest.fixture
def server() -> Iterator[Server]:
    with running(Server()) as one:
        yield one


@pytest.fixture
def other_server() -> Iterator[Server]:
    with running(Server()) as one:
        yield one


# -- TLS --------------------------------------------------------------------------------------------------------------


class Certificate(NamedTuple):
    certificate: Path
    key: Path


TLS_HOST = "objects.example.test"
"""The name in the certificate; ``tls_name`` makes it resolve to this machine."""


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    folder = tmp_path_factory.mktemp("tls")
    made = Certificate(folder / "cert.pem", folder / "key.pem")
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not on PATH; apt-get install openssl")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
         "-subj", f"/CN={TLS_HOST}", "-addext", f"subjectAltName=DNS:{TLS_HOST},IP:127.0.0.1", "-keyout", made.key,
         "-out", made.certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    return made


@pytest.fixture
def tls_server(certificate: Certificate) -> Iterator[Server]:
    with running(Server(certificate.certificate, certificate.key)) as one:
        yield one


@pytest.fixture
def tls_name(monkeypatch: pytest.MonkeyPatch) -> str:
    """Lets TLS_HOST resolve to this machine, as a name server would, and past the proxy of the tests."""
    real = socket.getaddrinfo

    def lookup(host: str, *arguments: object, **named: object) -> object:
        return real("127.0.0.1" if host == TLS_HOST else host, *arguments, **named)

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    monkeypatch.setenv("NO_PROXY", f"127.0.0.1,localhost,{TLS_HOST}")
    return TLS_HOST


# -- charts -----------------------------------------------------------------------------------------------------------


def run_helm(helm: str, *arguments: str, cwd: Path) -> str:
    home = cwd / ".helm-home"
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "HELM_CACHE_HOME": str(home / "cache"),
           "HELM_CONFIG_HOME": str(home / "config"), "HELM_DATA_HOME": str(home / "data"),
           "HELM_REGISTRY_CONFIG": str(home / "registry.json")}  # fmt: skip
    ended = subprocess.run([helm, *arguments], cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout + ended.stderr


def package(helm: str, folder: Path, name: str, version: str, marker: str = "") -> Path:
    """A chart made with the real Helm; returns its archive."""
    chart = folder / "source" / name
    (chart / "templates").mkdir(parents=True, exist_ok=True)
    (chart / "Chart.yaml").write_text(f"apiVersion: v2\nname: {name}\nversion: {version}\nappVersion: '1'\n")
    (chart / "values.yaml").write_text(f"marker: {marker or version}\n")
    (chart / "templates" / "configmap.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\ndata:\n  it: {{ .Values.marker }}\n"
    )
    run_helm(helm, "package", str(chart), "--destination", str(folder / "packed"), cwd=folder)
    return folder / "packed" / f"{name}-{version}.tgz"


@pytest.fixture(scope="session")
def packed_charts(helm: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of archives and an index.yaml, both made by Helm: ``app`` in several versions, and ``other``."""
    folder = tmp_path_factory.mktemp("charts")
    for version in ("1.0.0", "1.1.0", "1.10.2", "2.0.0-rc.1", "0.9.0+build.7"):
        package(helm, folder, "app", version)
    package(helm, folder, "other", "3.0.0")
    run_helm(helm, "repo", "index", str(folder / "packed"), cwd=folder)
    return folder / "packed"


@pytest.fixture
def chart_repository(packed_charts: Path, server: Server) -> Server:
    """A Helm repository at ``<url>/charts``."""
    server.routes["/charts/"] = directory(packed_charts, "/charts")
    return server


# -- registry ---------------------------------------------------------------------------------------------------------

_REGISTRY_CONFIG = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {root}}}}}
http: {{addr: "127.0.0.1:{port}"}}
{auth}"""


@contextlib.contextmanager
def registry(folder: Path, auth: str = "") -> Iterator[str]:
    """A real OCI registry; yields ``127.0.0.1:PORT``. Skips by name without the program."""
    program = shutil.which("docker-registry")
    if program is None:
        pytest.skip("docker-registry is not on PATH; apt-get install docker-registry")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = folder / "registry.yml"
    config.write_text(_REGISTRY_CONFIG.format(root=folder / "storage", port=port, auth=auth))
    with subprocess.Popen(
        [program, "serve", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder
    ) as process:
        try:
            _until_answering(f"http://127.0.0.1:{port}/v2/", process)
            yield f"127.0.0.1:{port}"
        finally:
            process.kill()


def _until_answering(url: str, process: subprocess.Popen[bytes]) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + 20
    while True:
        try:
            with opener.open(url, timeout=2):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            assert process.poll() is None, "the registry ended"
            assert time.monotonic() < deadline, "the registry does not answer"
            time.sleep(0.02)


@pytest.fixture(scope="session")
def oci_registry(helm: str, packed_charts: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry with ``team/app`` in the versions of ``packed_charts``, pushed by Helm; ``127.0.0.1:PORT``."""
    folder = tmp_path_factory.mktemp("registry")
    with registry(folder) as address:
        for archive in sorted(packed_charts.glob("app-*.tgz")):
            run_helm(helm, "push", str(archive), f"oci://{address}/team", "--plain-http", cwd=folder)
        yield address


def bcrypt_line(user: str, password: str) -> str:
    """A line of htpasswd; skips by name without the program that makes it."""
    program = shutil.which("htpasswd")
    if program is None:
        pytest.skip("htpasswd is not on PATH; apt-get install apache2-utils")
    made = subprocess.run([program, "-nbB", user, password], capture_output=True, text=True, check=True)
    return made.stdout.strip()


# -- Git --------------------------------------------------------------------------------------------------------------


@cache
def _http_backend() -> Path:
    where = subprocess.run(["git", "--exec-path"], capture_output=True, text=True, check=True)
    return Path(where.stdout.strip()) / "git-http-backend"


def git_http(root: Path, prefix: str = "/git") -> Route:
    """A route that serves the repositories of a directory by Git's own ``http-backend``."""
    backend = _http_backend()

    def answer(handler: Handler) -> None:
        path, _, query = handler.path.partition("?")
        length = int(handler.headers.get("Content-Length") or 0)
        body = handler.rfile.read(length) if length else _chunked(handler)
        env = {
            "PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": str(root), "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "PATH_INFO": path.removeprefix(prefix),
            "QUERY_STRING": query, "REQUEST_METHOD": handler.command, "REMOTE_ADDR": "127.0.0.1",
            "CONTENT_TYPE": handler.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": handler.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": handler.headers.get("Git-Protocol", ""),
        }  # fmt: skip
        ended = subprocess.run([backend], input=body, env=env, capture_output=True, check=False)
        head, _, content = ended.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().splitlines() if ": " in line)
        status = int(fields.pop("Status", "200").split()[0])
        handler.reply(status, content, fields)

    return answer


def _chunked(handler: Handler) -> bytes:
    if handler.headers.get("Transfer-Encoding", "") != "chunked":
        return b""
    body = b""
    while size := int(handler.rfile.readline().strip() or b"0", 16):
        body += handler.rfile.read(size)
        handler.rfile.readline()
    handler.rfile.readline()
    return body


@pytest.fixture
def git_server(server: Server, tmp_path: Path) -> Server:
    """Git over smart HTTP: what lies in ``<tmp_path>/served`` is at ``<url>/git``."""
    (tmp_path / "served").mkdir()
    server.routes["/git/"] = git_http(tmp_path / "served")
    return server


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
