"""The control plane of a test run: started by the first test that needs it, shared by all workers, ended with the run."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.controlplane.plane import ControlPlane
from tests.controlplane.programs import find_programs

_PROGRAMS = find_programs()
"""Looked up before the home is hidden."""
_ROOT = Path(__file__).parents[2]
_WITHIN = 120.0


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> ControlPlane:
    """A real Kubernetes API server with its controllers and kwok. Every test makes namespaces of its own in it."""
    if _PROGRAMS is None:
        pytest.skip("no control plane is built; tests/controlplane/build.sh (needs Go, eight minutes, once)")
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    owner = os.getppid() if os.environ.get("PYTEST_XDIST_WORKER") else os.getpid()
    directory = shared / "control-plane"
    with (shared / "control-plane.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not directory.exists():
            directory.mkdir()
            subprocess.Popen(
                [sys.executable, "-m", "tests.controlplane.serve", str(_PROGRAMS), str(directory), str(owner)],
                cwd=_ROOT, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        return _wait(directory)


def _wait(directory: Path) -> ControlPlane:
    end = time.monotonic() + _WITHIN
    while not (directory / "ready.json").exists():
        failed = directory / "failed"
        if failed.exists() or time.monotonic() > end:
            pytest.fail(f"the control plane did not start: {failed.read_text() if failed.exists() else 'no word'}")
        time.sleep(0.05)
    told = json.loads((directory / "ready.json").read_text())
    return ControlPlane(directory, told["url"], Path(told["certificate"]), told["token"])
