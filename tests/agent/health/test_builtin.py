"""Volumes, services, ingresses, autoscalers, APIs."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from gitops_bot.agent.health.assess import assess
from gitops_bot.agent.health.builtin import ADDRESS_PATIENCE
from tests.agent.health.cases import NOW, check, conditions, made, met, status, table


@table(
    ("bound", {}, "Healthy"),
    ("lost", status(phase="Lost"), "Degraded", "gone"),
    ("pending", status(phase="Pending", capacity=None, accessModes=None), "Progressing", "wait for a pod"),
    ("no phase yet", {"status": None}, "Progressing"),
    ("a phase that nobody knows", status(phase="Melted"), "Unknown", "Melted"),
)
def test_volume_claim(case):
    check("persistentvolumeclaim", case)


@table(
    ("has an address", {}, "Healthy"),
    ("has no address yet", {"status": {"loadBalancer": {"ingress": None}}}, "Progressing", "no address"),
    ("has no status yet", {"status": None}, "Progressing", "no address"),
    ("needs no address", {"spec": {"type": "ClusterIP"}, "status": {"loadBalancer": {"ingress": None}}}, "Healthy"),
)
def test_service(case):
    check("service", case)


NO_ADDRESS = {"status": {"loadBalancer": {"ingress": None}}}


@table(
    ("has an address", {}, "Healthy"),
    ("just created", {"metadata": {"creationTimestamp": "2026-08-14T11:59:00Z"}, **NO_ADDRESS}, "Progressing", "no address"),
    ("just created, with an address", {"metadata": {"creationTimestamp": "2026-08-14T11:59:00Z"}}, "Healthy"),
    ("its class publishes none", NO_ADDRESS, "Healthy", "not every ingress controller"),
    ("creation unknown", {"metadata": {"creationTimestamp": None}, **NO_ADDRESS}, "Healthy"),
    ("of the old group", {"apiVersion": "extensions/v1beta1", "metadata": {"creationTimestamp": "2026-08-14T11:59:00Z"}, **NO_ADDRESS}, "Progressing"),
)  # fmt: skip
def test_ingress(case):
    check("ingress", case)


@pytest.mark.parametrize("ahead", [timedelta(0), timedelta(hours=1)])
def test_an_ingress_says_when_it_is_waited_for_no_longer(ahead):
    created = NOW + ahead
    body = made("ingress", {"metadata": {"creationTimestamp": created.isoformat()}, **NO_ADDRESS})
    health = assess(body, now=NOW)
    assert health
    assert health.until == NOW + ADDRESS_PATIENCE
    later = assess(body, now=created + ADDRESS_PATIENCE)
    assert later
    assert (later.status, later.until) == ("Healthy", None)


def test_an_ingress_from_the_end_of_time_is_judged():
    body = made(
        "ingress", {"metadata": {"creationTimestamp": datetime.max.replace(tzinfo=UTC).isoformat()}, **NO_ADDRESS}
    )
    health = assess(body, now=NOW)
    assert health
    assert health.until == NOW + ADDRESS_PATIENCE


ABLE = met("AbleToScale", "True", "SucceededGetScale", "the HPA controller was able to get the target's current scale")
LIMITED = met("ScalingLimited", "True", "TooFewReplicas", "the desired replica count is less than the minimum")
NO_METRIC = met("ScalingActive", "False", "FailedGetResourceMetric", "the HPA was unable to compute the replica count")


@table(
    ("scales", {}, "Healthy", "recommended size"),
    ("not tried yet", {"status": {"conditions": None}}, "Progressing", "not scaled yet"),
    ("cannot scale for a reason that passes", conditions(met("AbleToScale", "False", "BackoffBoth")), "Progressing"),
    ("no metric", conditions(ABLE, NO_METRIC), "Degraded", "unable to compute"),
    ("no metric, in another order", conditions(NO_METRIC, ABLE), "Degraded", "unable to compute"),
    ("switched off at zero replicas", conditions(ABLE, met("ScalingActive", "False", "ScalingDisabled")), "Healthy"),
    ("at a limit", conditions(LIMITED), "Healthy", "less than the minimum"),
    ("no scale", conditions(met("AbleToScale", "False", "FailedGetScale", "not found")), "Degraded", "not found"),
    ("no update", conditions(met("AbleToScale", "False", "FailedUpdateScale")), "Degraded", "FailedUpdateScale"),
    ("a reason of another condition", conditions(ABLE, met("ScalingLimited", "False", "FailedGetScale")), "Healthy"),
    *((reason, conditions(ABLE, met("ScalingActive", "False", reason)), "Degraded", reason)
      for reason in ("FailedComputeMetricsReplicas", "FailedGetExternalMetric", "FailedGetObjectMetric",
                     "FailedGetPodsMetric", "FailedGetResourceMetric", "InvalidSelector")),
)  # fmt: skip
def test_autoscaler(case):
    check("horizontalpodautoscaler", case)


def _annotated(text: str) -> dict:
    metadata = {"annotations": {"autoscaling.alpha.kubernetes.io/conditions": text}}
    old = {"minReplicas": 3, "maxReplicas": 10, "metrics": None, "targetCPUUtilizationPercentage": 70}
    return {"apiVersion": "autoscaling/v1", "metadata": metadata, "spec": old, "status": {"conditions": None, "currentMetrics": None}}  # fmt: skip


@table(
    ("scales", _annotated(json.dumps([ABLE])), "Healthy", "able to get"),
    ("no metric", _annotated(json.dumps([ABLE, NO_METRIC])), "Degraded", "unable to compute"),
    ("says nothing", _annotated("[]"), "Progressing"),
    ("no JSON", _annotated("[{"), "Progressing"),
    ("other JSON", _annotated('{"a": 1}'), "Progressing"),
    ("endless JSON", _annotated("[" * 100_000), "Progressing"),
)
def test_autoscaler_of_the_first_version(case):
    check("horizontalpodautoscaler", case)


@table(
    ("available", {}, "Healthy", "all checks passed"),
    ("not available", conditions(met("Available", "False", "MissingEndpoints", "no endpoints")), "Progressing", "no endpoints"),
    ("not known", conditions(met("Available", "Unknown")), "Progressing"),
    ("not tried yet", {"status": None}, "Progressing"),
)  # fmt: skip
def test_api_service(case):
    check("apiservice", case)


ESTABLISHED = met("Established", "True", "InitialNamesAccepted", "the initial names have been accepted")
INSTALLING = met("Established", "False", "Installing", "the initial names have been accepted")
TAKEN = met("NamesAccepted", "False", "ListKindConflict", '"ModelList" is already in use')


@table(
    ("served", {}, "Healthy"),
    ("installing", conditions(met("NamesAccepted", "True", "NoConflicts"), INSTALLING), "Progressing"),
    ("just created", {"status": {"conditions": []}}, "Progressing"),
    ("names are taken", conditions(TAKEN, {**INSTALLING, "reason": "NotAccepted"}), "Degraded", "already in use"),
    ("names are taken, the old ones served", conditions(TAKEN, ESTABLISHED), "Degraded", "already in use"),
)
def test_custom_resource_definition(case):
    check("customresourcedefinition", case)
