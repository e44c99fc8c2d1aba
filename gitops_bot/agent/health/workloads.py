"""Deployments, StatefulSets, DaemonSets and ReplicaSets: whether a rollout is done, under way, or stuck. Pure.

The rules are Argo CD's (application-semantics 3), which are those of ``kubectl rollout status``; what is ours says so.
"""

from __future__ import annotations

from gitops_bot.agent.health.subject import Subject, at, number, text
from gitops_bot.agent.health.verdict import UNSEEN, Health


def deployment(subject: Subject) -> Health:
    """Degraded when its deadline has passed, or (ours) as soon as pods cannot be created: by quota, by admission."""
    if subject.spec.get("paused") is True:
        return Health("Suspended", "the rollout is paused")
    if subject.unseen:
        return UNSEEN
    progressing = subject.condition("Progressing")
    if progressing and progressing.reason == "ProgressDeadlineExceeded":
        return Health("Degraded", progressing.told)
    missing = _missing(subject)
    if not missing:
        return Health("Healthy")
    # Pods that are all there need no new ones, so an old refusal does no harm.
    refused = subject.condition("ReplicaFailure", "True")
    return Health("Degraded", refused.told) if refused else Health("Progressing", missing)


def _missing(subject: Subject) -> str:
    """What a Deployment's rollout still waits for, ``""`` when it is done."""
    wanted = number(subject.spec.get("replicas"), 1)
    pods, updated, available = (
        number(subject.status.get(field)) for field in ("replicas", "updatedReplicas", "availableReplicas")
    )
    if updated < wanted:
        return f"{updated} of {wanted} pods are updated"
    if pods > updated:
        return f"old pods that have not ended yet: {pods - updated}"
    if available < updated:
        return f"{available} of {updated} updated pods are available"
    return ""


def stateful_set(subject: Subject) -> Health:
    """Progressing until its pods are ready and, down to the partition, updated; ``OnDelete`` pods are people's."""
    if not subject.observed or subject.behind:
        return UNSEEN
    wanted = number(subject.spec.get("replicas"), 1)
    ready, updated = (number(subject.status.get(field)) for field in ("readyReplicas", "updatedReplicas"))
    if ready < wanted:
        return Health("Progressing", f"{ready} of {wanted} pods are ready")
    if at(subject.spec, "updateStrategy", "type") == "OnDelete":
        return Health("Healthy", "pods are updated when somebody deletes them")
    rolling = at(subject.spec, "updateStrategy", "rollingUpdate")
    if rolling is not None:
        asked = wanted - number(at(subject.spec, "updateStrategy", "rollingUpdate", "partition"))
        return Health("Progressing", f"{updated} of {asked} pods are updated") if updated < asked else Health("Healthy")
    if text(subject.status.get("updateRevision")) != text(subject.status.get("currentRevision")):
        return Health("Progressing", f"{updated} of {wanted} pods are updated")
    return Health("Healthy")


def daemon_set(subject: Subject) -> Health:
    """Progressing until every node that shall have a pod has an updated and available one."""
    if subject.unseen:
        return UNSEEN
    wanted, updated, available = (
        number(subject.status.get(field))
        for field in ("desiredNumberScheduled", "updatedNumberScheduled", "numberAvailable")
    )
    if at(subject.spec, "updateStrategy", "type") == "OnDelete":
        return Health("Healthy", "pods are updated when somebody deletes them")
    if updated < wanted:
        return Health("Progressing", f"{updated} of {wanted} pods are updated")
    if available < wanted:
        return Health("Progressing", f"{available} of {wanted} pods are available")
    return Health("Healthy")


def replica_set(subject: Subject) -> Health:
    """Degraded while pods cannot be created, Progressing until all are available."""
    if subject.unseen:
        return UNSEEN
    refused = subject.condition("ReplicaFailure", "True")
    if refused:
        return Health("Degraded", refused.told)
    wanted, available = number(subject.spec.get("replicas"), 1), number(subject.status.get("availableReplicas"))
    if available < wanted:
        return Health("Progressing", f"{available} of {wanted} pods are available")
    return Health("Healthy")
