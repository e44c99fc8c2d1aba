"""A cluster of the user's own in place of the tests' control plane, for tests that need neither kwok nor an audit log."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import Any

from gitops_bot.doors.cluster.connect import connect
from gitops_bot.doors.cluster.objects import Objects
from gitops_bot.doors.cluster.requests import Requests
from gitops_bot.model.resource import ResourceKey
from tests.controlplane.plane import ControlPlane

_NAME = "gitops-bot-tests"
_RBAC = "rbac.authorization.k8s.io"


def own_cluster(kubeconfig: Path, directory: Path) -> ControlPlane:
    """The cluster of a kubeconfig, whatever its kind of login; an account of the tests' own is made there.

    The account is an administrator: tests make namespaces, definitions and roles.
    """
    account: dict[str, Any] = {
        "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": _NAME, "namespace": "kube-system"},
    }  # fmt: skip
    binding: dict[str, Any] = {
        "apiVersion": f"{_RBAC}/v1", "kind": "ClusterRoleBinding", "metadata": {"name": _NAME},
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": _NAME, "namespace": "kube-system"}],
    }  # fmt: skip
    with contextlib.closing(connect(str(kubeconfig))) as connection:
        objects = Objects(Requests(connection))
        objects.apply(account, ResourceKey("", "ServiceAccount", "kube-system", _NAME), _NAME)
        objects.apply(binding, ResourceKey(_RBAC, "ClusterRoleBinding", "", _NAME), _NAME)
        asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 7200}}
        path = f"/api/v1/namespaces/kube-system/serviceaccounts/{_NAME}/token"
        token = objects.requests.once("POST", path, asked).body["status"]["token"]
        certificate = directory / "authority.crt"
        shutil.copyfile(connection.pool.ca_certs, certificate)
        plane = ControlPlane(directory, connection.url, certificate, token)
    plane.write_kubeconfig(plane.kubeconfig, token)
    return plane
