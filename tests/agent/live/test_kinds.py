"""Kinds that the cluster does not have, or does not have yet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from gitops_bot.agent.ownership.identity import GROUP_KINDS
from gitops_bot.agent.reconcile.sync import Deadlines
from gitops_bot.doors.cluster.connect import connect
from gitops_bot.doors.cluster.objects import Objects
from gitops_bot.doors.cluster.requests import Requests
from tests.agent.live.harness import LiveAgent, config, manifests, phase_of, status_of
from tests.controlplane.plane import ControlPlane


@pytest.fixture
def group(agent: LiveAgent, place: str) -> Iterator[str]:
    """A group of the test's own; its definitions go with the test."""
    name = f"{place}.example.org"
    yield name
    agent.forget(f"kinds-{place}")  # or it would heal what goes with the definition
    agent.until_gone("Application", agent.namespace, f"kinds-{place}")
    agent.delete("CustomResourceDefinition", "", f"teas.{name}")


def definition(group: str) -> dict[str, Any]:
    return {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": f"teas.{group}"},
        "spec": {
            "group": group, "scope": "Namespaced", "names": {"kind": "Tea", "plural": "teas"},
            "versions": [{
                "name": "v1", "served": True, "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }],
        },
    }  # fmt: skip


def tea(group: str) -> dict[str, Any]:
    return {"apiVersion": f"{group}/v1", "kind": "Tea", "metadata": {"name": "green"}, "spec": {"minutes": 3}}


def test_nothing_is_written_where_a_kind_is_missing_and_the_reason_is_told(agent, place, group):
    repository = agent.repository({"app/all.yaml": manifests(config("settings"), tea(group))})
    agent.follow(repository, place, name := f"kinds-{place}", source={"path": "app"})

    body = agent.wait(name, lambda body: "no kind" in (status_of(body).get("operationState") or {}).get("message", ""))

    told = status_of(body)["operationState"]["message"]
    assert (
        f"nothing was written: Tea.{group}/{place}/green would not be taken: the cluster has no kind Tea in {group}/v1"
        in told
    )
    assert agent.find("ConfigMap", place, "settings") is None


def test_a_kind_that_others_define_later_is_learned_without_a_restart(agent, place, group):
    repository = agent.repository({"app/all.yaml": manifests(config("settings"), tea(group))})
    retry = {"limit": 0}
    agent.follow(
        repository, place, name := f"kinds-{place}", source={"path": "app"},
        policy={"automated": {"prune": True, "selfHeal": True}, "retry": retry},
    )  # fmt: skip
    agent.wait(name, lambda body: phase_of(body) == "Failed")

    agent.create(definition(group), "")

    def synced() -> bool:
        agent.ask(name)
        return phase_of(agent.wait(name, lambda body: phase_of(body) in ("Failed", "Succeeded"))) == "Succeeded"

    agent.until(synced, "the kind is known")
    assert agent.find("ConfigMap", place, "settings") is not None


@pytest.fixture
def silent(plane: ControlPlane, place: str) -> Iterator[str]:
    """A group whose API server does not answer, as the list of kinds says."""
    group = f"silent.{place}.example.org"
    path, name = "/apis/apiregistration.k8s.io/v1/apiservices", f"v1.{group}"
    plane.request("POST", path, {
        "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": name},
        "spec": {"group": group, "version": "v1", "service": {"name": "nobody", "namespace": place},
                 "insecureSkipTLSVerify": True, "groupPriorityMinimum": 1000, "versionPriority": 15},
    })  # fmt: skip
    yield group
    plane.request("DELETE", f"{path}/{name}")


def test_a_kind_whose_api_server_does_not_answer_is_looked_for_again(own_agent, place, silent):
    """It left Git while nobody could tell what there is of it: forgotten, its objects would never be pruned."""
    objects = Objects(Requests(connect(str(own_agent.kubeconfig))))

    def is_known() -> bool:
        objects.forget_kinds()
        return not objects.kinds.lacks(silent, "Tea")

    own_agent.until(is_known, "the group is in the list of kinds")
    repository = own_agent.repository({"app/all.yaml": manifests(config("settings"))})
    own_agent.start()
    own_agent.follow(
        repository, place, "app", source={"path": "app"},
        annotations={GROUP_KINDS: f"ConfigMap,Cake.baking.example.org,Tea.{silent}"},
    )  # fmt: skip
    body = own_agent.synced("app", repository.git("rev-parse", "HEAD"))
    assert body["metadata"]["annotations"][GROUP_KINDS] == f"ConfigMap,Tea.{silent}"


def test_charts_hear_of_kinds_that_others_define_later(agent, place, group):
    template = (
        f'{{{{- if .Capabilities.APIVersions.Has "{group}/v1" }}}}\n'
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: with-tea}\n{{- end }}\n"
    )
    chart = "apiVersion: v2\nname: shop\nversion: 1.0.0\n"
    repository = agent.repository({
        "shop/Chart.yaml": chart, "shop/templates/tea.yaml": template, "shop/templates/all.yaml": manifests(config("settings")),
    })  # fmt: skip
    agent.follow(repository, place, name := f"kinds-{place}", source={"path": "shop"})
    agent.synced(name, repository.git("rev-parse", "HEAD"))
    assert agent.find("ConfigMap", place, "with-tea") is None

    agent.create(definition(group), "")

    def there() -> bool:
        agent.refresh(name)
        agent.wait(name, lambda body: "refresh" not in str(body["metadata"].get("annotations")))
        return agent.find("ConfigMap", place, "with-tea") is not None

    agent.until(there, "the chart is rendered for the new kind")


def test_a_definition_that_is_not_established_is_waited_for_and_ends_the_sync(own_agent, place, group):
    """Another definition has its kind already; what comes after it in the order is not begun."""
    agent = own_agent
    agent.create(definition(group), "")
    taken = definition(group)
    taken["metadata"]["name"] = f"leaves.{group}"
    taken["spec"]["names"] = {"kind": "Tea", "plural": "leaves"}
    later = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "later"}, "rules": []}
    repository = agent.repository({"app/all.yaml": manifests(taken, later)})
    agent.start(deadlines=Deadlines(definition=2.0))
    agent.follow(repository, place, name := f"kinds-{place}", source={"path": "app"}, policy={"automated": {}})

    body = agent.wait(
        name, lambda body: "not established" in (status_of(body).get("operationState") or {}).get("message", "")
    )

    assert f"leaves.{group}: not established after 2 s" in status_of(body)["operationState"]["message"]
    assert agent.find("Role", place, "later") is None
    agent.delete("CustomResourceDefinition", "", f"leaves.{group}")
