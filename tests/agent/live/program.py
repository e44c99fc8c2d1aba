"""``gitops-bot agent run`` as a process of its own, as a pod runs it, and what may be asked of it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.agent.live.harness import WITHIN, LiveAgent, Repository

ROOT = Path(__file__).parents[3]


class Program:
    """A process that runs, or has run."""

    def __init__(self, command: list[str], folder: Path, environment: Mapping[str, str]) -> None:
        self.output, self.errors = folder / "stdout", folder / "stderr"
        with self.output.open("wb") as out, self.errors.open("wb") as err:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=folder, env=dict(environment),
                preexec_fn=_hear,  # noqa: PLW1509 - nothing but one handler
            )  # fmt: skip

    @property
    def lines(self) -> list[dict[str, Any]]:
        """What it has told: every line of its standard output is a JSON object."""
        text = self.output.read_text()
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def told(self, pattern: str) -> re.Match[str]:
        """Wait until it tells something."""
        end = time.monotonic() + WITHIN
        while True:
            for line in self.lines:
                if found := re.search(pattern, line["msg"]):
                    return found
            assert self._process.poll() is None, f"it has ended: {self.end()}\n{self.said}"
            assert time.monotonic() < end, f"it did not tell {pattern!r}:\n{self.said}"
            time.sleep(0.03)

    @property
    def said(self) -> str:
        return self.output.read_text() + self.errors.read_text()

    def ask(self, path: str, method: str = "GET") -> tuple[int, str]:
        """Status and body of one of its pages."""
        port = self.told(r"listening on port (\d+)")[1]
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)
        try:
            with opener.open(request, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    @property
    def children(self) -> dict[str, set[str]]:
        """The command line of each process that it has started → the names of that one's environment."""
        listed = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(self._process.pid)], capture_output=True, text=True, check=False
        )
        found = {}
        for pid in listed.stdout.split():
            with contextlib.suppress(OSError):
                line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
                pairs = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
                found[line] = {pair.partition(b"=")[0].decode() for pair in pairs if pair}
        return found

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def end(self, within: float = WITHIN) -> int:
        """Wait for its end; the exit code."""
        return self._process.wait(within)

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGKILL)
        self._process.wait()


def _hear() -> None:
    """Let it hear of Ctrl-C also where the tests run in the background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Programs:
    """Starts them, for one agent's namespace and account; none outlives the test."""

    def __init__(self, agent: LiveAgent, folder: Path) -> None:
        self.agent = agent
        self.folder = folder
        self._started: list[Program] = []

    def run(
        self, *options: str, repository: Repository | None = None, path: str = "apps", name: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> Program:  # fmt: skip
        """``agent run`` with these options; ``name`` is its pod's."""
        folder = self.folder / f"program-{len(self._started)}"
        folder.mkdir()
        command = [sys.executable, "-m", "gitops_bot", "agent", "run", *options]
        settings = {
            "GITOPS_BOT_ENVIRONMENT": "staging",
            "GITOPS_BOT_NAMESPACE": self.agent.namespace,
            "GITOPS_BOT_KUBECONFIG": str(self.agent.kubeconfig),
            "GITOPS_BOT_LISTEN": "127.0.0.1:0",
            "PYTHONPATH": str(ROOT),
            "POD_NAME": name or folder.name,
        }
        if repository is not None:
            settings |= {"GITOPS_BOT_REPO": repository.url, "GITOPS_BOT_PATH": path, "GITOPS_BOT_REVISION": "main"}
        self._started.append(Program(command, folder, {**os.environ, **settings, **(environment or {})}))
        return self._started[-1]

    def close(self) -> None:
        for program in self._started:
            program.kill()


@contextlib.contextmanager
def programs(agent: LiveAgent, folder: Path) -> Iterator[Programs]:
    made = Programs(agent, folder)
    try:
        yield made
    finally:
        made.close()


def definition(repository: Repository, namespace: str, name: str, path: str, **policy: Any) -> dict[str, str]:
    """The file that defines an Application of a directory of the same repository."""
    body = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": "argocd"},
        "spec": {
            "project": "default",
            "source": {"repoURL": repository.url, "targetRevision": "main", "path": path},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": namespace},
            "syncPolicy": {"automated": {"prune": True, "selfHeal": True}, **policy},
        },
    }
    return {f"apps/{name}.yaml": json.dumps(body)}
