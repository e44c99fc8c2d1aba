"""Metadata of objects in a cluster, for tests of what is decided by it."""

from __future__ import annotations

from gitops_bot.agent.ownership.identity import PART_OF, TRACKING_ID, App, tracking_id
from gitops_bot.agent.values import Live
from gitops_bot.model.resource import ResourceKey

APP, OTHER = App("shop", "gitops"), App("other", "gitops")
LABEL = APP.id
GROUPS = {"Deployment": "apps", "StatefulSet": "apps", "CustomResourceDefinition": "apiextensions.k8s.io",
          "ReplicaSet": "apps", "ClusterRole": "rbac.authorization.k8s.io"}  # fmt: skip
CLUSTERED = ("Namespace", "CustomResourceDefinition", "ClusterRole")


def key(kind: str = "ConfigMap", name: str = "cm", namespace: str = "shop") -> ResourceKey:
    return ResourceKey(GROUPS.get(kind, ""), kind, "" if kind in CLUSTERED else namespace, name)


def tracking(of: ResourceKey, app: App = APP) -> str:
    return tracking_id(app, of, "shop")


def live(
    of: ResourceKey,
    *,
    label: str | None = LABEL,
    id_: str | None = None,
    owned: bool = False,
    deleting: bool = False,
    **annotations: str,
) -> Live:
    """An object of the Application ``shop``, unless something says otherwise; ``annotations`` by their last part."""
    known = {"sync": "argocd.argoproj.io/sync-options", "policy": "helm.sh/resource-policy"}
    written = {known[name]: text for name, text in annotations.items()}
    return Live(
        key=of,
        api_version="v1",
        uid=str(of),
        resource_version="1",
        labels={} if label is None else {PART_OF: label},
        annotations={TRACKING_ID: tracking(of) if id_ is None else id_, **written},
        owned=owned,
        deleting=deleting,
    )
