"""Every field of the Application that has everything at once, each against a twin in which it says something else."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.agent.live.harness import (
    Body,
    LiveAgent,
    Repository,
    conditions_of,
    copied,
    is_settled,
    phase_of,
    resources_of,
    status_of,
    sync_of,
)

_FIXTURE = Path(__file__).parents[2] / "fixtures" / "full-application"
_CHART = "k8s/helm/churn-mlops"
_SERVICE, _DEPLOYMENT = f"{_CHART}/templates/service.yaml", f"{_CHART}/templates/deployment.yaml"
_PRODUCTION = f"{_CHART}/values-production.yaml"


class Full:
    """The fixture's Application in a cluster, with some fields changed."""

    def __init__(self, agent: LiveAgent, namespace: str) -> None:
        self.agent, self.namespace = agent, namespace
        self.name = f"churn-mlops-{namespace}"
        self.repository: Repository = agent.repository(copied(_FIXTURE))
        self.body: Body = yaml.safe_load((_FIXTURE / "argocd" / "application.yaml").read_text())
        self.body["metadata"] |= {"name": self.name, "namespace": agent.namespace}
        self.spec["source"]["repoURL"] = self.repository.url
        self.spec["destination"]["namespace"] = namespace

    @property
    def spec(self) -> dict[str, Any]:
        return self.body["spec"]

    @property
    def policy(self) -> dict[str, Any]:
        return self.spec["syncPolicy"]

    @property
    def head(self) -> str:
        return self.repository.git("rev-parse", "HEAD")

    def option(self, old: str, new: str = "") -> None:
        """Replace a sync option, or take it out."""
        found = [new if each == old else each for each in self.policy["syncOptions"]]
        assert found != self.policy["syncOptions"]
        self.policy["syncOptions"] = [each for each in found if each]

    def install(self) -> Body:
        """Create it, and wait until it is Synced and Healthy."""
        self.create()
        return self.agent.synced(self.name, self.head)

    def create(self) -> None:
        self.agent.create(copy.deepcopy(self.body), self.agent.namespace)

    def push(self, files: dict[str, str | None]) -> str:
        return self.agent.push(self.name, self.repository, files)

    def text(self, path: str) -> str:
        return (self.repository.path / path).read_text()

    def replaced(self, path: str, old: str, new: str) -> dict[str, str]:
        assert old in self.text(path)
        return {path: self.text(path).replace(old, new)}

    def deployment(self) -> Body:
        return self.agent.get("Deployment", self.namespace, "churn-api")

    def container(self) -> Body:
        return self.deployment()["spec"]["template"]["spec"]["containers"][0]

    def wait(self, holds: Any) -> Body:
        return self.agent.wait(self.name, holds)


@pytest.fixture
def full(agent: LiveAgent, place: str) -> Full:
    return Full(agent, place)


# -- what is rendered -------------------------------------------------------------------------------------------------


def test_later_value_files_win(full):
    full.install()
    assert full.deployment()["spec"]["replicas"] == 3
    assert full.container()["env"][0] == {"name": "MODEL_VERSION", "value": "v1.2.3"}

    full.agent.change(full.name, {"spec": {"source": {"helm": {"valueFiles": ["values.yaml"]}}}})
    full.wait(lambda body: is_settled(body, full.head) and len(status_of(body)["history"]) == 2)
    assert full.container()["env"][0] == {"name": "MODEL_VERSION", "value": "v1.0.0"}


def test_a_helm_parameter_stands_above_the_value_files(full):
    full.install()
    assert full.container()["image"] == "ghcr.io/acme/churn-api:v1.2.3"

    since = full.agent.now()
    commit = full.push(full.replaced(_PRODUCTION, "tag: v1.2.0", "tag: v9.9.9"))
    full.agent.synced(full.name, commit)
    assert full.container()["image"] == "ghcr.io/acme/churn-api:v1.2.3"
    assert [call for call in full.agent.about(full.namespace, since) if call.is_write] == []

    full.agent.change(full.name, {"spec": {"source": {"helm": {"parameters": None}}}})
    full.wait(lambda body: is_settled(body, commit) and full.container()["image"].endswith(":v9.9.9"))


@pytest.mark.parametrize("what", ["targetRevision", "path"])
def test_where_in_the_repository_it_looks(full, what):
    """Another branch, another directory: what is there is deployed instead."""
    full.install()
    git = full.repository.git
    if what == "targetRevision":
        git("switch", "--quiet", "--create", "next")
        full.repository.commit(full.replaced(_SERVICE, "port: 80", "port: 81"))
        commit, change = git("rev-parse", "HEAD"), {"targetRevision": "next"}
        git("push", "--quiet", "origin", "next")
    else:
        files = {
            f"elsewhere/{path.removeprefix(_CHART)[1:]}": full.text(path) for path in git("ls-files", _CHART).split()
        }
        files["elsewhere/templates/service.yaml"] = full.text(_SERVICE).replace("port: 80", "port: 81")
        commit, change = full.repository.push(files), {"path": "elsewhere"}
    full.agent.change(full.name, {"spec": {"source": change}})
    full.agent.refresh(full.name)
    full.agent.synced(full.name, commit)
    assert full.agent.get("Service", full.namespace, "churn-api")["spec"]["ports"][0]["port"] == 81


@pytest.mark.parametrize("what", ["project", "server"])
def test_where_it_may_go_and_whether_that_is_here(full, what):
    """A project that is not there, and another cluster: nothing is applied, and the reason is told."""
    reason = "AppProject gone does not exist" if what == "project" else "elsewhere.example.org is not this cluster"
    if what == "project":
        full.spec["project"] = "gone"
    else:
        full.spec["destination"]["server"] = "https://elsewhere.example.org"
    full.create()
    body = full.wait(lambda body: "InvalidSpecError" in conditions_of(body))
    assert reason in conditions_of(body)["InvalidSpecError"]
    assert sync_of(body) == "Unknown"
    full.agent.until(lambda: full.agent.is_idle)
    assert full.agent.find("Deployment", full.namespace, "churn-api") is None


# -- what is no difference --------------------------------------------------------------------------------------------


def test_ignored_replicas_are_whoever_scales_them(full):
    full.install()
    full.agent.patch("Deployment", full.namespace, "churn-api", {"spec": {"replicas": 7}}, "hpa", sub="/scale")
    # Another drift of the same object is healed, and this one stays although the object is applied.
    full.agent.patch(
        "Deployment", full.namespace, "churn-api", {"metadata": {"labels": {"app.kubernetes.io/name": "x"}}}
    )
    full.agent.until(lambda: full.deployment()["metadata"]["labels"]["app.kubernetes.io/name"] == "churn-api")
    assert full.deployment()["spec"]["replicas"] == 7

    files = full.replaced(_PRODUCTION, "replicaCount: 3", "replicaCount: 5")
    files[_SERVICE] = full.text(_SERVICE).replace("port: 80", "port: 81")
    full.agent.synced(full.name, full.push(files))
    assert full.deployment()["spec"]["replicas"] == 7, "not Git's either"

    full.agent.change(full.name, {"spec": {"ignoreDifferences": None}})
    full.agent.until(lambda: full.deployment()["spec"]["replicas"] == 5, "Git's, once nothing is ignored")


@pytest.mark.parametrize("field", ["group", "kind", "jsonPointers"])
def test_what_is_ignored_is_just_what_the_rule_names(full, field):
    """With a rule for something else, the number of replicas is Git's again."""
    other = {"group": "batch", "kind": "StatefulSet", "jsonPointers": ["/spec/paused"]}
    full.spec["ignoreDifferences"][0][field] = other[field]
    full.install()
    full.agent.patch("Deployment", full.namespace, "churn-api", {"spec": {"replicas": 7}}, "hpa", sub="/scale")
    full.agent.until(lambda: full.deployment()["spec"]["replicas"] == 3, "what Git says")


# -- what the agent does by itself ------------------------------------------------------------------------------------


@pytest.mark.parametrize("prune", [True, False])
def test_prune_decides_whether_what_left_git_goes(full, prune):
    full.policy["automated"]["prune"] = prune
    full.install()
    commit = full.push({_SERVICE: None})
    if prune:
        full.agent.synced(full.name, commit)
        assert full.agent.find("Service", full.namespace, "churn-api") is None
    else:
        body = full.wait(lambda body: status_of(body)["sync"]["revision"] == commit)
        assert resources_of(body) == {"Deployment/churn-api": "Synced", "Service/churn-api": "OutOfSync"}
        assert full.agent.find("Service", full.namespace, "churn-api") is not None


@pytest.mark.parametrize("heal", [True, False])
def test_self_heal_decides_whether_what_somebody_changed_stays(full, heal):
    full.policy["automated"]["selfHeal"] = heal
    full.install()
    mark = full.agent.apps.mark(full.name)
    image = [{"name": "api", "image": "ghcr.io/acme/churn-api:mine"}]
    change = {"spec": {"template": {"spec": {"containers": image}}}}
    full.agent.patch(
        "Deployment", full.namespace, "churn-api", change,
        content_type="application/strategic-merge-patch+json",
    )  # fmt: skip
    full.agent.apps.until(full.name, lambda body: sync_of(body) == "OutOfSync", since=mark)
    if heal:
        full.agent.until(lambda: full.container()["image"] == "ghcr.io/acme/churn-api:v1.2.3")
    else:
        full.agent.until(lambda: full.agent.is_idle)
        assert full.container()["image"] == "ghcr.io/acme/churn-api:mine"


@pytest.mark.parametrize("allow", [True, False])
def test_allow_empty_decides_whether_everything_may_go(full, allow):
    full.policy["automated"]["allowEmpty"] = allow
    full.install()
    commit = full.push({_SERVICE: None, _DEPLOYMENT: None})
    if allow:
        full.wait(lambda body: sync_of(body) == "Synced" and status_of(body)["sync"]["revision"] == commit)
        assert full.agent.find("Deployment", full.namespace, "churn-api") is None
    else:
        body = full.wait(lambda body: status_of(body)["sync"]["revision"] == commit)
        assert "Git has no object any more" in conditions_of(body)["PruneHeldWarning"]
        assert "deletion-approved" in conditions_of(body)["PruneHeldWarning"]
        full.agent.until(lambda: full.agent.is_idle)
        assert full.agent.find("Deployment", full.namespace, "churn-api") is not None
        full.agent.approve(full.name)
        full.wait(lambda body: sync_of(body) == "Synced")
        assert full.agent.find("Deployment", full.namespace, "churn-api") is None


# -- sync options -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("create", [True, False])
def test_create_namespace_makes_the_namespace(full, create):
    full.namespace = f"{full.namespace}-new"
    full.spec["destination"]["namespace"] = full.namespace
    if create:
        full.install()
        labels = full.agent.get("Namespace", "", full.namespace)["metadata"].get("labels", {})
        assert labels == {"kubernetes.io/metadata.name": full.namespace}, "nobody's to prune"
        full.agent.delete("Namespace", "", full.namespace)
    else:
        full.option("CreateNamespace=true")
        full.policy["retry"]["limit"] = 0
        full.create()
        body = full.wait(lambda body: phase_of(body) == "Failed")
        results = status_of(body)["operationState"]["syncResult"]["resources"]
        assert any(f'namespaces "{full.namespace}" not found' in each["message"] for each in results)


@pytest.mark.parametrize("policy", ["foreground", "background", "orphan"])
def test_prune_propagation_policy_decides_what_becomes_of_dependants(full, policy):
    if policy != "foreground":
        full.option("PrunePropagationPolicy=foreground", f"PrunePropagationPolicy={policy}")
    full.install()
    (owned,) = full.agent.names("ReplicaSet", full.namespace)
    full.agent.patch("ReplicaSet", full.namespace, owned, {"metadata": {"finalizers": ["example.org/hold"]}})
    commit = full.push({_DEPLOYMENT: None})

    def held() -> Body | None:
        return full.agent.find("Deployment", full.namespace, "churn-api")

    if policy == "foreground":
        full.agent.until(lambda: "foregroundDeletion" in held()["metadata"].get("finalizers", []))
        body = full.wait(lambda body: "to be gone" in status_of(body)["operationState"].get("message", ""))
        assert (phase_of(body), sync_of(body)) == ("Running", "OutOfSync")
        full.agent.patch("ReplicaSet", full.namespace, owned, {"metadata": {"finalizers": None}})
        full.agent.synced(full.name, commit)
        assert full.agent.names("ReplicaSet", full.namespace) == []
        return
    full.agent.synced(full.name, commit)
    assert held() is None
    left = full.agent.get("ReplicaSet", full.namespace, owned)["metadata"]
    assert ("deletionTimestamp" in left) is (policy == "background") or policy == "background"
    assert ("ownerReferences" in left) is (policy == "background")
    full.agent.patch("ReplicaSet", full.namespace, owned, {"metadata": {"finalizers": None}})


@pytest.mark.parametrize("last", [True, False])
def test_prune_last_waits_until_the_new_is_healthy(full, last):
    if not last:
        full.option("PruneLast=true")
    full.install()
    key = f"example.org/{full.namespace}"
    nowhere = full.text(_DEPLOYMENT).replace(
        "    spec:\n      containers:", f'    spec:\n      nodeSelector: {{{key}: "yes"}}\n      containers:'
    )
    commit = full.push({_DEPLOYMENT: nowhere, _SERVICE: None})
    # The rollout cannot go on before a node has the label.
    if last:
        full.wait(lambda body: "waiting for wave" in status_of(body)["operationState"].get("message", ""))
        assert full.agent.find("Service", full.namespace, "churn-api") is not None
    else:
        full.agent.until_gone("Service", full.namespace, "churn-api")
    full.agent.patch("Node", "", "kwok-node-0", {"metadata": {"labels": {key: "yes"}}})
    full.agent.synced(full.name, commit)
    assert full.agent.find("Service", full.namespace, "churn-api") is None


# -- retries and history ----------------------------------------------------------------------------------------------


def test_a_failed_sync_is_tried_again_after_five_seconds_then_after_twice_that(full):
    full.install()
    broken = full.replaced(_DEPLOYMENT, "app.kubernetes.io/name: churn-api\n  template", "other: label\n  template")
    full.push(broken)
    body = full.wait(lambda body: status_of(body)["operationState"].get("retryCount") == 1)
    state = status_of(body)["operationState"]
    assert (state["phase"], "finishedAt" in state) == ("Running", True)
    assert state["message"].endswith("retry 1 of 5 in 5 s")
    assert sync_of(body) == "OutOfSync"
    body = full.wait(lambda body: status_of(body)["operationState"].get("retryCount") == 2)
    assert status_of(body)["operationState"]["message"].endswith("retry 2 of 5 in 10 s")


@pytest.mark.parametrize(("factor", "waits"), [(2, ["0.1", "0.2", "0.4"]), (3, ["0.1", "0.3", "0.9"])])
def test_the_waits_grow_by_the_factor(full, factor, waits):
    full.policy["retry"] = {"limit": 3, "backoff": {"duration": "100ms", "factor": factor}}
    full.install()
    mark = full.agent.apps.mark(full.name)
    full.push(full.replaced(_DEPLOYMENT, "app.kubernetes.io/name: churn-api\n  template", "other: label\n  template"))
    full.wait(lambda body: phase_of(body) == "Failed")
    messages = [
        status_of(body)["operationState"].get("message", "") for body in full.agent.apps.states(full.name)[mark:]
    ]
    told = [message.rpartition("; ")[2] for message in messages if "; retry " in message]
    assert list(dict.fromkeys(told)) == [f"retry {n} of 3 in {wait} s" for n, wait in enumerate(waits, start=1)]


def test_retry_ends_at_its_limit_and_its_waits_at_the_longest(full):
    full.policy["retry"] = {"limit": 3, "backoff": {"duration": "100ms", "factor": 2, "maxDuration": "300ms"}}
    full.install()
    mark = full.agent.apps.mark(full.name)
    commit = full.push(
        full.replaced(_DEPLOYMENT, "app.kubernetes.io/name: churn-api\n  template", "other: label\n  template")
    )
    full.wait(lambda body: phase_of(body) == "Failed")
    messages = [
        status_of(body)["operationState"].get("message", "") for body in full.agent.apps.states(full.name)[mark:]
    ]
    waits = [message.rpartition("; ")[2] for message in messages if "; retry " in message]
    assert list(dict.fromkeys(waits)) == [
        "retry 1 of 3 in 0.1 s", "retry 2 of 3 in 0.2 s", "retry 3 of 3 in 0.3 s",
    ]  # fmt: skip
    assert status_of(full.agent.app(full.name))["history"][-1]["revision"] != commit


def test_a_new_commit_does_not_wait_for_the_retry_of_an_old_one(full):
    full.policy["retry"]["backoff"] = {"duration": "1h"}
    full.install()
    good = full.text(_DEPLOYMENT)
    full.push(full.replaced(_DEPLOYMENT, "app.kubernetes.io/name: churn-api\n  template", "other: label\n  template"))
    full.wait(lambda body: status_of(body)["operationState"].get("retryCount") == 1)
    # Its hour is not over, whatever makes the agent look.
    full.agent.refresh(full.name)
    full.wait(lambda body: "argocd.argoproj.io/refresh" not in body["metadata"].get("annotations", {}))
    full.agent.until(lambda: full.agent.is_idle)
    assert status_of(full.agent.app(full.name))["operationState"]["retryCount"] == 1
    commit = full.push({_DEPLOYMENT: good.replace("- name: http", "- name: web")})
    body = full.agent.synced(full.name, commit)
    assert status_of(body)["history"][-1]["revision"] == commit


def test_a_new_commit_ends_the_wait_for_an_old_one(full):
    full.install()
    good = full.text(_DEPLOYMENT)
    stuck = good.replace(
        "    spec:\n      containers:", '    spec:\n      nodeSelector: {no: "where"}\n      containers:'
    )
    full.push({_DEPLOYMENT: stuck, _SERVICE: None})
    full.wait(lambda body: "waiting for wave" in status_of(body)["operationState"].get("message", ""))
    commit = full.push({_DEPLOYMENT: good})
    full.agent.synced(full.name, commit)


def test_the_history_keeps_as_many_entries_as_its_limit(full):
    full.spec["revisionHistoryLimit"] = 2
    full.install()
    commits = [full.head]
    for port in (81, 82):
        commits.append(full.push({_SERVICE: full.text(_SERVICE).replace("port: 8", f"port: {port}", 1)}))
        body = full.agent.synced(full.name, commits[-1])
    history = status_of(body)["history"]
    assert [entry["revision"] for entry in history] == commits[1:]
    assert [entry["id"] for entry in history] == [1, 2]


def test_what_it_is_called_is_on_its_objects(full):
    """Its name, the repository and the namespace: each of two that differ in them has objects of its own."""
    full.install()
    found = full.deployment()["metadata"]
    assert found["annotations"]["argocd.argoproj.io/tracking-id"] == (
        f"{full.name}:apps/Deployment:{full.namespace}/churn-api"
    )
    twin = Full(full.agent, f"{full.namespace}-twin")
    twin.name = twin.body["metadata"]["name"] = f"{full.name}-twin"
    commit = twin.repository.push(twin.replaced(_SERVICE, "port: 80", "port: 81"))
    twin.create()
    twin.agent.synced(twin.name, commit)
    ports = [
        each.agent.get("Service", each.namespace, "churn-api")["spec"]["ports"][0]["port"] for each in (full, twin)
    ]
    assert ports == [80, 81]
    assert twin.deployment()["metadata"]["labels"] != found["labels"]
    full.agent.delete("Namespace", "", twin.namespace)


# -- the end ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cascade", [True, False])
def test_the_finalizer_takes_the_objects_along(full, cascade):
    if not cascade:
        del full.body["metadata"]["finalizers"]
    full.install()
    full.agent.delete("Application", full.agent.namespace, full.name)
    full.agent.until_gone("Application", full.agent.namespace, full.name)
    full.agent.until(lambda: full.agent.is_idle)
    there = full.agent.find("Deployment", full.namespace, "churn-api")
    assert (there is None) is cascade
    assert full.agent.find("Namespace", "", full.namespace) is not None


# -- every field ------------------------------------------------------------------------------------------------------

_TESTS = {
    "metadata.finalizers": test_the_finalizer_takes_the_objects_along,
    "metadata.name": test_what_it_is_called_is_on_its_objects,
    "spec.project": test_where_it_may_go_and_whether_that_is_here,
    "spec.source.repoURL": test_what_it_is_called_is_on_its_objects,
    "spec.source.targetRevision": test_where_in_the_repository_it_looks,
    "spec.source.path": test_where_in_the_repository_it_looks,
    "spec.source.helm.valueFiles": test_later_value_files_win,
    "spec.source.helm.parameters.name": test_a_helm_parameter_stands_above_the_value_files,
    "spec.source.helm.parameters.value": test_a_helm_parameter_stands_above_the_value_files,
    "spec.destination.server": test_where_it_may_go_and_whether_that_is_here,
    "spec.destination.namespace": test_what_it_is_called_is_on_its_objects,
    "spec.ignoreDifferences.group": test_what_is_ignored_is_just_what_the_rule_names,
    "spec.ignoreDifferences.kind": test_what_is_ignored_is_just_what_the_rule_names,
    "spec.ignoreDifferences.jsonPointers": test_ignored_replicas_are_whoever_scales_them,
    "spec.syncPolicy.automated.prune": test_prune_decides_whether_what_left_git_goes,
    "spec.syncPolicy.automated.selfHeal": test_self_heal_decides_whether_what_somebody_changed_stays,
    "spec.syncPolicy.automated.allowEmpty": test_allow_empty_decides_whether_everything_may_go,
    "spec.syncPolicy.syncOptions: CreateNamespace": test_create_namespace_makes_the_namespace,
    "spec.syncPolicy.syncOptions: PrunePropagationPolicy": test_prune_propagation_policy_decides_what_becomes_of_dependants,
    "spec.syncPolicy.syncOptions: PruneLast": test_prune_last_waits_until_the_new_is_healthy,
    "spec.syncPolicy.retry.limit": test_retry_ends_at_its_limit_and_its_waits_at_the_longest,
    "spec.syncPolicy.retry.backoff.duration": test_a_failed_sync_is_tried_again_after_five_seconds_then_after_twice_that,
    "spec.syncPolicy.retry.backoff.factor": test_the_waits_grow_by_the_factor,
    "spec.syncPolicy.retry.backoff.maxDuration": test_retry_ends_at_its_limit_and_its_waits_at_the_longest,
    "spec.revisionHistoryLimit": test_the_history_keeps_as_many_entries_as_its_limit,
}
"""Field → the test in which another value of it gives something else."""


def _fields(value: Any, path: str) -> set[str]:
    if isinstance(value, dict):
        return set().union(*(_fields(item, f"{path}.{key}" if path else key) for key, item in value.items()))
    if path.endswith("syncOptions"):
        return {f"{path}: {each.partition('=')[0]}" for each in value}
    if isinstance(value, list) and isinstance(value[0], dict):
        return set().union(*(_fields(item, path) for item in value))
    return {path}


def test_every_field_has_a_test_in_which_it_says_something_else():
    found = _fields(yaml.safe_load((_FIXTURE / "argocd" / "application.yaml").read_text()), "")
    # Where Argo CD keeps it is only a label here: the agent's own namespace is where it is.
    assert found - {"apiVersion", "kind", "metadata.namespace"} == set(_TESTS)
