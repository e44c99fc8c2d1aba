"""The health of one object of the cluster. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from gitops_bot.agent.health import builtin, named, pods, workloads
from gitops_bot.agent.health.generic import generic
from gitops_bot.agent.health.subject import Subject, mapping, subject_of, text
from gitops_bot.agent.health.verdict import Health
from gitops_bot.manifests.normalise import is_built_in
from gitops_bot.manifests.objects import group_of

Rule = Callable[[Subject], Health]

RULES: Mapping[tuple[str, str], Rule] = {
    ("", "PersistentVolumeClaim"): builtin.volume_claim,
    ("", "Pod"): pods.pod,
    ("", "Service"): builtin.service,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): builtin.custom_resource_definition,
    ("apiregistration.k8s.io", "APIService"): builtin.api_service,
    ("apps", "DaemonSet"): workloads.daemon_set,
    ("apps", "Deployment"): workloads.deployment,
    ("apps", "ReplicaSet"): workloads.replica_set,
    ("apps", "StatefulSet"): workloads.stateful_set,
    ("argoproj.io", "Application"): named.application,
    ("argoproj.io", "Rollout"): named.rollout,
    ("argoproj.io", "Workflow"): named.workflow,
    ("autoscaling", "HorizontalPodAutoscaler"): builtin.autoscaler,
    ("batch", "Job"): pods.job,
    ("bitnami.com", "SealedSecret"): named.sealed_secret,
    ("cert-manager.io", "Certificate"): named.certificate,
    ("extensions", "Ingress"): builtin.ingress,
    ("external-secrets.io", "ExternalSecret"): named.external_secret,
    ("networking.k8s.io", "Ingress"): builtin.ingress,
    ("serving.kserve.io", "InferenceService"): named.inference_service,
}
"""By group and kind; versions do not matter."""
HOOK_FINALIZER = "argocd.argoproj.io/hook-finalizer"
"""Holds a hook that was deleted until its result has been read, so its health still counts."""
MESSAGE_LIMIT = 300
"""Characters of a message. A condition may hold 32 KiB, and an Application's status all of them."""


def has_health(group: str, kind: str) -> bool:
    """Whether objects of this kind are read in full for their health: those with a rule, and custom resources.

    Of all others the metadata is enough.
    """
    return (group, kind) in RULES or not is_built_in(f"{group}/v1")


def assess(body: Mapping[str, Any], *, now: datetime) -> Health | None:
    """The health of a live object, as the API server gives it; ``now`` is aware.

    None means that there is no rule for its kind and that no condition says anything, which counts as healthy. Objects
    of kinds without health may be given as metadata only. Nothing that stands in an object makes this raise.
    """
    metadata = mapping(body.get("metadata"))
    finalizers = metadata.get("finalizers")
    held = [text(one) for one in finalizers if text(one)] if isinstance(finalizers, list) else []
    if metadata.get("deletionTimestamp") and HOOK_FINALIZER not in held:
        return _bounded(Health("Progressing", "is being deleted" + (f"; waits for {', '.join(held)}" if held else "")))
    group, kind = group_of(text(body.get("apiVersion"))), text(body.get("kind"))
    if not has_health(group, kind):
        return None
    health = RULES.get((group, kind), generic)(subject_of(body, now=now))
    return _bounded(health) if health else None


def _bounded(health: Health) -> Health:
    message = " ".join(health.message.split())
    if len(message) > MESSAGE_LIMIT:
        message = message[: MESSAGE_LIMIT - 1] + "…"
    return health if message == health.message else msgspec.structs.replace(health, message=message)
