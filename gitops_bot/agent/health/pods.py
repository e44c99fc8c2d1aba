"""Pods and Jobs. Pure.

The rules are Argo CD's (application-semantics 3); what is ours says so. No message quotes ``terminated.message``: it
may be the end of a container's log, and with it a secret.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gitops_bot.agent.health.subject import Subject, at, mapping, mappings, number, text
from gitops_bot.agent.health.verdict import Health, Status
from gitops_bot.manifests.objects import hook_of

IGNORE_RESTART_POLICY = "argocd.argoproj.io/ignore-restart-policy"
_NO_IMAGE = frozenset({"InvalidImageName", "RegistryUnavailable", "SignatureValidationFailed"})
"""Reasons why an image cannot be had that Argo CD's pattern misses (ours)."""
_JOB: tuple[tuple[str, Status], ...] = (("Failed", "Degraded"), ("Complete", "Healthy"), ("Suspended", "Suspended"))


def pod(subject: Subject) -> Health:
    """Healthy when ready, Degraded when a container cannot start or does not stay up.

    A pod that is meant to end (restart policy ``Never`` or ``OnFailure``) is Progressing until it does: it is a hook or
    a task, and a container that waits for its image may still come to run.
    """
    lasting = _lasting(subject)
    stuck = list(_stuck(subject)) if lasting else []
    if stuck:
        return Health("Degraded", "; ".join(stuck))
    message = text(subject.status.get("message"))
    match text(subject.status.get("phase")):
        case "Pending" | "":
            scheduled = subject.condition("PodScheduled", "False")
            return Health("Progressing", message or (scheduled.told if scheduled else ""))
        case "Succeeded":
            return Health("Healthy", message)
        case "Failed":
            return Health("Degraded", message or _ended(subject) or text(subject.status.get("reason")))
        case "Running":
            return _running(subject, message) if lasting else Health("Progressing", message)
    return Health("Unknown", message)


def _lasting(subject: Subject) -> bool:
    if text(subject.spec.get("restartPolicy")) in ("", "Always"):
        return True
    return subject.annotations.get(IGNORE_RESTART_POLICY) == "true" and hook_of(subject.annotations) is None


def _running(subject: Subject, message: str) -> Health:
    if subject.condition("Ready", "True"):
        return Health("Healthy", message)
    for role, container in _containers(subject):
        ended = mapping(at(container, "lastState", "terminated"))
        # An init container that has done its work may have failed before; one beside the others still runs.
        if ended and (role == "container" or at(container, "state", "running") is not None):
            return Health("Degraded", message or f"{_called(role, container)} {_end(ended)}, and the pod is not ready")
    ready = subject.condition("Ready")
    return Health("Progressing", message or (ready.told if ready else ""))


def _stuck(subject: Subject) -> Iterator[str]:
    """What is said of each container that cannot start; of init containers too (ours)."""
    for role, container in _containers(subject):
        waiting = mapping(at(container, "state", "waiting"))
        reason = text(waiting.get("reason"))
        if reason.startswith("Err") or reason.endswith(("Error", "BackOff")) or reason in _NO_IMAGE:
            ended = mapping(at(container, "lastState", "terminated"))
            # The kubelet's own words of a crash hold a distance that grows: the same verdict would read anew each time.
            why = _end(ended) if reason == "CrashLoopBackOff" and ended else text(waiting.get("message"))
            yield f"{_called(role, container)}: {reason}" + (f": {why}" if why else "")


def _ended(subject: Subject) -> str:
    for role, container in _containers(subject):
        ended = mapping(at(container, "state", "terminated"))
        if ended.get("reason") == "OOMKilled" or number(ended.get("exitCode")):
            return f"{_called(role, container)} {_end(ended)}"
    return ""


def _containers(subject: Subject) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for role, field in (("init container", "initContainerStatuses"), ("container", "containerStatuses")):
        for container in mappings(subject.status.get(field)):
            yield role, container


def _called(role: str, container: Mapping[str, Any]) -> str:
    return f"{role} {text(container.get('name'))}".rstrip()


def _end(ended: Mapping[str, Any]) -> str:
    reason = text(ended.get("reason"))
    return f"ended with exit code {number(ended.get('exitCode'))}" + (f" ({reason})" if reason else "")


def job(subject: Subject) -> Health:
    """Degraded when failed, Healthy when complete, Suspended while suspended, otherwise Progressing.

    Ours: a condition counts only while its status is True, so a Job that was resumed is Progressing.
    """
    for kind, status in _JOB:
        condition = subject.condition(kind, "True")
        if condition:
            return Health(status, condition.told)
    active = number(subject.status.get("active"))
    return Health("Progressing", f"pods that run: {active}" if active else "")
