"""Other kinds of Kubernetes: volumes, services, ingresses, autoscalers, APIs. Pure.

The rules are Argo CD's (application-semantics 3); what is ours says so.
"""

from __future__ import annotations

import json
from datetime import timedelta

from gitops_bot.agent.health.subject import Condition, Subject, at, conditions_of, mappings, text
from gitops_bot.agent.health.verdict import Health

ADDRESS_PATIENCE = timedelta(minutes=5)
"""How long an Ingress is waited for that has no address: clouds take minutes for their load balancers."""
_HPA_CONDITIONS = "autoscaling.alpha.kubernetes.io/conditions"
_HPA_BROKEN = frozenset(
    {
        ("AbleToScale", "FailedGetScale"),
        ("AbleToScale", "FailedUpdateScale"),
        ("ScalingActive", "FailedComputeMetricsReplicas"),
        ("ScalingActive", "FailedGetExternalMetric"),
        ("ScalingActive", "FailedGetObjectMetric"),
        ("ScalingActive", "FailedGetPodsMetric"),
        ("ScalingActive", "FailedGetResourceMetric"),
        ("ScalingActive", "InvalidSelector"),
    }
)


def volume_claim(subject: Subject) -> Health:
    """Degraded when its volume is lost, Progressing until it is bound."""
    match text(subject.status.get("phase")):
        case "Bound":
            return Health("Healthy")
        case "Lost":
            return Health("Degraded", "the volume is gone")
        case "Pending" | "":
            return Health("Progressing", "no volume is bound yet; some storage classes wait for a pod that uses it")
        case phase:
            return Health("Unknown", f"phase {phase}")


def service(subject: Subject) -> Health:
    """Healthy; a load balancer only when it has an address."""
    if subject.spec.get("type") == "LoadBalancer" and not at(subject.status, "loadBalancer", "ingress"):
        return Health("Progressing", "the load balancer has no address yet")
    return Health("Healthy")


def ingress(subject: Subject) -> Health:
    """Healthy when it has an address, or (ours) when it has had time enough to get one.

    Many ingress controllers never publish an address, and nothing in the object tells them from those that do.
    """
    if at(subject.status, "loadBalancer", "ingress"):
        return Health("Healthy")
    age = subject.now - subject.created if subject.created else ADDRESS_PATIENCE
    if age < ADDRESS_PATIENCE:
        # A creation that lies in the future comes from a clock that runs ahead; it is no reason to wait longer.
        wait = min(ADDRESS_PATIENCE - age, ADDRESS_PATIENCE)
        return Health("Progressing", "no address is published yet", subject.now + wait)
    return Health("Healthy", "no address is published; not every ingress controller does")


def autoscaler(subject: Subject) -> Health:
    """Degraded when it cannot scale or read its metrics, Healthy when it can; ``autoscaling/v1`` annotates it."""
    conditions = subject.conditions or _annotated(subject.annotations.get(_HPA_CONDITIONS))
    for condition in conditions.values():
        if (condition.type, condition.reason) in _HPA_BROKEN:
            return Health("Degraded", condition.told)
    for kind in ("AbleToScale", "ScalingLimited"):
        able = conditions.get(kind)
        if able and able.status == "True":
            return Health("Healthy", able.told)
    return Health("Progressing", "not scaled yet")


def _annotated(value: object) -> dict[str, Condition]:
    try:
        return conditions_of(mappings(json.loads(text(value) or "[]")))
    except (ValueError, RecursionError):
        return {}


def api_service(subject: Subject) -> Health:
    """Healthy while it is available."""
    available = subject.condition("Available")
    if not available:
        return Health("Progressing", "not tried yet")
    return Health("Healthy" if available.status == "True" else "Progressing", available.told)


def custom_resource_definition(subject: Subject) -> Health:
    """Healthy when the API server serves it, Degraded when its names are taken (ours, as kstatus)."""
    taken = subject.condition("NamesAccepted", "False")
    if taken:
        return Health("Degraded", taken.told)
    if subject.condition("Established", "True"):
        return Health("Healthy")
    return Health("Progressing", "the API server does not serve it yet")
