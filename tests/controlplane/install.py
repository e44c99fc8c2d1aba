"""Installs the agent as ``deploy`` ships it into a control plane, all but the Deployment: tests and the demo run it."""

from __future__ import annotations

import time
import urllib.error
from pathlib import Path
from typing import Any

import yaml

from tests.controlplane.plane import ControlPlane

NAMESPACE = "gitops-bot"
"""Of the agent, as ``deploy`` has it."""
_DEPLOY = Path(__file__).parents[2] / "deploy"
_WITHIN = 60.0
_PATHS = {
    "Namespace": "/api/v1/namespaces",
    "ServiceAccount": f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "CustomResourceDefinition": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
}


def install(plane: ControlPlane, kubeconfig: Path) -> Path:
    """Install it, and write the kubeconfig of its own account; that file's path."""
    for body in shipped():
        if body["kind"] != "Deployment":
            apply(plane, body)
    told = plane.request(
        "POST",
        f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/gitops-bot/token",
        {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 7200}},
    )
    return plane.write_kubeconfig(kubeconfig, told["status"]["token"])


def shipped() -> list[dict[str, Any]]:
    """The objects of ``deploy`` in the order in which they can be applied."""
    listed = yaml.safe_load((_DEPLOY / "kustomization.yaml").read_text())["resources"]
    found = [body for name in listed for body in yaml.safe_load_all((_DEPLOY / name).read_text())]
    for body in found:
        if body["kind"] in ("ServiceAccount", "Deployment"):
            body["metadata"]["namespace"] = NAMESPACE
    return found


def apply(plane: ControlPlane, body: dict[str, Any]) -> None:
    """Server-side apply as admin, until the object's kind is there."""
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
