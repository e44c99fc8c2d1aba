"""The control plane of a test run: started by the first test that needs it, shared by all workers, ended with the run."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import sys
import time
import urllib.error
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from tests.controlplane.plane import ControlPlane
from tests.controlplane.programs import find_programs

NAMESPACE = "gitops-bot"
"""Of the agent, as ``deploy`` has it."""
_PROGRAMS = find_programs()
"""Looked up before the home is hidden."""
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
            command = [sys.executable, "-m", "tests.controlplane.serve", str(_PROGRAMS), str(directory), str(owner)]
            os.posix_spawn(sys.executable, command, {**os.environ, "PYTHONPATH": str(_ROOT)}, setsid=True)
        return _wait(directory)


@pytest.fixture(scope="session")
def installed(plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The agent's definitions, account and rights as ``deploy`` ships them; tests run as that account, never as admin."""
    for body in shipped():
        if body["kind"] != "Deployment":
            _apply(plane, body)
    told = plane.request(
        "POST",
        f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/gitops-bot/token",
        {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 7200}},
    )
    path = tmp_path_factory.mktemp("account") / "agent.kubeconfig"
    return Installed(plane, plane.write_kubeconfig(path, told["status"]["token"]))


@pytest.fixture
def place(plane: ControlPlane) -> str:
    """A namespace of the test's own."""
    name = f"test-{secrets.token_hex(5)}"
    plane.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    return name


def shipped() -> list[dict[str, Any]]:
    """The objects of ``deploy`` in the order in which they can be applied."""
    deploy = _ROOT / "deploy"
    listed = yaml.safe_load((deploy / "kustomization.yaml").read_text())["resources"]
    found = [body for name in listed for body in yaml.safe_load_all((deploy / name).read_text())]
    for body in found:
        if body["kind"] in ("ServiceAccount", "Deployment", "AppProject"):
            body["metadata"]["namespace"] = NAMESPACE
    return found


_PATHS = {
    "Namespace": "/api/v1/namespaces",
    "ServiceAccount": f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "CustomResourceDefinition": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "AppProject": f"/apis/argoproj.io/v1alpha1/namespaces/{NAMESPACE}/appprojects",
}


def _apply(plane: ControlPlane, body: dict[str, Any]) -> None:
    path = f"{_PATHS[body['kind']]}/{body['metadata']['name']}?fieldManager=install&force=true"
    end = time.monotonic() + _WITHIN
    while True:
        try:
            plane.request("PATCH", path, body, content_type="application/apply-patch+yaml")
            return
        except urllib.error.HTTPError as error:
            # A kind is there a moment after its definition.
            if error.code != 404 or time.monotonic() > end:
                raise AssertionError(error.read().decode()) from error
            time.sleep(0.1)


def _wait(directory: Path) -> ControlPlane:
    end = time.monotonic() + _WITHIN
    while not (directory / "ready.json").exists():
        failed = directory / "failed"
        if failed.exists() or time.monotonic() > end:
            pytest.fail(f"the control plane did not start: {failed.read_text() if failed.exists() else 'no word'}")
        time.sleep(0.05)
    told = json.loads((directory / "ready.json").read_text())
    return ControlPlane(directory, told["url"], Path(told["certificate"]), told["token"])
