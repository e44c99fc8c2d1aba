"""Ownership on a real API server: what its managedFields mean, and that taking over removes just what it says."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.error import HTTPError

import pytest

from gitops_bot.agent.ownership.adoption import LAST_APPLIED, reclaim, take_over
from gitops_bot.agent.ownership.difference import drift, keep_ignored
from gitops_bot.agent.ownership.fingerprint import baseline, fingerprint, is_settled, judge
from gitops_bot.agent.ownership.managed import _ATOMIC, _KEYED, beyond, ours, owned, uncovered
from gitops_bot.agent.ownership.strangers import strangers, survivors, without
from gitops_bot.agent.values import MANAGER, Live, live_of
from gitops_bot.model.resource import ResourceKey
from tests.agent import entries
from tests.agent.ownership.test_managed import full
from tests.controlplane.plane import ControlPlane

MERGE, JSON, STRATEGIC = (f"application/{kind}+json" for kind in ("merge-patch", "json-patch", "strategic-merge-patch"))
PATHS = {
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
    "CronJob": "/apis/batch/v1/namespaces/{}/cronjobs",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "HorizontalPodAutoscaler": "/apis/autoscaling/v2/namespaces/{}/horizontalpodautoscalers",
    "Ingress": "/apis/networking.k8s.io/v1/namespaces/{}/ingresses",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies",
    "PersistentVolumeClaim": "/api/v1/namespaces/{}/persistentvolumeclaims",
    "PodDisruptionBudget": "/apis/policy/v1/namespaces/{}/poddisruptionbudgets",
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles",
    "Secret": "/api/v1/namespaces/{}/secrets",
    "Service": "/api/v1/namespaces/{}/services",
    "ServiceAccount": "/api/v1/namespaces/{}/serviceaccounts",
    "StatefulSet": "/apis/apps/v1/namespaces/{}/statefulsets",
}

deployment = partial(entries.deployment, paused=True)
"""Of which its controller writes nothing but the status."""


class Cluster:
    """One namespace, written to by whoever a test names."""

    def __init__(self, plane: ControlPlane, namespace: str) -> None:
        self._plane, self._namespace = plane, namespace

    def _path(self, kind: str, name: str = "web") -> str:
        return f"{PATHS[kind].format(self._namespace)}/{name}"

    def apply(self, body: dict[str, Any], manager: str = MANAGER, *, dry_run: bool = False) -> dict[str, Any]:
        body = {**body, "metadata": {**body["metadata"], "namespace": self._namespace}}
        query = f"?fieldManager={manager}&force=true&fieldValidation=Strict" + ("&dryRun=All" if dry_run else "")
        path = self._path(body["kind"], body["metadata"]["name"]) + query
        return self._plane.request("PATCH", path, body, content_type="application/apply-patch+yaml")

    def create(self, body: dict[str, Any], manager: str) -> dict[str, Any]:
        body = {**body, "metadata": {**body["metadata"], "namespace": self._namespace}}
        return self._plane.request("POST", f"{self._path(body['kind'], '')[:-1]}?fieldManager={manager}", body)

    def patch(
        self, kind: str, change: Any, manager: str, *, content_type: str = STRATEGIC, sub: str = ""
    ) -> dict[str, Any]:
        path = f"{self._path(kind)}{sub}?fieldManager={manager}"
        return self._plane.request("PATCH", path, change, content_type=content_type)

    def get(self, kind: str) -> dict[str, Any]:
        return self._plane.request("GET", self._path(kind))

    def take_over_and_apply(self, desired: dict[str, Any], **more: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """As the agent does it: the patch, then the apply on just the state that the patch left; both answers.

        Once more from the start when a controller wrote the object's status meanwhile.
        """
        assert take_over(live(self.get(desired["kind"])), desired, **more) is not None
        while True:
            left = self.get(desired["kind"])
            change = take_over(live(left), desired, **more)
            try:
                if change is not None:
                    left = self.patch(desired["kind"], change.patch, MANAGER, content_type=JSON)
                version = left["metadata"]["resourceVersion"]
                return left, self.apply({**desired, "metadata": {**desired["metadata"], "resourceVersion": version}})
            except HTTPError as error:
                if error.code != 409:
                    raise AssertionError(error.read().decode()) from error

    def reclaim_and_apply(self, desired: dict[str, Any], *, earlier: dict[str, Any]) -> dict[str, Any]:
        """The same for an object that has lost our entry: a dry run of what Git said then tells what it was."""
        assert ours(live(self.get(desired["kind"])).managed) is None
        while True:
            there = live(self.get(desired["kind"]))
            found = reclaim(there, live(self.apply(earlier, dry_run=True)), desired)
            change = take_over(found, desired, reclaimed=True)
            try:
                left = self.patch(desired["kind"], change.patch, MANAGER, content_type=JSON)
                version = left["metadata"]["resourceVersion"]
                return self.apply({**desired, "metadata": {**desired["metadata"], "resourceVersion": version}})
            except HTTPError as error:
                if error.code != 409:
                    raise AssertionError(error.read().decode()) from error


def live(body: dict[str, Any]) -> Live:
    group = body["apiVersion"].rpartition("/")[0]
    metadata = body["metadata"]
    return live_of(body, ResourceKey(group, body["kind"], metadata["namespace"], metadata["name"]))


@pytest.fixture
def cluster(plane: ControlPlane, place: str) -> Cluster:
    return Cluster(plane, place)


def owners(body):
    return sorted(f"{each.manager}/{each.operation}" for each in live(body).managed if not each.subresource)


def config(**data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web", "labels": {"a": "b"}}, "data": data}


EDIT = {
    "spec": {
        "template": {
            "metadata": {"annotations": {"note": "x"}},
            "spec": {
                "tolerations": [{"operator": "Exists"}],
                "containers": [
                    {"name": "debug", "image": "y"},
                    {"name": "web", "command": ["sh"], "env": [{"name": "X", "value": "1"}],
                     "resources": {"limits": {"cpu": "1"}}},
                ],
            },
        }
    }
}  # fmt: skip

# -- what an entry covers ----------------------------------------------------------------------------------------------


def zoo():
    template = deployment()["spec"]["template"]
    selector = {"matchLabels": {"a": "b"}}
    everything = full()
    everything["metadata"].pop("finalizers")
    return [
        everything,
        deployment(),
        config(a="", b="x"),
        {"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": None}, "binaryData": {}},
        {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": {"a": "eA=="}},
        {"apiVersion": "v1", "kind": "Service", "spec": {
            "selector": {"a": "b"}, "externalIPs": [], "ports": [
                {"name": "t", "port": 53, "targetPort": "dns"}, {"name": "u", "port": 53, "protocol": "UDP"}]}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "imagePullSecrets": [], "secrets": [], "automountServiceAccountToken": False},
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "spec": {
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}},
        {"apiVersion": "apps/v1", "kind": "StatefulSet", "spec": {
            "serviceName": "web", "selector": selector, "template": template, "volumeClaimTemplates": [
                {"metadata": {"name": "d"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}]}},
        {"apiVersion": "batch/v1", "kind": "CronJob", "spec": {"schedule": "0 0 1 1 *", "suspend": None, "jobTemplate": {
            "spec": {"template": {"spec": {"restartPolicy": "Never", "volumes": [], "containers": [
                {"name": "a", "image": "x", "ports": [{"containerPort": 1}], "livenessProbe": {"httpGet": {"path": "/", "port": 1}}}]}}}}}},
        {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "spec": {
            "tls": [], "rules": [{"host": "a.b", "http": {"paths": [
                {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "web", "port": {"number": 80}}}}]}}]}},
        {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "spec": {
            "podSelector": {}, "ingress": [{}], "egress": [], "policyTypes": ["Ingress"]}},
        {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "spec": {"minAvailable": "50%", "selector": selector}},
        {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "spec": {
            "maxReplicas": 3, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}, "metrics": [
                {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}]}},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "rules": [
            {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]},
    ]  # fmt: skip


@pytest.mark.parametrize("number", range(15))
def test_our_entry_has_just_what_was_applied(cluster, number):
    body = zoo()[number]
    body["metadata"] = {**body.get("metadata", {}), "name": "web", "labels": {"a": "b"}}
    body["metadata"].pop("namespace", None)
    applied = live(cluster.apply(body))

    assert uncovered(ours(applied.managed).fields, body) == ()
    assert beyond(ours(applied.managed).fields, body) == frozenset()
    assert is_settled(applied, body, ended=datetime.now(UTC))


def test_the_lists_whose_items_are_owned_one_by_one_are_the_servers(plane):
    """Its OpenAPI says of each list how it is merged; status and what nobody applies are left out."""
    keyed: dict[str, set[str]] = {}
    whole: dict[str, set[str]] = {}
    for path in (
        "api/v1",
        "apis/apps/v1",
        "apis/batch/v1",
        "apis/admissionregistration.k8s.io/v1",
        "apis/discovery.k8s.io/v1",
    ):
        for name, schema in plane.request("GET", f"/openapi/v3/{path}")["components"]["schemas"].items():
            for field, part in schema.get("properties", {}).items():
                if part.get("type") == "array" and not name.endswith("Status"):
                    kinds = keyed if part.get("x-kubernetes-list-type") in ("map", "set") else whole
                    kinds.setdefault(field, set()).add(name.rpartition(".")[2])
    assert set(keyed) >= set(_KEYED)
    assert {(kind, field) for field in _KEYED & set(whole) for kind in whole[field]} - {
        ("EndpointSubset", "ports"), ("LoadBalancerIngress", "ports"), ("NamespaceSpec", "finalizers")
    } <= {*_ATOMIC}  # fmt: skip


# -- what tells that somebody touched an object ------------------------------------------------------------------------

CLEARED = [{"op": "replace", "path": "/metadata/managedFields", "value": [{}]}]
LOOK = {
    "an image": (
        {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "x:2"}]}}}},
        "kubectl-edit",
        STRATEGIC,
        "",
    ),
    "a scale": ({"spec": {"replicas": 5}}, "kubectl", MERGE, "/scale"),
    "a label removed": ({"metadata": {"labels": {"a": None}}}, "kubectl-label", MERGE, ""),
    "an addition by a person": (EDIT, "kubectl-edit", STRATEGIC, ""),
    "a controller's change of ours": ({"spec": {"replicas": 5}}, "scaler", MERGE, ""),
    "a write under our own name": ({"spec": {"replicas": 5}}, MANAGER, MERGE, ""),
    "managedFields cleared": (CLEARED, "kubectl-patch", JSON, ""),
}
QUIET = {
    "a foreign label": ({"metadata": {"labels": {"other": "x"}}}, "scanner", MERGE, "", "unchanged"),
    "status": ({"status": {"observedGeneration": 1}}, "kube-controller-manager", MERGE, "/status", "unchanged"),
    "a controller's addition": ({"spec": {"minReadySeconds": 5}}, "tuner", MERGE, "", "later"),
}


@pytest.mark.parametrize("name", LOOK)
def test_a_touch_is_seen_from_metadata(cluster, name):
    known = baseline(live(cluster.apply(deployment())))
    change, manager, content_type, sub = LOOK[name]
    cluster.patch("Deployment", change, manager, content_type=content_type, sub=sub)

    assert judge(known, live(cluster.get("Deployment")), now=datetime.now(UTC)) == "look"


@pytest.mark.parametrize("name", QUIET)
def test_what_is_no_drift_is_not_looked_at_at_once(cluster, name):
    known = baseline(live(cluster.apply(deployment())))
    change, manager, content_type, sub, expected = QUIET[name]
    cluster.patch("Deployment", change, manager, content_type=content_type, sub=sub)

    assert judge(known, live(cluster.get("Deployment")), now=datetime.now(UTC)) == expected


def test_a_key_added_to_a_config_map_is_seen_and_taken_out(cluster):
    known = baseline(live(cluster.apply(config(a="1"))))
    edited = cluster.patch("ConfigMap", {"data": {"b": "2"}}, "k9s", content_type=MERGE)
    _, healed = cluster.take_over_and_apply(config(a="1"))

    assert judge(known, live(edited), now=datetime.now(UTC)) == "look"
    assert healed["data"] == {"a": "1"}
    assert owners(healed) == ["gitops-bot/Apply"]


def test_an_apply_that_changes_nothing_leaves_the_fingerprint(cluster):
    first, second = live(cluster.apply(deployment())), live(cluster.apply(deployment()))
    assert fingerprint(first) == fingerprint(second)


# -- strangers ---------------------------------------------------------------------------------------------------------


def test_what_a_person_added_is_taken_out_and_nothing_else(cluster):
    before = cluster.apply(deployment())
    cluster.patch("Deployment", EDIT, "kubectl-edit")
    cluster.patch("Deployment", {"metadata": {"annotations": {"theirs": "1"}}}, "scanner")
    edited = cluster.get("Deployment")
    found = strangers(live(edited), deployment())
    predicted = without(cluster.apply(deployment(), dry_run=True), found)
    _, healed = cluster.take_over_and_apply(deployment())

    assert [str(each).removeprefix("spec.template.").removesuffix(" (kubectl-edit)") for each in found] == [
        "metadata.annotations",
        "spec.containers[name=debug]",
        "spec.containers[name=web].command",
        "spec.containers[name=web].env[name=X]",
        "spec.containers[name=web].resources.limits",
        "spec.tolerations",
    ]
    assert healed["spec"] == before["spec"]
    assert healed["metadata"]["annotations"]["theirs"] == "1"
    assert drift(predicted, healed, metadata=live(healed)) == ()
    assert [each.path for each in drift(edited, predicted, metadata=live(edited))] == [
        "spec.template.metadata.annotations.note",
        "spec.template.spec.containers[name=debug]",
        "spec.template.spec.containers[name=web].command",
        "spec.template.spec.containers[name=web].env[name=X]",
        "spec.template.spec.containers[name=web].resources.limits",
        "spec.template.spec.tolerations",
    ]
    assert "kubectl-edit/Update" not in owners(healed)
    assert take_over(live(healed), deployment()) is None


def test_a_heal_together_with_strangers_changes_the_pods_once(cluster):
    before = cluster.apply(deployment())
    cluster.patch("Deployment", EDIT, "kubectl-edit")
    image = {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "x:2"}]}}}}
    edited = cluster.patch("Deployment", image, "kubectl-edit")
    left, healed = cluster.take_over_and_apply(deployment())

    assert left["spec"] == edited["spec"]
    assert healed["spec"] == before["spec"]


def test_what_a_controller_owns_in_an_added_container_keeps_it(cluster):
    cluster.apply(deployment())
    cluster.patch("Deployment", EDIT, "kubectl-edit")
    image = {"spec": {"template": {"spec": {"containers": [{"name": "debug", "image": "injected"}]}}}}
    cluster.patch("Deployment", image, "injector")
    _, healed = cluster.take_over_and_apply(deployment())

    containers = {each["name"]: each for each in healed["spec"]["template"]["spec"]["containers"]}
    assert containers["debug"]["image"] == "injected"
    assert containers["debug"]["imagePullPolicy"]
    assert "command" not in containers["web"]


def test_a_restart_that_a_person_asks_for_stays(cluster):
    cluster.apply(deployment())
    restart = {
        "spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "now", "note": "x"}}}}
    }
    cluster.patch("Deployment", restart, "kubectl-rollout")
    _, healed = cluster.take_over_and_apply(deployment())

    assert healed["spec"]["template"]["metadata"]["annotations"] == {"kubectl.kubernetes.io/restartedAt": "now"}
    assert take_over(live(healed), deployment()) is None


# -- adoption ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("manager", "applied"),
    [("kubectl-client-side-apply", False), ("helm", False), ("argocd-controller", True), ("kubectl", True)],
)
def test_what_git_removes_later_goes_from_an_adopted_object(cluster, manager, applied):
    older = deployment(minReadySeconds=5, revisionHistoryLimit=3)
    older["metadata"]["annotations"] = {LAST_APPLIED: json.dumps(older)}
    made = cluster.apply(older, manager) if applied else cluster.create(older, manager)
    _, adopted = cluster.take_over_and_apply(deployment(minReadySeconds=5))
    later = cluster.apply(deployment())

    assert adopted["spec"]["minReadySeconds"] == 5
    assert LAST_APPLIED not in adopted["metadata"].get("annotations", {})
    assert owners(adopted) == ["gitops-bot/Apply"]
    assert "minReadySeconds" not in later["spec"]
    assert made["spec"]["template"] == later["spec"]["template"]


def test_replicas_that_git_never_said_survive_an_adoption(cluster):
    cluster.create(deployment(replicas=7), "helm")
    silent = deployment()
    del silent["spec"]["replicas"]

    assert cluster.take_over_and_apply(silent)[1]["spec"]["replicas"] == 7


def test_cleared_managed_fields_cost_nobody_anything(cluster):
    cluster.apply(deployment(minReadySeconds=5))
    cluster.patch("Deployment", {"metadata": {"annotations": {"theirs": "1"}}}, "scanner")
    cluster.patch("Deployment", CLEARED, "kubectl-patch", content_type=JSON)
    healed = cluster.reclaim_and_apply(deployment(), earlier=deployment(minReadySeconds=5))

    assert "minReadySeconds" not in healed["spec"]
    assert healed["metadata"]["annotations"]["theirs"] == "1"
    assert take_over(live(healed), deployment()) is None


def test_a_restored_object_is_ours_again_and_what_its_controllers_wrote_is_theirs(cluster):
    """A probe goes with the defaults in it, replicas stay, and so does an injected variable with its container."""
    probe = {"livenessProbe": {"httpGet": {"path": "/", "port": 1}}}
    before = deployment(minReadySeconds=5)
    containers = before["spec"]["template"]["spec"]["containers"]
    containers[0].update(probe)
    containers.append({"name": "side", "image": "side"})
    cluster.create(before, "velero-server")
    injected = {"containers": [{"name": "side", "env": [{"name": "X", "value": "1"}]}]}
    cluster.patch("Deployment", {"spec": {"template": {"spec": injected}}}, "injector")
    now = deployment()
    del now["spec"]["replicas"]
    healed = cluster.reclaim_and_apply(now, earlier=before)

    spec = healed["spec"]
    assert (spec["replicas"], "minReadySeconds" in spec) == (2, False)
    assert [each["name"] for each in spec["template"]["spec"]["containers"]] == ["web", "side"]
    assert "livenessProbe" not in spec["template"]["spec"]["containers"][0]
    assert ("f:spec", "f:selector") not in owned(each for each in live(healed).managed if each.manager != MANAGER)


def test_a_stale_patch_is_refused_and_so_is_an_apply_after_somebody_else(cluster):
    cluster.apply(config(a="1"))
    edited = cluster.patch("ConfigMap", {"data": {"b": "2"}}, "k9s", content_type=MERGE)
    change = take_over(live(edited), config(a="1"))
    cluster.patch("ConfigMap", {"data": {"c": "3"}}, "controller", content_type=MERGE)

    with pytest.raises(HTTPError, match="409"):
        cluster.patch("ConfigMap", change.patch, MANAGER, content_type=JSON)
    pinned = config(a="1")
    pinned["metadata"]["resourceVersion"] = edited["metadata"]["resourceVersion"]
    with pytest.raises(HTTPError, match="409"):
        cluster.apply(pinned)


def test_a_removal_that_somebody_else_prevents_is_named(cluster):
    before = cluster.apply(config(a="1", b="2"))
    cluster.apply(config(b="2"), "keeper")
    after = cluster.apply(config(a="1"))

    assert [(each.path[-1], each.managers) for each in survivors(live(before), live(after))] == [("f:b", ("keeper",))]


# -- ignored fields ----------------------------------------------------------------------------------------------------


def test_replicas_go_from_git_to_whoever_scales_without_falling_to_one(cluster):
    first = cluster.apply(deployment(replicas=3))
    silent = deployment()
    del silent["spec"]["replicas"]
    second = cluster.apply(keep_ignored(silent, first, live=live(first)))
    cluster.patch("Deployment", {"spec": {"replicas": 5}}, "autoscaler", content_type=MERGE, sub="/scale")
    scaled = cluster.get("Deployment")
    third = cluster.apply(keep_ignored(silent, scaled, live=live(scaled)))

    assert [each["spec"]["replicas"] for each in (second, scaled, third)] == [3, 5, 5]
    assert ("f:spec", "f:replicas") not in beyond(ours(live(third).managed).fields, silent)
    dropped = cluster.apply(copy.deepcopy(silent))
    assert dropped["spec"]["replicas"] == 5
