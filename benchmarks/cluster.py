"""A control plane of its own for a benchmark, a Git server, and the agent as a process that is counted and weighed."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import ssl
import subprocess
import sys
import time
import urllib.error
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.controlplane.install import NAMESPACE, install
from tests.controlplane.plane import ControlPlane, control_plane
from tests.controlplane.programs import MISSING, find_programs
from tests.servers import Server, git_http, running

_ROOT = Path(__file__).resolve().parents[1]
_TICK = os.sysconf("SC_CLK_TCK")
_ACCOUNT = f"system:serviceaccount:{NAMESPACE}:gitops-bot"
APPLY = "application/apply-patch+yaml"
_QUERY = "fieldManager=gitops-bot&fieldValidation=Strict&force=true"
"""Of an apply, as the agent sends it."""
Body = dict[str, Any]


class Request(NamedTuple):
    """One line of the audit log."""

    verb: str
    resource: str
    name: str
    began: str
    """RFC 3339 with microseconds."""
    ended: str
    code: int

    @property
    def of_one(self) -> bool:
        """Whether it reads or writes one object."""
        return self.verb not in ("list", "watch")

    @property
    def writes(self) -> bool:
        return self.verb in ("create", "update", "patch", "delete", "deletecollection")


class Audit:
    """What one account asked the API server for, from a moment on."""

    def __init__(self, log: Path, user: str = _ACCOUNT) -> None:
        self._log = log
        self._user = f'"username":"{user}"'.encode()
        self._at = log.stat().st_size

    def new(self) -> list[Request]:
        """The requests since the last time, or since it was made; Leases and what is not about objects aside."""
        with self._log.open("rb") as file:
            file.seek(self._at)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._at += len(whole)
        lines = (json.loads(line) for line in whole.splitlines() if self._user in line)
        return [_request(line) for line in lines if line.get("objectRef", {}).get("resource") not in (None, "leases")]


def _request(line: Mapping[str, Any]) -> Request:
    about = line["objectRef"]
    return Request(
        line["verb"], about["resource"], about.get("name", ""), line["requestReceivedTimestamp"],
        line["stageTimestamp"], line.get("responseStatus", {}).get("code", 0),
    )  # fmt: skip


def told(requests: Iterable[Request]) -> str:
    """Requests, counted by verb and kind."""
    counts = Counter(f"{each.verb} {each.resource}" for each in requests)
    return ", ".join(f"{count} {what}" for what, count in counts.most_common()) or "none"


class Repository:
    """A Git repository that is served over HTTP."""

    def __init__(self, directory: Path, server: Server) -> None:
        self._server = server
        self.work = directory / "work"
        self.work.mkdir()
        served = directory / "served"
        served.mkdir()
        self.git("init", "-q", "-b", "main")
        self.git("init", "-q", "--bare", "-b", "main", str(served / "fleet"))
        self.git("remote", "add", "origin", str(served / "fleet"))
        server.routes["/git/"] = git_http(served)
        self.url = f"{server.url}/git/fleet"

    def git(self, *arguments: str) -> str:
        """Run git in the working tree."""
        command = ["git", "-c", "user.name=bench", "-c", "user.email=bench@example.com", *arguments]
        return subprocess.run(command, cwd=self.work, check=True, capture_output=True, text=True).stdout.strip()

    def write(self, path: str, bodies: Sequence[Body]) -> None:
        """Write objects into one file."""
        file = self.work / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("---\n".join(_yaml(body) for body in bodies))

    def commit(self) -> str:
        """Commit everything, push it, and say which commit that is."""
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "a change")
        self.git("push", "-q", "origin", "main")
        return self.git("rev-parse", "HEAD")

    def asked(self) -> int:
        """How often somebody asked for its branches."""
        return sum("/info/refs" in path for path in self._server.paths())


def _yaml(body: Body) -> str:
    import yaml

    return yaml.dump(body, Dumper=yaml.CSafeDumper, sort_keys=False)


class Spent(NamedTuple):
    """What a whole process cost."""

    seconds: float
    cpu: float
    """Seconds, with what it started."""
    memory: float
    """MiB, at most."""


class Agent:
    """The agent's process, without what it starts."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self.log = log

    def check(self) -> None:
        """Raise SystemExit with the end of its log when it has ended."""
        if self._process.poll() is not None:
            raise SystemExit(f"the agent ended with {self._process.returncode}:\n{self.log.read_text()[-2000:]}")

    def cpu(self) -> float:
        """Seconds of user and system time so far, those of its children that have ended not included."""
        self.check()
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICK

    def cpu_of_children(self) -> float:
        """Seconds of the children that have ended: git."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[13]) + int(fields[14])) / _TICK

    def memory(self, which: str = "VmRSS") -> float:
        """MiB; ``VmHWM`` is the most that it ever was."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(which)) / 1024

    def ended(self, begun: float) -> Spent:
        """Wait until it has ended by itself; what it cost since a moment of the monotonic clock."""
        _, status, used = os.wait4(self._process.pid, 0)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        if self._process.returncode:
            raise SystemExit(f"the agent ended with {self._process.returncode}:\n{self.log.read_text()[-2000:]}")
        return Spent(time.monotonic() - begun, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)

    def stop(self) -> None:
        """End it as a pod is ended: its Lease is free for the next one."""
        self._process.terminate()
        self._process.wait(60)


class Place:
    """A control plane with the agent's account in it, a repository, and means to ask both."""

    def __init__(self, plane: ControlPlane, kubeconfig: Path, repository: Repository, directory: Path) -> None:
        self.plane = plane
        self.repository = repository
        self.kubeconfig = kubeconfig
        self.directory = directory
        self._running: Agent | None = None

    @property
    def token(self) -> str:
        """The agent's own: who sends the same requests sends them with the same rights."""
        found: str = json.loads(self.kubeconfig.read_text())["users"][0]["user"]["token"]
        return found

    @contextmanager
    def agent(self, *, poll: float = 3600.0) -> Iterator[Agent]:
        """Run the agent as ``deploy`` installs it, its renderers as children."""
        with self._started(f"--poll={poll:.0f}s", "--listen=127.0.0.1:0") as agent:
            self._running = agent
            try:
                yield agent
            finally:
                self._running = None
                agent.stop()

    def once(self) -> Spent:
        """Start the agent anew, and wait until it has looked at every Application and has nothing more to do."""
        begun = time.monotonic()
        with self._started("--once") as agent:
            return agent.ended(begun)

    @contextmanager
    def _started(self, *options: str) -> Iterator[Agent]:
        cache = self.directory / "cache"
        cache.mkdir(exist_ok=True)
        command = [
            sys.executable, "-m", "gitops_bot", "agent", "run", "--environment", "bench", "--cluster-name", "bench",
            "--namespace", NAMESPACE, "--kubeconfig", str(self.kubeconfig), "--cache", str(cache), *options,
        ]  # fmt: skip
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        environment |= {"PYTHONPATH": str(_ROOT), "NO_PROXY": "127.0.0.1", "MALLOC_ARENA_MAX": "2"}
        log = self.directory / "agent.log"
        with log.open("ab") as output:
            yield Agent(subprocess.Popen(command, env=environment, stdout=output, stderr=output), log)

    def define(self, name: str, namespace: str, *, path: str = "") -> None:
        """Make an Application that follows ``main``."""
        body = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {
                "project": "default",
                "source": {"repoURL": self.repository.url, "path": path or f"apps/{name}", "targetRevision": "main"},
                "destination": {"server": "https://kubernetes.default.svc", "namespace": namespace},
                "syncPolicy": {"automated": {"prune": True, "selfHeal": True}},
            },
        }
        self.plane.request("POST", f"/apis/argoproj.io/v1alpha1/namespaces/{NAMESPACE}/applications", body)

    def namespace(self, name: str) -> str:
        """Make a namespace."""
        self.plane.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        return name

    def applications(self) -> list[Body]:
        """All Applications as they are."""
        items: list[Body] = self.plane.request(
            "GET", f"/apis/argoproj.io/v1alpha1/namespaces/{NAMESPACE}/applications"
        )["items"]
        return items

    def until_synced(self, count: int, revision: str, *, within: float = 900.0) -> float:
        """Wait until that many Applications are Synced and Healthy at a commit; the seconds it took."""
        begun, shown = time.monotonic(), 0.0
        while True:
            if self._running is not None:
                self._running.check()
            states = [each.get("status", {}) for each in self.applications()]
            good = sum(
                state.get("sync", {}).get("status") == "Synced"
                and state.get("health", {}).get("status") == "Healthy"
                and state["sync"].get("revision") == revision
                and state.get("operationState", {}).get("phase") == "Succeeded"
                for state in states
            )
            spent = time.monotonic() - begun
            if good == count:
                return spent
            if spent > within:
                raise SystemExit(f"{good} of {count} Applications are synced after {within:.0f} s")
            if spent - shown > 15:
                shown = spent
                print(f"  {good} of {count} synced after {spent:.0f} s", file=sys.stderr, flush=True)
            time.sleep(max(0.2, count / 200))  # a list of a thousand costs the API server as much as it has to do

    def until_quiet(self, audit: Audit, seconds: float = 6.0, *, within: float = 300.0) -> list[Request]:
        """Wait until the agent asks for nothing any more; what it asked for until then."""
        found, last, end = audit.new(), time.monotonic(), time.monotonic() + within
        while time.monotonic() - last < seconds:
            if time.monotonic() > end:
                raise SystemExit(f"the agent is not quiet after {within:.0f} s: {told(found[-50:])}")
            time.sleep(0.2)
            new = [each for each in audit.new() if each.verb != "watch"]
            if new:
                found, last = found + new, time.monotonic()
        return found


@contextmanager
def place(directory: Path) -> Iterator[Place]:
    """A fresh control plane and repository in an empty directory."""
    programs = find_programs()
    if programs is None:
        raise SystemExit(MISSING)
    server = Server()
    (directory / "plane").mkdir(parents=True)
    with running(server), control_plane(programs, directory / "plane") as plane:
        kubeconfig = install(plane, directory / "agent.kubeconfig")
        yield Place(plane, kubeconfig, Repository(directory, server), directory)
    shutil.rmtree(directory, ignore_errors=True)


def probe(plane: ControlPlane, token: str, paths: Sequence[tuple[str, Body]], connections: int = 8) -> float:
    """Send the bare requests of a server-side apply over some connections, and read the answers; seconds."""
    host, _, port = plane.url.removeprefix("https://").partition(":")
    sent = [(path, json.dumps(body)) for path, body in paths]
    headers = {"Authorization": f"Bearer {token}", "Content-Type": APPLY, "Accept": "application/json"}

    def work(part: Sequence[tuple[str, str]]) -> None:
        context = ssl.create_default_context(cafile=str(plane.certificate))
        connection = http.client.HTTPSConnection(host, int(port), context=context)
        for path, body in part:
            connection.request("PATCH", f"{path}?{_QUERY}", body, headers)
            answer = connection.getresponse()
            json.loads(answer.read())
            if answer.status >= 300:
                raise SystemExit(f"{path}: HTTP status {answer.status}")
        connection.close()

    begun = time.monotonic()
    with ThreadPoolExecutor(connections) as pool:
        list(pool.map(work, [sent[start::connections] for start in range(connections)]))
    return time.monotonic() - begun


def timed(work: Callable[[], object]) -> float:
    """Seconds that something takes."""
    begun = time.monotonic()
    work()
    return time.monotonic() - begun


def exists(plane: ControlPlane, path: str) -> Body | None:
    """An object, None when it is not there."""
    try:
        found: Body = plane.request("GET", path)
    except urllib.error.HTTPError as error:
        if error.code != 404:
            raise
        return None
    return found
