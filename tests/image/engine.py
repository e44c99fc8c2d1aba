"""The Docker engine and the image that is built in it: `engine()` and `build(engine)`, used by the fixtures."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TAG = "gitops-bot:test"
PASSED_ON = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "PIP_CERT")
"""What the Dockerfile takes from the builder's environment in a closed network."""


class Engine:
    """A Docker engine that answers, by its own command line."""

    def __init__(self, docker: str) -> None:
        self._docker = docker
        # The tests' dead proxy is for the tests; a build fetches as the machine does, and reads no user's login.
        self._environ = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}

    def run(self, *arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[bytes]:
        """What a docker command did; ``env`` is added to the client's environment, where ``-e NAME`` looks."""
        return subprocess.run(
            [self._docker, *arguments], env={**self._environ, **(env or {})}, capture_output=True, check=False
        )

    def ask(self, *arguments: str) -> str:
        """What a docker command prints, stripped; fails the test with its message."""
        ended = self.run(*arguments)
        assert ended.returncode == 0, f"docker {' '.join(arguments)}\n{ended.stdout.decode()}{ended.stderr.decode()}"
        return ended.stdout.decode().strip()

    @property
    def socket(self) -> str | None:
        """Path of the engine's socket, None when it is reached another way."""
        path = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
        return path.removeprefix("unix://") if path.startswith("unix://") else None


def engine() -> Engine:
    """The engine of DOCKER_HOST, else the machine's own; skips the test when there is none."""
    docker = shutil.which("docker")
    if docker is None:
        pytest.skip("docker is not installed; apt-get install docker.io, or let .ci/run bring an engine")
    found = Engine(docker)
    if found.run("version").returncode != 0:
        pytest.skip("no Docker engine answers; start one, say which by DOCKER_HOST, or let .ci/run bring one")
    return found


def build(engine: Engine, lock: Path) -> str:
    """The id of the image of this checkout; the builder's layers are kept, so most of it is made once.

    ``lock`` is a file that all processes of a test run share: one builds, the others find it built. Containers and
    builds use the host's network, because an engine inside a container may have no bridge.
    """
    arguments = [part for name in PASSED_ON if os.environ.get(name) for part in ("--build-arg", name)]
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        before = engine.run("image", "inspect", "--format", "{{.Id}}", TAG).stdout.decode().strip()
        engine.ask("build", "--quiet", "--network", "host", "--tag", TAG, *arguments, str(ROOT))
        after = engine.ask("image", "inspect", "--format", "{{.Id}}", TAG)
        if before and before != after:
            engine.run("image", "rm", before)  # refused where another run still uses it
    return after
