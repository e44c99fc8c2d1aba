"""Custom resources with a rule of their own."""

from __future__ import annotations

from gitops_bot.agent.health.assess import assess
from tests.agent.health.cases import NOW, check, conditions, made, met, status, table


@table(
    ("unsealed", {}, "Healthy"),
    ("cannot be unsealed", conditions(met("Synced", "False", "", "no key could decrypt secret (password)")), "Degraded", "no key could decrypt"),
    ("not tried yet", {"status": None}, "Progressing", "not unsealed yet"),
    ("neither", conditions(met("Synced", "Unknown")), "Progressing"),
    ("sealed anew", {"metadata": {"generation": 3}}, "Progressing", "newest specification"),
    ("cannot be unsealed, and sealed anew", {"metadata": {"generation": 3}, **conditions(met("Synced", "False"))}, "Progressing"),
)  # fmt: skip
def test_sealed_secret(case):
    check("sealedsecret", case)


REFUSED = met(
    "Ready", "False", "SecretSyncedError", 'could not get secret data from provider: key "teams/churn/mlflow"'
)


@table(
    ("synced", {}, "Healthy", "secret synced"),
    ("refused", conditions(REFUSED), "Degraded", "could not get secret data"),
    ("not tried yet", {"status": None}, "Progressing", "not synced yet"),
    ("neither", conditions(met("Ready", "Unknown", "", "waits")), "Progressing", "waits"),
    ("changed since", {"metadata": {"generation": 2}}, "Progressing", "since its specification changed"),
    ("changed since, and refused", {"metadata": {"generation": 2}, **conditions(REFUSED)}, "Degraded"),
    ("changed since, but created once", {"metadata": {"generation": 2}, "spec": {"refreshPolicy": "CreatedOnce"}}, "Healthy"),
    # Argo CD takes a Ready that is older than the last refresh for unfinished, for ever.
    ("refreshed again on change", {"spec": {"refreshPolicy": "OnChange"}}, "Healthy"),
    ("does not say what was synced", {"metadata": {"generation": 2}, **status(syncedResourceVersion=None)}, "Healthy"),
)  # fmt: skip
def test_external_secret(case):
    check("externalsecret", case)


NO_SECRET = met("Ready", "False", "DoesNotExist", "Issuing certificate as Secret does not exist")
ISSUING = met("Issuing", "True", "DoesNotExist", "Issuing certificate as Secret does not exist")
ISSUED = met("Ready", "True", "Ready", "Certificate is up to date and has not expired")
NOT_ISSUED = met("Issuing", "False", "Failed", "The certificate request has failed to complete")


@table(
    ("issued", {}, "Healthy", "up to date"),
    ("not tried yet", {"status": None}, "Progressing", "not issued yet"),
    ("is issued", conditions(NO_SECRET, ISSUING), "Progressing", "does not exist"),
    ("is issued, in another order", conditions(ISSUING, NO_SECRET), "Progressing"),
    ("is renewed", conditions(ISSUED, {**ISSUING, "reason": "Renewing"}), "Progressing"),
    ("was not issued", conditions(NO_SECRET, NOT_ISSUED), "Degraded", "does not exist"),
    ("names were added, not seen yet", {"metadata": {"generation": 2}, **conditions({**ISSUED, "observedGeneration": 1})}, "Progressing"),
    ("names were added and seen", {"metadata": {"generation": 2}, **conditions({**ISSUED, "observedGeneration": 2})}, "Healthy"),
)  # fmt: skip
def test_certificate(case):
    check("certificate", case)


READY = met("Ready", "True")
CRASHED = met(
    "PredictorReady", "False", "RevisionFailed", 'Revision "churn-00002" failed with message: Container failed'
)
FEW = met("Ready", "False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
WAITS = met("Ready", "Unknown", "RevisionMissing", "is waiting for a Revision to become ready")
NO_MODEL = {"modelStatus": None}


@table(
    ("serves", {}, "Healthy"),
    ("not seen yet", {"status": None}, "Progressing", "no status yet"),
    ("specification not seen", {"metadata": {"generation": 2}}, "Progressing", "newest specification"),
    ("serves, without a model's status", conditions(READY, **NO_MODEL), "Healthy"),
    ("waits for a revision", conditions(WAITS, **NO_MODEL), "Progressing", "waiting for a Revision"),
    ("revision failed", conditions(CRASHED, met("Ready", "False", "Predictor ingress not created"), **NO_MODEL), "Degraded", "PredictorReady: Revision"),
    ("pods start", conditions(FEW, **NO_MODEL), "Progressing", "minimum availability"),
    ("model is loading", conditions(FEW, modelStatus={"transitionStatus": "InProgress"}), "Progressing", "loading"),
    ("old model serves while the new one loads", status(modelStatus={"transitionStatus": "InProgress"}), "Progressing", "loading"),
    ("old model serves, the new one cannot be loaded", status(modelStatus={"transitionStatus": "BlockedByFailedLoad", "lastFailureInfo": {"reason": "ModelLoadFailed", "exitCode": 1}}), "Degraded", "the model is not loaded: ModelLoadFailed"),
    ("model specification is wrong", status(modelStatus={"transitionStatus": "InvalidSpec"}), "Degraded", "InvalidSpec"),
    ("stopped", conditions(met("PredictorReady", "False", "Stopped"), met("Ready", "False", "Stopped"), met("Stopped", "True"), **NO_MODEL), "Suspended", "stopped"),
    ("not stopped", conditions(READY, met("Stopped", "False"), **NO_MODEL), "Healthy"),
)  # fmt: skip
def test_inference_service(case):
    check("inferenceservice", case)


ABORTED = met("Progressing", "False", "RolloutAborted", "metric success-rate assessed Failed")
OLD = {"phase": None}


@table(
    ("rolled out", {}, "Healthy"),
    ("never seen", {"status": None}, "Progressing", "newest specification"),
    ("specification not seen", {"metadata": {"generation": 5}}, "Progressing", "newest specification"),
    ("paused at a step", status(phase="Paused", message="CanaryPauseStep"), "Suspended", "CanaryPauseStep"),
    ("rolling", status(phase="Progressing", message="more replicas need to be updated"), "Progressing", "more replicas"),
    ("aborted", status(phase="Degraded", message="RolloutAborted: metric assessed Failed"), "Degraded", "RolloutAborted"),
    ("a phase that nobody knows", status(phase="Dancing"), "Unknown"),
    ("workload's specification not seen", {"metadata": {"annotations": {"rollout.argoproj.io/workload-generation": "2"}}, **status(workloadObservedGeneration="1")}, "Progressing", "workload"),
    ("workload's specification seen", {"metadata": {"annotations": {"rollout.argoproj.io/workload-generation": "2"}}, **status(workloadObservedGeneration="2")}, "Healthy"),
    # Controllers before 1.0 have no phase, and write a hash where the generation stands now.
    ("old: rolled out", status(**OLD, observedGeneration="7bcdbf7bd9"), "Healthy"),
    ("old: a hash of digits", status(**OLD, observedGeneration="8575574967"), "Healthy"),
    ("old: invalid", conditions(met("InvalidSpec", "True", "InvalidSpec", "missing field '.Spec.Strategy.Type'"), **OLD), "Degraded", "missing field"),
    ("old: aborted", conditions(ABORTED, **OLD), "Degraded", "assessed Failed"),
    ("old: deadline passed", conditions({**ABORTED, "reason": "ProgressDeadlineExceeded"}, **OLD), "Degraded"),
    ("old: paused by the controller", status(**OLD, pauseConditions=[{"reason": "CanaryPauseStep", "startTime": "2026-08-14T11:00:00Z"}]), "Suspended"),
    ("old: paused by somebody", {"spec": {"paused": True}, **status(**OLD)}, "Suspended"),
    ("old: one replica by default", {"spec": {"replicas": None}, **status(**OLD, updatedReplicas=1, availableReplicas=1)}, "Healthy"),
    ("old: pods come", status(**OLD, updatedReplicas=1), "Progressing", "1 of 4 pods are updated"),
    ("old: pods start", status(**OLD, availableReplicas=2), "Progressing", "2 of 4 updated pods are available"),
    ("old: steps left", status(**OLD, stableRS="5f5f5f5f5f"), "Progressing", "stable"),
    ("old: nothing stable yet", status(**OLD, stableRS=None, currentPodHash=None), "Progressing", "stable"),
)  # fmt: skip
def test_rollout(case):
    check("rollout", case)


@table(
    ("succeeded", {}, "Healthy"),
    ("not started", {"status": None}, "Progressing"),
    ("pending", status(phase="Pending"), "Progressing"),
    ("runs", status(phase="Running", message="node train runs"), "Progressing", "node train runs"),
    ("failed", status(phase="Failed", message="child 'train-churn-1' failed"), "Degraded", "child"),
    ("broken", status(phase="Error"), "Degraded"),
    ("a phase that nobody knows", status(phase="Dancing"), "Unknown"),
)
def test_workflow(case):
    check("workflow", case)


@table(
    ("healthy", {}, "Healthy"),
    ("not reconciled yet", {"status": None}, "Progressing", "not reconciled yet"),
    *((name, status(health={"status": name, "message": "so it is"}), name, "so it is")
      for name in ("Degraded", "Missing", "Progressing", "Suspended", "Unknown")),
    ("a status that nobody knows", status(health={"status": "Dancing"}), "Unknown"),
)  # fmt: skip
def test_application(case):
    check("application", case)


def test_what_a_model_server_wrote_is_not_told():
    failure = {"reason": "ModelLoadFailed", "message": "s3 key hunter2"}
    broken = status(modelStatus={"transitionStatus": "BlockedByFailedLoad", "lastFailureInfo": failure})
    health = assess(made("inferenceservice", broken), now=NOW)
    assert health
    assert "hunter2" not in health.message
