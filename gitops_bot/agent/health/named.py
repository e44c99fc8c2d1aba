"""Custom resources that have a rule of their own. Pure.

What they mean is Argo CD's (its ``resource_customizations``, application-semantics 3); what is ours says so.
A condition that speaks of an older generation of the object is not believed (ours).
"""

from __future__ import annotations

from typing import get_args

from gitops_bot.agent.health.generic import failed
from gitops_bot.agent.health.subject import Condition, Subject, at, generation, mapping, number, text
from gitops_bot.agent.health.verdict import UNSEEN, Health, Status

_ROLLOUT: dict[str, Status] = {
    "Healthy": "Healthy", "Paused": "Suspended", "Progressing": "Progressing", "Degraded": "Degraded",
}  # fmt: skip
_WORKFLOW: dict[str, Status] = {
    "": "Progressing", "Pending": "Progressing", "Running": "Progressing",
    "Succeeded": "Healthy", "Failed": "Degraded", "Error": "Degraded",
}  # fmt: skip


def sealed_secret(subject: Subject) -> Health:
    """Degraded when it cannot be unsealed."""
    return UNSEEN if subject.behind else _by(subject.condition("Synced"), "not unsealed yet")


def external_secret(subject: Subject) -> Health:
    """Degraded when the provider does not give the secret; Progressing until its newest specification was synced."""
    ready = subject.condition("Ready")
    # ``syncedResourceVersion`` is the generation that was synced, a dash, and a hash.
    synced = generation(text(subject.status.get("syncedResourceVersion")).partition("-")[0])
    old = synced is not None and synced < subject.generation and subject.spec.get("refreshPolicy") != "CreatedOnce"
    if ready and ready.status == "True" and old:
        return Health("Progressing", "not synced since its specification changed")
    return _by(ready, "not synced yet")


def certificate(subject: Subject) -> Health:
    """Progressing while it is issued or renewed, else as its ``Ready`` says."""
    issuing = subject.condition("Issuing", "True")
    return Health("Progressing", issuing.told) if issuing else _by(subject.condition("Ready"), "not issued yet")


def _by(condition: Condition | None, waiting: str) -> Health:
    """True is Healthy, False Degraded; otherwise it is waited for."""
    if condition is None:
        return Health("Progressing", waiting)
    if condition.stale:
        return UNSEEN
    match condition.status:
        case "True":
            return Health("Healthy", condition.told)
        case "False":
            return Health("Degraded", condition.told)
    return Health("Progressing", condition.told)


def inference_service(subject: Subject) -> Health:
    """KServe: Healthy when it serves the model that was asked for, Degraded when that model cannot be loaded.

    Ours: a model that is still loading, and pods that are not there yet, are Progressing although ``Ready`` is False;
    Argo CD calls every condition that is False Degraded.
    """
    if subject.condition("Stopped", "True"):
        return Health("Suspended", "stopped")
    if subject.behind:
        return UNSEEN
    transition = text(at(subject.status, "modelStatus", "transitionStatus"))
    if transition in ("BlockedByFailedLoad", "InvalidSpec"):
        # Its message may be the end of a container's log.
        reason = text(at(subject.status, "modelStatus", "lastFailureInfo", "reason"))
        return Health("Degraded", f"the model is not loaded: {reason or transition}")
    if transition == "InProgress":
        return Health("Progressing", "the model is loading")
    broken = next((one for one in subject.conditions.values() if one.status == "False" and failed(one.reason)), None)
    if broken:
        return Health("Degraded", f"{broken.type}: {broken.told}")
    ready = subject.condition("Ready")
    if ready and ready.status == "True":
        return Health("Healthy")
    return Health("Progressing", ready.told if ready else "no status yet")


def rollout(subject: Subject) -> Health:
    """Argo Rollouts: its own phase; before version 1.0, which had none, by conditions and counts."""
    # Before version 1.0 observedGeneration was a hash. One of digits alone is higher than any generation.
    if subject.status.get("observedGeneration") is None or subject.behind:
        return UNSEEN
    seen = generation(subject.annotations.get("rollout.argoproj.io/workload-generation"))
    followed = generation(subject.status.get("workloadObservedGeneration"))
    if seen is not None and followed is not None and followed < seen:
        return Health("Progressing", "the newest specification of its workload has not been seen yet")
    phase = text(subject.status.get("phase"))
    if phase:
        return Health(_ROLLOUT.get(phase, "Unknown"), text(subject.status.get("message")))
    return _rollout_without_phase(subject)


def _rollout_without_phase(subject: Subject) -> Health:
    invalid, progressing = subject.condition("InvalidSpec", "True"), subject.condition("Progressing")
    if progressing and progressing.reason in ("RolloutAborted", "ProgressDeadlineExceeded"):
        invalid = invalid or progressing
    if invalid:
        return Health("Degraded", invalid.told)
    if subject.status.get("pauseConditions") or subject.spec.get("paused") is True:
        return Health("Suspended", "the rollout is paused")
    wanted, stable = number(subject.spec.get("replicas"), 1), text(subject.status.get("stableRS"))
    updated, available = (number(subject.status.get(field)) for field in ("updatedReplicas", "availableReplicas"))
    if updated < wanted:
        return Health("Progressing", f"{updated} of {wanted} pods are updated")
    if available < updated:
        return Health("Progressing", f"{available} of {updated} updated pods are available")
    if not stable or stable != text(subject.status.get("currentPodHash")):
        return Health("Progressing", "the new pods are not the stable ones yet")
    return Health("Healthy")


def workflow(subject: Subject) -> Health:
    """Argo Workflows: its phase."""
    return Health(_WORKFLOW.get(text(subject.status.get("phase")), "Unknown"), text(subject.status.get("message")))


def application(subject: Subject) -> Health:
    """A child Application: what its own status says (ours; in Argo CD a customization that has to be added)."""
    own = mapping(subject.status.get("health"))
    status, message = text(own.get("status")), text(own.get("message"))
    if not status:
        return Health("Progressing", "not reconciled yet")
    return next((Health(known, message) for known in get_args(Status) if known == status), Health("Unknown", message))
