"""The second half of `make demo`: a real Kubernetes control plane on this machine, kept equal to Git by the agent.

Five processes on loopback (etcd, the API server and its controllers; kwok plays nodes and pods), Git over HTTP, and the
agent as the account that deploy/ gives it. Nothing outlives the demo.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.controlplane.install import install
from tests.controlplane.plane import ControlPlane, control_plane
from tests.controlplane.programs import find_programs
from tests.servers import Server, git_http, running

NAMESPACE = "gitops-bot"
APP = "churn-mlops-staging"
STAGING = "argocd/staging"
ORIGIN = "https://github.com/acme/churn-mlops-prod"
_WITHIN = 120.0
_ROOT = Path(__file__).parents[1]


class Bringing:
    """The control plane's programs, being brought while the first half is shown, where they are not there yet."""

    def __init__(self) -> None:
        self._process = None
        if not find_programs():
            command = [sys.executable, "-m", "tests.controlplane.programs"]
            with tempfile.NamedTemporaryFile() as log:
                self._told = open(log.name)  # noqa: SIM115 - read in `wait`, and the file has no name any more
                self._process = subprocess.Popen(
                    command, cwd=_ROOT, stdout=subprocess.DEVNULL, stderr=log, start_new_session=True
                )

    def wait(self) -> Path:
        """The folder with the programs, once they are there. Raises SystemExit when they cannot be brought."""
        if self._process is not None:
            print(
                "Its programs are brought once: downloaded, or built where that cannot be, which takes minutes.",
                flush=True,
            )
            ended = False
            while not ended:
                ended = self._process.poll() is not None
                for line in self._told.readlines():
                    if not line.startswith("go: downloading"):
                        print(f"  {line}", end="", flush=True)
                time.sleep(0 if ended else 0.5)
            if self._process.returncode:
                raise SystemExit("They could not be brought, for the reason above.")
        programs = find_programs()
        assert programs is not None
        return programs

    def stop(self) -> None:
        """Give up what nobody waits for, the compiler too."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)


class Cluster:
    """A cluster with an agent in it, and the repository that it follows."""

    def __init__(self, plane: ControlPlane, repository: Path, served: Path) -> None:
        self.plane = plane
        self.repository = repository
        self._served = served

    def push(self) -> str:
        """Let the Git host have the repository's main branch; its commit."""
        subprocess.run(["git", "push", "--quiet", str(self._served), "main"], cwd=self.repository, check=True)
        found = subprocess.run(
            ["git", "rev-parse", "main"], cwd=self.repository, check=True, capture_output=True, text=True
        )
        return found.stdout.strip()

    def application(self) -> dict[str, Any]:
        """The Application's status as the agent tells it, empty before it does."""
        path = f"/apis/argoproj.io/v1alpha1/namespaces/{NAMESPACE}/applications/{APP}"
        try:
            status: dict[str, Any] = self.plane.request("GET", path).get("status") or {}
        except urllib.error.HTTPError:
            return {}
        return status

    def deployment(self) -> dict[str, Any]:
        """The Deployment of the API."""
        found: dict[str, Any] = self.plane.request("GET", f"/apis/apps/v1/namespaces/{APP}/deployments/churn-api")
        return found

    def scale(self, replicas: int) -> None:
        """What `kubectl scale` does."""
        path = f"/apis/apps/v1/namespaces/{APP}/deployments/churn-api/scale"
        body = {"spec": {"replicas": replicas}}
        self.plane.request("PATCH", path, body, content_type="application/merge-patch+json")

    def follow(self, done: Callable[[dict[str, Any]], bool]) -> None:
        """Tell every change of the Application's state until it is as wanted."""
        begun, told = time.monotonic(), ""
        while time.monotonic() - begun < _WITHIN:
            status = self.application()
            line = _state(status)
            if line != told:
                told = line
                print(f"  {time.monotonic() - begun:5.1f} s  {line}", flush=True)
            if done(status):
                return
            time.sleep(0.05)
        raise SystemExit("the agent has not done it in time")

    def settled(self, commit: str) -> Callable[[dict[str, Any]], bool]:
        """Whether the Application is synced to a commit, and healthy."""

        def done(status: dict[str, Any]) -> bool:
            sync, health = status.get("sync") or {}, status.get("health") or {}
            state = (sync.get("status"), sync.get("revision"), health.get("status"))
            return state == ("Synced", commit, "Healthy")

        return done

    def healed(self, replicas: int) -> None:
        """Wait until the Deployment has as many replicas as Git says."""
        begun = time.monotonic()
        while self.deployment()["spec"]["replicas"] != replicas:
            if time.monotonic() - begun > _WITHIN:
                raise SystemExit("the agent has not healed it in time")
            time.sleep(0.02)
        print(f"  {time.monotonic() - begun:5.1f} s  {replicas} replicas again", flush=True)


def _state(status: dict[str, Any]) -> str:
    sync, health = status.get("sync") or {}, status.get("health") or {}
    words = (sync.get("status", ""), health.get("status", ""), sync.get("revision", "")[:8])
    return " ".join(word for word in words if word) or "not there yet"


@contextmanager
def cluster(programs: Path, repository: Path, folder: Path) -> Iterator[Cluster]:
    """A control plane with the agent in it, following the repository's main branch."""
    with ExitStack() as stack:
        server = stack.enter_context(running(Server()))
        served = folder / "served"
        subprocess.run(["git", "init", "--quiet", "--bare", str(served / "churn-mlops-prod")], check=True)
        server.routes["/git/"] = git_http(served)
        url = f"{server.url}/git/churn-mlops-prod"
        _follow(repository, url)
        directory = folder / "control-plane"
        directory.mkdir()
        plane = stack.enter_context(control_plane(programs, directory))
        kubeconfig = install(plane, folder / "agent.kubeconfig")
        log = stack.enter_context((folder / "agent.log").open("w"))
        environment = {**os.environ, "NO_PROXY": "127.0.0.1"}
        agent = subprocess.Popen(
            [sys.executable, "-m", "gitops_bot", "agent", "run", "--environment", "staging", "--repo", url,
             "--path", STAGING, "--revision", "main", "--kubeconfig", str(kubeconfig), "--poll", "2s"],
            stdout=log, stderr=log, env=environment,
        )  # fmt: skip
        stack.callback(_end, agent)
        yield Cluster(plane, repository, served / "churn-mlops-prod")


def _follow(repository: Path, url: str) -> None:
    """Let the Git host of the demo stand for GitHub: as the repository's remote, and in the Applications."""
    subprocess.run(["git", "remote", "add", "origin", url], cwd=repository, check=True)
    for file in sorted((repository / "argocd").rglob("*.yaml")):
        file.write_text(file.read_text().replace(ORIGIN, url))


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
