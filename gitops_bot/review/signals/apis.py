"""API versions that Kubernetes stopped serving, and since when.

The table is the Kubernetes project's own list, "Deprecated API Migration Guide"
(https://kubernetes.io/docs/reference/using-api/deprecation-guide/), and for the newest minor versions the API's
published OpenAPI schemas, with which a test compares it.
"""

from __future__ import annotations

import re

from gitops_bot.model.resource import ResourceKey
from gitops_bot.model.signal import Signal

_VERSION = re.compile(r"v?(\d+)\.(\d+)")

_REMOVED: dict[int, dict[str, str]] = {
    16: {
        "extensions/v1beta1": "DaemonSet Deployment NetworkPolicy PodSecurityPolicy ReplicaSet",
        "apps/v1beta1": "Deployment ReplicaSet StatefulSet",
        "apps/v1beta2": "DaemonSet Deployment ReplicaSet StatefulSet",
    },
    22: {
        "admissionregistration.k8s.io/v1beta1": "MutatingWebhookConfiguration ValidatingWebhookConfiguration",
        "apiextensions.k8s.io/v1beta1": "CustomResourceDefinition",
        "apiregistration.k8s.io/v1beta1": "APIService",
        "authentication.k8s.io/v1beta1": "TokenReview",
        "authorization.k8s.io/v1beta1": "LocalSubjectAccessReview SelfSubjectAccessReview SubjectAccessReview",
        "certificates.k8s.io/v1beta1": "CertificateSigningRequest",
        "coordination.k8s.io/v1beta1": "Lease",
        "extensions/v1beta1": "Ingress",
        "networking.k8s.io/v1beta1": "Ingress IngressClass",
        "rbac.authorization.k8s.io/v1beta1": "ClusterRole ClusterRoleBinding Role RoleBinding",
        "scheduling.k8s.io/v1beta1": "PriorityClass",
        "storage.k8s.io/v1beta1": "CSIDriver CSINode StorageClass VolumeAttachment",
    },
    25: {
        "autoscaling/v2beta1": "HorizontalPodAutoscaler",
        "batch/v1beta1": "CronJob",
        "discovery.k8s.io/v1beta1": "EndpointSlice",
        "events.k8s.io/v1beta1": "Event",
        "node.k8s.io/v1beta1": "RuntimeClass",
        "policy/v1beta1": "PodDisruptionBudget PodSecurityPolicy",
    },
    26: {
        "autoscaling/v2beta2": "HorizontalPodAutoscaler",
        "flowcontrol.apiserver.k8s.io/v1beta1": "FlowSchema PriorityLevelConfiguration",
    },
    27: {"storage.k8s.io/v1beta1": "CSIStorageCapacity"},
    29: {"flowcontrol.apiserver.k8s.io/v1beta2": "FlowSchema PriorityLevelConfiguration"},
    32: {"flowcontrol.apiserver.k8s.io/v1beta3": "FlowSchema PriorityLevelConfiguration"},
    33: {"authentication.k8s.io/v1beta1": "SelfSubjectReview"},
    34: {
        "admissionregistration.k8s.io/v1beta1": "ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding",
    },
    37: {
        "networking.k8s.io/v1beta1": "IPAddress ServiceCIDR",
        "storage.k8s.io/v1beta1": "VolumeAttributesClass",
    },
}
"""Minor version of Kubernetes 1 → API version → kinds that it no longer serves under it. Alpha versions, which a
cluster serves only when told to, are left out."""

REMOVED_IN: dict[tuple[str, str], int] = {
    (api_version, kind): minor
    for minor, versions in _REMOVED.items()
    for api_version, kinds in versions.items()
    for kind in kinds.split()
}
"""(API version, kind) → the minor version of Kubernetes 1 that no longer serves it."""


def minor_version(text: str) -> int | None:
    """The minor number of ``1.36``, ``v1.36.3``, ``1.36.3-eks-1``; None for anything else."""
    match = _VERSION.match(text)
    return int(match[2]) if match and match[1] == "1" else None


def removed_api(api_version: str, key: ResourceKey, kube_version: str, risen_from: str = "") -> Signal | None:
    """The signal for an object whose API version a cluster of ``kube_version`` does not serve, else None.

    ``risen_from``: only what a cluster of that version still served counts (the change raises the version). Silent
    when the version is not known.
    """
    minor, removed = minor_version(kube_version), REMOVED_IN.get((api_version, key.kind))
    if minor is None or removed is None or removed > minor:
        return None
    before = minor_version(risen_from)
    if before is not None and removed <= before:
        return None
    raised = f", to which this change raises its cluster from 1.{before}" if before is not None else ""
    return Signal(
        id="removed-api",
        severity="error",
        message=f"{key.kind} in {api_version} is gone since Kubernetes 1.{removed}; the target runs 1.{minor}{raised}",
        group=key.group,
        kind=key.kind,
        namespace=key.namespace,
        name=key.name,
        path="apiVersion",
    )
