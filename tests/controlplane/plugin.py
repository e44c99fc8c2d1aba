"""The control plane of a test run: started by the first test that needs it, shared by all workers, ended with the run."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.controlplane.install import install
from tests.controlplane.own import own_cluster
from tests.controlplane.plane import ControlPlane
from tests.controlplane.programs import MISSING, OWN_CLUSTER, find_programs

PROGRAMS = find_programs()
"""Looked up before the home is hidden."""
_OWN = os.environ.get(OWN_CLUSTER, "")
"""A kubeconfig: then that cluster is the control plane."""
_ROOT = Path(__file__).parents[2]
_WITHIN = 120.0


class Installed(NamedTuple):
    """A control plane where the agent is installed."""

    plane: ControlPlane
    kubeconfig: Path
    """Of the agent's own account."""


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> ControlPlane:
    """A real Kubernetes API server with its controllers and kwok. Every test makes namespaces of its own in it."""
    if _OWN:
        return own_cluster(Path(_OWN), tmp_path_factory.mktemp("own-cluster"))
    if PROGRAMS is None:
        pytest.skip(MISSING)
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    owner = os.getppid() if os.environ.get("PYTEST_XDIST_WORKER") else os.getpid()
    directory = shared / "control-plane"
    with (shared / "control-plane.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not directory.exists():
            directory.mkdir()
            command = [sys.executable, "-m", "tests.controlplane.serve", str(PROGRAMS), str(directory), str(owner)]
            os.posix_spawn(sys.executable, command, {**os.environ, "PYTHONPATH": str(_ROOT)}, setsid=True)
        return _wait(directory)


@pytest.fixture(scope="session")
def installed(plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The agent's definitions, account and rights as ``deploy`` ships them; tests run as that account, never as admin."""
    kubeconfig = tmp_path_factory.mktemp("account") / "agent.kubeconfig"
    return Installed(plane, install(plane, kubeconfig))


@pytest.fixture
def place(plane: ControlPlane) -> str:
    """A namespace of the test's own."""
    name = f"test-{secrets.token_hex(5)}"
    plane.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    return name


def _wait(directory: Path) -> ControlPlane:
    end = time.monotonic() + _WITHIN
    while not (directory / "ready.json").exists():
        failed = directory / "failed"
        if failed.exists() or time.monotonic() > end:
            pytest.fail(f"the control plane did not start: {failed.read_text() if failed.exists() else 'no word'}")
        time.sleep(0.05)
    told = json.loads((directory / "ready.json").read_text())
    return ControlPlane(directory, told["url"], Path(told["certificate"]), told["token"])
