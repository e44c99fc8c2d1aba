"""The order in which Argo CD applies objects, and a rendering fit to be printed."""

from __future__ import annotations

from gitops_bot.manifests import yaml
from gitops_bot.manifests.documents import decode, holds_secret, split
from gitops_bot.manifests.objects import Head, expand
from gitops_bot.manifests.redact import mask

_KINDS = (
    "Namespace", "NetworkPolicy", "ResourceQuota", "LimitRange", "PodSecurityPolicy", "PodDisruptionBudget",
    "ServiceAccount", "Secret", "SecretList", "ConfigMap", "StorageClass", "PersistentVolume",
    "PersistentVolumeClaim", "CustomResourceDefinition", "ClusterRole", "ClusterRoleList", "ClusterRoleBinding",
    "ClusterRoleBindingList", "Role", "RoleList", "RoleBinding", "RoleBindingList", "Service", "DaemonSet", "Pod",
    "ReplicationController", "ReplicaSet", "Deployment", "HorizontalPodAutoscaler", "StatefulSet", "Job", "CronJob",
    "IngressClass", "Ingress", "APIService",
)  # fmt: skip
"""Argo CD's order of kinds inside a wave; any other kind comes last."""
_RANKS = {kind: rank for rank, kind in enumerate(_KINDS)}


def sort_key(head: Head) -> tuple[int, str, str, str, str]:
    """What sorts objects into Argo CD's kind order, then by kind, group, namespace and name."""
    return _RANKS.get(head.kind, len(_KINDS)), head.kind, head.group, head.namespace, head.name


def mask_stream(stream: bytes) -> bytes:
    """A rendered stream, documents as they are, but every Secret masked.

    A document that holds a Secret is written anew as YAML, one document for each of its objects, and so is one that
    cannot be told from it. Raises YamlError for such a document when it cannot be read.
    """
    stream = decode(stream)
    out: list[bytes] = []
    for document in split(stream):
        marker = b"" if document.text.startswith((b"--- ", b"---\t")) else b"---\n"
        if not holds_secret(document.text):
            out.append(marker + document.text)
            continue
        objects, strange = expand(yaml.load_all(document.text))
        if strange:
            out.append(f"---\n# a document that {strange}, left out because it may hold a Secret\n".encode())
        out += [b"---\n" + yaml.dump(mask(body)).encode() for body in objects]
    return b"".join(out)
