"""Custom resources without a rule of their own."""

from __future__ import annotations

import pytest

from gitops_bot.agent.health.assess import assess
from gitops_bot.agent.health.generic import failed
from tests.agent.health.cases import NOW, check, conditions, made, met, status, table


@table(
    ("ready", {}, "Healthy", "upgrade succeeded"),
    ("says nothing", {"status": None}, None),
    ("says nothing that is known", conditions(met("Released", "False", "InstallFailed")), None),
    ("specification not seen", {"metadata": {"generation": 4}}, "Progressing", "newest specification"),
    ("does not say what it has seen", {"metadata": {"generation": 4}, **conditions(met("Ready", "True"), observedGeneration=None)}, "Healthy"),
    ("condition is older", {"metadata": {"generation": 4}, **conditions(met("Ready", "True", observedGeneration=3), observedGeneration=None)}, "Progressing", "older specification"),
    ("failed, by its reason", conditions(met("Ready", "False", "UpgradeFailed", "timed out waiting")), "Degraded", "timed out waiting"),
    ("works, by its reason", conditions(met("Ready", "False", "DependencyNotReady", "dependency 'db' is not ready")), "Progressing", "dependency"),
    ("works, without a reason", conditions(met("Ready", "False")), "Progressing"),
    ("not known yet", conditions(met("Ready", "Unknown", "CheckFailed")), "Progressing"),
    ("stalled", conditions(met("Stalled", "True", "RetriesExceeded", "retries exhausted"), met("Ready", "False", "Progressing")), "Degraded", "retries exhausted"),
    ("not stalled", conditions(met("Stalled", "False"), met("Ready", "True")), "Healthy"),
    ("failed", conditions(met("Failed", "True", "PodFailed")), "Degraded", "PodFailed"),
    ("not failed", conditions(met("Failed", "False", "PodFailed")), None),
    ("degraded", conditions(met("Available", "True"), met("Degraded", "True", "OneNodeLost")), "Degraded", "OneNodeLost"),
    ("reconciling", conditions(met("Reconciling", "True", "ProgressingWithRetry", "upgrading"), met("Ready", "True")), "Progressing", "upgrading"),
    ("not reconciling", conditions(met("Reconciling", "False"), met("Ready", "True")), "Healthy"),
    ("available", conditions(met("Available", "True", "AsExpected")), "Healthy"),
    ("not available", conditions(met("Available", "False", "Deploying")), "Progressing"),
    ("healthy", conditions(met("Healthy", "True")), "Healthy"),
    ("ready, but not healthy", conditions(met("Ready", "True"), met("Healthy", "False", "HealthCheckFailed", "3 of 5")), "Degraded", "3 of 5"),
    ("observed later than known", status(observedGeneration=9), "Healthy"),
)  # fmt: skip
def test_custom_resource(case):
    check("helmrelease", case)


@pytest.mark.parametrize(
    "reason",
    ["UpgradeFailed", "InstallFailure", "Failing", "Error", "SecretSyncedError", "ErrGetKeyPair", "HTTPError", "InvalidSpec",
     "ProgressDeadlineExceeded", "CrashLoopBackOff", "ImagePullBackoff", "AccessDenied", "Timeout", "TimedOut", "ERROR",
     "install_failed", "Rejected", "CertificateUnauthorized"],
)  # fmt: skip
def test_reasons_that_name_a_failure(reason):
    assert failed(reason)


@pytest.mark.parametrize(
    "reason",
    ["", "Progressing", "DependencyNotReady", "MinimumReplicasUnavailable", "RevisionMissing", "Deploying", "Deferred",
     "Transferring", "Interrupted", "Overridden", "Predictor ingress not created", "Creating", "Valid", "Stopped"],
)  # fmt: skip
def test_reasons_that_name_none(reason):
    assert not failed(reason)


def test_kinds_of_kubernetes_without_a_rule_have_no_health():
    """Their metadata is all that is read: conditions cannot make a difference."""
    body = {
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "x", "generation": 2},
        "status": {"observedGeneration": 1, "conditions": [met("Ready", "False", "Failed")]},
    }  # fmt: skip
    assert assess(body, now=NOW) is None
    assert assess({**body, "apiVersion": "policy.example.com/v1"}, now=NOW)


def test_a_rule_goes_by_group_and_kind_whatever_the_version():
    health = assess(made("certificate", {"apiVersion": "cert-manager.io/v1alpha2", "status": None}), now=NOW)
    assert health
    assert health.message == "not issued yet"
    assert (
        assess(made("certificate", {"apiVersion": "networking.internal.knative.dev/v1", "status": None}), now=NOW)
        is None
    )
