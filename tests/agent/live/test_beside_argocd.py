"""Beside an Argo CD: its namespace and its Applications are left to it until they are handed over."""

from __future__ import annotations

import json
import re
import secrets
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.agent.live.harness import LiveAgent, Repository, conditions_of, config, manifests, phase_of, sync_of
from tests.agent.live.program import Programs, definition, programs
from tests.controlplane.plane import ControlPlane


@pytest.fixture
def run(own_agent: LiveAgent, tmp_path: Path) -> Iterator[Programs]:
    with programs(own_agent, tmp_path) as made:
        yield made


@pytest.fixture
def shop(place: str) -> str:
    """An Application's name that no other test has: all of them share one cluster."""
    return f"shop-{place}"


@pytest.fixture
def repository(own_agent: LiveAgent, place: str, shop: str) -> Repository:
    made = own_agent.repository({"shop/all.yaml": manifests(config("settings", colour="red"))})
    made.push(definition(made, place, shop, "shop"))
    return made


@pytest.fixture
def argocd(plane: ControlPlane) -> Iterator[str]:
    """Another namespace."""
    name = f"argocd-{secrets.token_hex(4)}"
    plane.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    yield name
    plane.request("DELETE", f"/api/v1/namespaces/{name}")


def controller(*args: str) -> dict[str, Any]:
    labels = {"app.kubernetes.io/name": "argocd-application-controller"}
    return {
        "metadata": {"name": "argocd-application-controller", "labels": labels},
        "spec": {
            "replicas": 0,
            "serviceName": "none",
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "main", "image": "argocd", "args": list(args)}]},
            },
        },
    }


@pytest.mark.parametrize("how", ["its own namespace", "its settings", "its options"])
def test_an_agent_does_not_start_where_an_argo_cd_works(run, own_agent, repository, plane, argocd, how):
    where = own_agent.namespace if how == "its own namespace" else argocd
    args = (f"--application-namespaces=a,{own_agent.namespace[:-2]}*",) if how == "its options" else ()
    plane.request("POST", f"/apis/apps/v1/namespaces/{where}/statefulsets", controller(*args))
    if how == "its settings":
        plane.request("POST", f"/api/v1/namespaces/{where}/configmaps", {
            "metadata": {"name": "argocd-cmd-params-cm"},
            "data": {"application.namespaces": f"other, /^{own_agent.namespace}$/"},
        })  # fmt: skip
    program = run.run("--once", repository=repository)
    assert program.end() == 9, program.said
    error, hint = program.errors.read_text().splitlines()
    assert error.startswith(f"error: Argo CD's {where}/argocd-application-controller ")
    assert own_agent.namespace in error
    assert hint.startswith("next: run this agent in a namespace of its own")
    assert own_agent.names("Application", own_agent.namespace) == []


def test_an_agent_starts_beside_an_argo_cd_that_works_elsewhere(run, repository, plane, argocd):
    plane.request(
        "POST", f"/apis/apps/v1/namespaces/{argocd}/statefulsets", controller("--application-namespaces", "a,b")
    )
    assert run.run("--once", repository=repository).end() == 0


BUSY: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "syncs its objects by itself": ({}, {"automated": {"prune": True}}),
    "would delete them when it goes": ({"finalizers": ["resources-finalizer.argocd.argoproj.io"]}, {}),
}
"""What stands against an adoption → metadata and sync policy of Argo CD's Application."""


@pytest.mark.parametrize("reason", BUSY)
def test_an_application_is_adopted_only_when_it_was_handed_over(
    run, own_agent, repository, place, shop, argocd, reason
):
    """The way that the condition itself tells; Argo CD's object has the same name, and objects are there already."""
    metadata, policy = BUSY[reason]
    spec = json.loads(definition(repository, place, shop, "shop")[f"apps/{shop}.yaml"])["spec"] | {"syncPolicy": policy}
    own_agent.create(
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": shop, **metadata},
            "spec": spec,
        },
        argocd,
    )
    theirs = config("settings", colour="green")
    theirs["metadata"]["annotations"] = {"argocd.argoproj.io/tracking-id": f"{shop}:/ConfigMap:{place}/settings"}
    own_agent.create(theirs, place, manager="argocd-controller")

    run.run("--poll", "1h", repository=repository)
    told = conditions_of(own_agent.wait(shop, lambda body: "AdoptionError" in conditions_of(body)))["AdoptionError"]
    assert f"{argocd}/{shop} {reason}" in told
    assert own_agent.get("ConfigMap", place, "settings")["data"] == {"colour": "green"}
    own_agent.ask(shop)
    body = own_agent.wait(shop, lambda body: phase_of(body) == "Error")
    assert body["status"]["operationState"]["message"] == told
    assert own_agent.get("ConfigMap", place, "settings")["data"] == {"colour": "green"}

    words = shlex.split(re.search(r"kubectl patch .*?'(?=, )", told)[0])
    assert words[:6] == ["kubectl", "patch", "application", shop, "-n", argocd]
    own_agent.patch("Application", argocd, shop, json.loads(words[words.index("-p") + 1]))
    own_agent.wait(shop, lambda body: sync_of(body) == "Synced" and not conditions_of(body))
    assert own_agent.get("ConfigMap", place, "settings")["data"] == {"colour": "red"}


def test_an_application_without_automation_or_cascade_stands_in_nobody_s_way(
    run, own_agent, repository, place, shop, argocd
):
    spec = json.loads(definition(repository, place, shop, "shop")[f"apps/{shop}.yaml"])["spec"]
    spec["syncPolicy"] = {"automated": {"enabled": False}}
    own_agent.create(
        {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": shop}, "spec": spec},
        argocd,
    )
    assert run.run("--once", repository=repository).end() == 0
    assert own_agent.get("ConfigMap", place, "settings")["data"] == {"colour": "red"}
