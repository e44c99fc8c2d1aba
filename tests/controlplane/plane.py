"""A real Kubernetes control plane of five processes on loopback; kwok plays its nodes and pods.

Nothing of it outlives the process that started it: every part asks the kernel to be killed with its parent.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import json
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.controlplane.programs import STAGES

_READY_WITHIN = 90.0
_DEATH_OF_PARENT = 1  # PR_SET_PDEATHSIG
_libc = ctypes.CDLL(None, use_errno=True)
_NODE = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {
        "name": "kwok-node-0",
        "annotations": {"kwok.x-k8s.io/node": "fake", "node.alpha.kubernetes.io/ttl": "0"},
        "labels": {"kubernetes.io/hostname": "kwok-node-0", "kubernetes.io/os": "linux", "type": "kwok"},
    },
    "status": {
        "allocatable": {"cpu": "128", "memory": "512Gi", "pods": "10000"},
        "capacity": {"cpu": "128", "memory": "512Gi", "pods": "10000"},
    },
}
_UNHURRIED = ("--kube-api-qps=1000", "--kube-api-burst=1000")
"""By default a controller asks twenty times a second at most, and whoever waits for a hundred Deployments waits."""
_AUDIT_POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{level: Metadata}]
"""


class Part:
    """One of its processes, which can be killed and started again as it was."""

    def __init__(self, directory: Path, command: Sequence[str | Path]) -> None:
        self.command = [str(each) for each in command]
        self.log = directory / f"{Path(command[0]).name}.log"
        self._directory = directory
        self.start()

    @property
    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def start(self) -> None:
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd=self._directory,
                env={"HOME": str(self._directory)},
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - nothing but a system call
            )  # fmt: skip

    def kill(self) -> None:
        """Nothing of it is kept, so nothing has to be written out."""
        self.process.kill()
        self.process.wait()


class ControlPlane(NamedTuple):
    """A control plane that runs."""

    directory: Path
    url: str
    """``https://127.0.0.1:…``."""
    certificate: Path
    """PEM of the authority that signed the server's."""
    token: str
    """Of a member of system:masters: the tests' own, never the agent's."""
    parts: tuple[Part, ...] = ()
    """Its processes, for who has started them: etcd, the API server, and the others."""

    @property
    def kubeconfig(self) -> Path:
        """For people and kubectl, as admin."""
        return self.directory / "admin.kubeconfig"

    @property
    def audit_log(self) -> Path:
        """One JSON line for each request."""
        return self.directory / "audit.log"

    def request(self, verb: str, path: str, body: Any = None, *, content_type: str = "application/json") -> Any:
        """Ask the API server as admin; the answer's JSON. Raises urllib.error.HTTPError."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": content_type}
        request = urllib.request.Request(f"{self.url}{path}", data, headers, method=verb)
        context = ssl.create_default_context(cafile=str(self.certificate))
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        with opener.open(request, timeout=30) as answer:
            text = answer.read()
        try:
            return json.loads(text)
        except ValueError:
            return text.decode()

    def write_kubeconfig(self, path: Path, token: str) -> Path:
        """A kubeconfig for the bearer of a token."""
        authority = base64.b64encode(self.certificate.read_bytes()).decode()
        path.write_text(
            json.dumps({
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [
                    {"name": "here", "cluster": {"server": self.url, "certificate-authority-data": authority}}
                ],
                "users": [{"name": "me", "user": {"token": token}}],
                "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
                "current-context": "here",
            })
        )  # fmt: skip
        path.chmod(0o600)
        return path


@contextmanager
def control_plane(programs: Path, directory: Path) -> Iterator[ControlPlane]:
    """Start one in an empty directory, and stop every part of it at the end. Raises RuntimeError with a log's end."""
    with ExitStack() as stack:
        plane = _start(programs, directory, stack)
        _wait_for(plane, "/api/v1/namespaces/default/serviceaccounts/default")
        yield plane


@contextmanager
def without_api_server(plane: ControlPlane) -> Iterator[None]:
    """Its API server is killed, and is back at the end on the same port with all that it had."""
    server = plane.parts[1]
    server.kill()
    try:
        yield
    finally:
        server.start()
        _wait_for(plane, "/readyz")


def _start(programs: Path, directory: Path, stack: ExitStack) -> ControlPlane:
    token = secrets.token_hex(16)
    (directory / "tokens.csv").write_text(f'{token},admin,admin,"system:masters"\n')
    (directory / "audit.yaml").write_text(_AUDIT_POLICY)
    _make_key(directory / "accounts.key")
    etcd_client, etcd_peer, secure, manager = _free_ports(4)

    def run(*command: str | Path) -> Part:
        part = Part(directory, command)
        stack.callback(part.kill)
        return part

    audit_log = directory / "audit.log"
    etcd = f"http://127.0.0.1:{etcd_client}"
    parts = [
        run(
            programs / "etcd", "--unsafe-no-fsync", f"--data-dir={directory / 'etcd'}",
            f"--listen-client-urls={etcd}", f"--advertise-client-urls={etcd}",
            f"--listen-peer-urls=http://127.0.0.1:{etcd_peer}",
        ),
        run(
            programs / "kube-apiserver", f"--etcd-servers={etcd}", f"--secure-port={secure}",
            "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", f"--cert-dir={directory / 'certs'}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={directory / 'accounts.key'}",
            f"--service-account-signing-key-file={directory / 'accounts.key'}",
            f"--token-auth-file={directory / 'tokens.csv'}", "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.96.0.0/16", "--allow-privileged=true",
            "--endpoint-reconciler-type=none", f"--audit-policy-file={directory / 'audit.yaml'}",
            f"--audit-log-path={audit_log}",
        ),
    ]  # fmt: skip
    url, certificate = f"https://127.0.0.1:{secure}", directory / "certs" / "apiserver.crt"
    plane = ControlPlane(directory, url, certificate, token, tuple(parts))
    _wait_for(plane, "/readyz")
    plane.write_kubeconfig(plane.kubeconfig, token)
    kubeconfig = f"--kubeconfig={plane.kubeconfig}"
    stages = [f"--config={programs / f'{stage}.yaml'}" for stage in STAGES]
    parts += [
        run(
            programs / "kube-controller-manager", kubeconfig, "--leader-elect=false", "--bind-address=127.0.0.1",
            f"--secure-port={manager}", f"--service-account-private-key-file={directory / 'accounts.key'}",
            f"--root-ca-file={plane.certificate}", *_UNHURRIED,
        ),
        run(
            programs / "kube-scheduler", kubeconfig, "--leader-elect=false", "--bind-address=127.0.0.1",
            f"--secure-port={_free_ports(1)[0]}", *_UNHURRIED,
        ),
        run(
            programs / "kwok", kubeconfig, "--manage-all-nodes=true", "--node-ip=127.0.0.1",
            "--cidr=10.244.0.1/16", "--node-lease-duration-seconds=40", *stages,
        ),
    ]  # fmt: skip
    plane.request("POST", "/api/v1/nodes", _NODE)
    return plane._replace(parts=tuple(parts))


def _die_with_parent() -> None:
    _libc.prctl(_DEATH_OF_PARENT, signal.SIGKILL)


def _wait_for(plane: ControlPlane, path: str) -> None:
    """Until the path answers 200. Raises RuntimeError when a part ended or it takes too long."""
    end = time.monotonic() + _READY_WITHIN
    while True:
        for part in plane.parts:
            if part.has_ended:
                raise RuntimeError(f"{part.log.stem} ended:\n{_tail(part.log)}")
        if plane.certificate.exists():
            with contextlib.suppress(OSError, urllib.error.HTTPError, ssl.SSLError):
                plane.request("GET", path)
                return
        if time.monotonic() > end:
            raise RuntimeError(f"{path} did not answer within {_READY_WITHIN:.0f} s:\n{_tail(plane.parts[-1].log)}")
        time.sleep(0.05)


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-3000:]


def _free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens on now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _make_key(path: Path) -> None:
    """A key that service accounts' tokens are signed with."""
    openssl = shutil.which("openssl")
    if openssl is None:
        raise RuntimeError("openssl is not on PATH; apt-get install openssl")
    subprocess.run([openssl, "genrsa", "-out", str(path), "2048"], check=True, capture_output=True)
    path.chmod(0o600)
