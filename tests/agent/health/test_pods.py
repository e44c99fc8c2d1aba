"""Pods and Jobs."""

from __future__ import annotations

from typing import Any

import pytest

from tests.agent.health.cases import Case, check, conditions, judged, met, status, table

STARTED = {"running": {"startedAt": "2026-08-14T09:12:45Z"}}
NOT_READY = met("Ready", "False", "ContainersNotReady", "containers with unready status: [api]", lastProbeTime=None)


def container(state: dict[str, Any], last: dict[str, Any] | None = None, *, name="api", ready=False) -> dict[str, Any]:
    return {
        "name": name, "image": "ghcr.io/acme/churn-api:sha-abc1234", "imageID": "", "ready": ready, "started": ready,
        "restartCount": 1 if last else 0, "state": state, "lastState": last or {},
    }  # fmt: skip


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"waiting": {"reason": reason, **({"message": message} if message else {})}}


def ended(code: int, reason: str = "Error", message: str = "") -> dict[str, Any]:
    told = {"message": message} if message else {}
    return {"terminated": {"exitCode": code, "reason": reason, "containerID": "containerd://91ab", **told}}


def unready(*containers: dict[str, Any], init: list[dict[str, Any]] | None = None, phase="Running") -> dict[str, Any]:
    more = {"initContainerStatuses": init} if init is not None else {}
    return conditions(NOT_READY, phase=phase, containerStatuses=list(containers), **more)


BACK_OFF = "back-off 2m40s restarting failed container=api pod=churn-api-0_churn-mlops-staging(0b8f6c1e)"
LOOPING = container(waiting("CrashLoopBackOff", BACK_OFF), ended(137, "OOMKilled"))
NO_IMAGE = container(
    waiting("ImagePullBackOff", 'Back-off pulling image "ghcr.io/acme/churn-api:sha-abc1234": not found')
)
TASK = {"spec": {"restartPolicy": "Never"}}
AS_SERVICE = {"metadata": {"annotations": {"argocd.argoproj.io/ignore-restart-policy": "true"}}, **TASK}


@table(
    ("ready", {}, "Healthy"),
    ("not scheduled", {"spec": {"nodeName": None}, **conditions(met("PodScheduled", "False", "Unschedulable", "0/4 nodes are available: 4 Insufficient cpu."), phase="Pending", containerStatuses=None, initContainerStatuses=None)}, "Progressing", "Insufficient cpu"),
    ("containers are created", unready(container(waiting("ContainerCreating")), phase="Pending"), "Progressing"),
    ("no phase yet", {"status": None}, "Progressing"),
    ("readiness probe fails", unready(container(STARTED)), "Progressing", "unready status: [api]"),
    ("readiness never told", conditions(), "Progressing"),
    ("crash loop", unready(LOOPING), "Degraded", "container api: CrashLoopBackOff: ended with exit code 137 (OOMKilled)"),
    ("image is not there", unready(NO_IMAGE, phase="Pending"), "Degraded", "container api: ImagePullBackOff: Back-off pulling image"),
    ("image cannot be pulled", unready(container(waiting("ErrImagePull", "denied")), phase="Pending"), "Degraded", "ErrImagePull: denied"),
    ("image name is no name", unready(container(waiting("InvalidImageName")), phase="Pending"), "Degraded", "InvalidImageName"),
    ("registry does not answer", unready(container(waiting("RegistryUnavailable")), phase="Pending"), "Degraded"),
    ("image is not signed", unready(container(waiting("SignatureValidationFailed")), phase="Pending"), "Degraded"),
    ("image went after a crash", unready(container(waiting("ImagePullBackOff", "not found"), ended(1))), "Degraded", "ImagePullBackOff: not found"),
    ("crash loop, and nothing is known of the crash", unready(container(waiting("CrashLoopBackOff", BACK_OFF))), "Degraded", "restarting failed container"),
    ("secret is not there", unready(container(waiting("CreateContainerConfigError", 'secret "mlflow" not found')), phase="Pending"), "Degraded", 'secret "mlflow" not found'),
    ("two cannot start", unready(LOOPING, container(waiting("ErrImagePull"), name="proxy")), "Degraded", "; container proxy: ErrImagePull"),
    # An init container that crashes is as bad as any other.
    ("init crash loop", unready(container(waiting("PodInitializing")), init=[container(waiting("CrashLoopBackOff", BACK_OFF), ended(1), name="fetch-model")], phase="Pending"), "Degraded", "init container fetch-model: CrashLoopBackOff: ended with exit code 1 (Error)"),
    ("init image is not there", unready(container(waiting("PodInitializing")), init=[container(waiting("ErrImagePull"), name="fetch-model")], phase="Pending"), "Degraded", "init container fetch-model: ErrImagePull"),
    ("init runs", unready(container(waiting("PodInitializing")), init=[container(STARTED, name="fetch-model")], phase="Pending"), "Progressing"),
    ("init runs again", unready(container(waiting("PodInitializing")), init=[container(STARTED, ended(1), name="fetch-model")], phase="Pending"), "Progressing"),
    ("restarted, not ready again", unready(container(STARTED, ended(2))), "Degraded", "container api ended with exit code 2 (Error), and the pod is not ready"),
    ("restarted, ready again", status(containerStatuses=[container(STARTED, ended(2), ready=True)]), "Healthy"),
    ("init failed once, then the model loads", unready(container(STARTED), init=[container(ended(0, "Completed"), ended(1), name="fetch-model", ready=True)]), "Progressing"),
    ("sidecar restarted, not ready", unready(container(STARTED, ready=True), init=[container(STARTED, ended(1), name="proxy")]), "Degraded", "init container proxy ended"),
    ("succeeded", status(phase="Succeeded", containerStatuses=[container(ended(0, "Completed"))]), "Healthy"),
    ("failed", status(phase="Failed", containerStatuses=[container(ended(3))]), "Degraded", "container api ended with exit code 3 (Error)"),
    ("failed without memory", status(phase="Failed", containerStatuses=[container(ended(0, "OOMKilled"))]), "Degraded", "OOMKilled"),
    ("failed in init", status(phase="Failed", initContainerStatuses=[container(ended(4), name="fetch-model")], containerStatuses=[container(waiting("PodInitializing"))]), "Degraded", "init container fetch-model ended with exit code 4"),
    ("evicted", status(phase="Failed", reason="Evicted", message="The node was low on resource: memory.", containerStatuses=None, initContainerStatuses=None), "Degraded", "low on resource"),
    ("lost with its node", status(phase="Failed", reason="NodeLost", containerStatuses=None, initContainerStatuses=None), "Degraded", "NodeLost"),
    ("node does not answer", status(phase="Unknown"), "Unknown"),
    ("task runs", TASK, "Progressing"),
    ("task runs, on failure again", {"spec": {"restartPolicy": "OnFailure"}}, "Progressing"),
    ("task waits for its image", {**TASK, **unready(NO_IMAGE, phase="Pending")}, "Progressing"),
    ("task is done", {**TASK, **status(phase="Succeeded")}, "Healthy"),
    ("task failed", {**TASK, **status(phase="Failed")}, "Degraded"),
    ("task judged as a service", AS_SERVICE, "Healthy"),
    ("task judged as a service waits for its image", {**AS_SERVICE, **unready(NO_IMAGE)}, "Degraded"),
    ("task not judged as a service", {"metadata": {"annotations": {"argocd.argoproj.io/ignore-restart-policy": "false"}}, **TASK}, "Progressing"),
    ("hook is never judged as a service", {"metadata": {"annotations": {"argocd.argoproj.io/ignore-restart-policy": "true", "argocd.argoproj.io/hook": "PostSync"}}, **TASK}, "Progressing"),
)  # fmt: skip
def test_pod(case):
    check("pod", case)


@pytest.mark.parametrize("phase", ["Running", "Failed", "Pending"])
def test_what_a_container_wrote_is_not_told(phase):
    """``terminationMessagePolicy: FallbackToLogsOnError`` puts the end of the log there."""
    log = ended(1, message="connecting with password hunter2")
    body = unready(container(waiting("CrashLoopBackOff"), log), container(log, log, name="proxy"), phase=phase)
    health = judged("pod", Case("", body, None))
    assert health
    assert health.status == "Degraded"
    assert "hunter2" not in health.message


def test_a_crash_loop_reads_the_same_at_every_restart():
    """The kubelet's message holds its back-off, 10s to 5m."""
    told = {
        judged("pod", Case("", unready(container(waiting("CrashLoopBackOff", f"back-off {wait}"), ended(1))), None))
        for wait in ("10s", "20s", "5m0s")
    }
    assert len(told) == 1


SUSPENDED = met("Suspended", "True", "JobSuspended", "Job suspended")
RESUMED = met("Suspended", "False", "JobResumed", "Job resumed")
COMPLETE = met("Complete", "True", "CompletionsReached", "Reached expected number of succeeded pods")
FAILED = met("Failed", "True", "BackoffLimitExceeded", "Job has reached the specified backoff limit")


@table(
    ("runs", {}, "Progressing", "pods that run: 1"),
    ("not started", {"status": None}, "Progressing"),
    ("complete", conditions(COMPLETE, active=None, succeeded=1), "Healthy", "Reached expected"),
    ("not complete", conditions({**COMPLETE, "status": "False"}), "Progressing"),
    ("failed", conditions(FAILED, active=None, failed=7), "Degraded", "backoff limit"),
    ("failed is False", conditions({**FAILED, "status": "False"}), "Progressing"),
    ("about to fail", conditions(met("FailureTarget", "True", "BackoffLimitExceeded")), "Progressing"),
    ("suspended", {"spec": {"suspend": True}, **conditions(SUSPENDED, active=None)}, "Suspended", "Job suspended"),
    ("resumed", conditions(RESUMED), "Progressing", "pods that run: 1"),
    ("resumed, then complete", conditions(RESUMED, COMPLETE, active=None, succeeded=1), "Healthy"),
    ("resumed, then failed", conditions(RESUMED, FAILED, active=None, failed=7), "Degraded"),
)  # fmt: skip
def test_job(case):
    check("job", case)
