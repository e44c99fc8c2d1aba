"""Kinds that the cluster does not have, or does not have yet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from gitops_bot.agent.reconcile.sync import Deadlines
from tests.agent.live.harness import LiveAgent, config, manifests, phase_of, status_of


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
        name, lambda body: "established" in (status_of(body).get("operationState") or {}).get("message", "")
    )

    assert f"leaves.{group}: not established after 2 s" in status_of(body)["operationState"]["message"]
    assert agent.find("Role", place, "later") is None
    agent.delete("CustomResourceDefinition", "", f"leaves.{group}")
