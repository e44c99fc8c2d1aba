"""The order in which Argo CD applies kinds inside a wave (application-semantics 2.10)."""

from __future__ import annotations

KINDS = (
    "Namespace", "NetworkPolicy", "ResourceQuota", "LimitRange", "PodSecurityPolicy", "PodDisruptionBudget",
    "ServiceAccount", "Secret", "SecretList", "ConfigMap", "StorageClass", "PersistentVolume",
    "PersistentVolumeClaim", "CustomResourceDefinition", "ClusterRole", "ClusterRoleList", "ClusterRoleBinding",
    "ClusterRoleBindingList", "Role", "RoleList", "RoleBinding", "RoleBindingList", "Service", "DaemonSet", "Pod",
    "ReplicationController", "ReplicaSet", "Deployment", "HorizontalPodAutoscaler", "StatefulSet", "Job", "CronJob",
    "IngressClass", "Ingress", "APIService",
)  # fmt: skip
"""Argo CD's order of kinds inside a wave; any other kind comes last."""
_RANKS = {kind: rank for rank, kind in enumerate(KINDS)}


def rank(kind: str) -> int:
    """The place of a kind in the order; one number behind all of them for every other kind."""
    return _RANKS.get(kind, len(KINDS))
