"""Objects that others made become the Application's own: fields that leave Git later really go, foreign ones stay."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from gitops_bot.doors import tools
from tests.agent.live.harness import (
    APPLY,
    JSON_PATCH,
    LiveAgent,
    config,
    deployment,
    manifests,
    phase_of,
    resources_of,
    results_of,
    status_of,
    sync_of,
)

LAST = "kubectl.kubernetes.io/last-applied-configuration"
BEFORE = config("web", one="1", two="2", three="3")


@pytest.fixture
def kubectl(agent: LiveAgent, place: str, tmp_path: Path):
    """The real kubectl, in the test's namespace."""
    found = sorted(Path(tools.installed_directory()).rglob("kubectl"))
    if not found:
        pytest.skip("kubectl is not installed; make tools")

    def run(*arguments: str, body: object = None) -> str:
        ended = subprocess.run(
            [found[-1], "--kubeconfig", agent.plane.kubeconfig, "--namespace", place, *arguments],
            input=json.dumps(body), env={"HOME": str(tmp_path)}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    return run


def by_kubectl_apply(agent, place, kubectl, body):
    kubectl("apply", "--filename", "-", body=body)


def by_kubectl_create(agent, place, kubectl, body):
    kubectl("create", "--filename", "-", body=body)


def by_kubectl_server_side(agent, place, kubectl, body):
    kubectl("apply", "--server-side", "--filename", "-", body=body)


def by_helm(agent, place, kubectl, body):
    agent.create(body, place, manager="helm")


def by_argo_cd(agent, place, kubectl, body):
    """Applied on the client's side by Argo CD's controller, with its tracking id."""
    last = {LAST: json.dumps(body)}
    tracked = {
        **body["metadata"],
        "annotations": {"argocd.argoproj.io/tracking-id": f"web-{place}:/ConfigMap:{place}/web", **last},
    }
    agent.create({**body, "metadata": tracked}, place, manager="argocd-controller")


def by_argo_cd_server_side(agent, place, kubectl, body):
    agent.patch("ConfigMap", place, "web", body, "argocd-controller", content_type=APPLY)


def by_flux(agent, place, kubectl, body):
    agent.patch("ConfigMap", place, "web", body, "kustomize-controller", content_type=APPLY)


def by_somebody_whose_ownership_was_lost(agent, place, kubectl, body):
    agent.create(body, place, manager="kubectl-create")
    clear = [{"op": "replace", "path": "/metadata/managedFields", "value": [{}]}]
    agent.patch("ConfigMap", place, "web", clear, content_type=JSON_PATCH)


@pytest.mark.parametrize(
    "made",
    [by_kubectl_apply, by_kubectl_create, by_kubectl_server_side, by_helm, by_argo_cd, by_argo_cd_server_side,
     by_flux, by_somebody_whose_ownership_was_lost],
)  # fmt: skip
def test_what_leaves_git_goes_whoever_made_the_object(agent, place, kubectl, made):
    made(agent, place, kubectl, BEFORE)
    name = f"web-{place}"
    repository = agent.repository({"app.yaml": manifests(config("web", one="1", two="2"))})
    agent.follow(repository, place, name)
    agent.synced(name, repository.git("rev-parse", "HEAD"))
    agent.until(
        lambda: agent.get("ConfigMap", place, "web")["data"] == {"one": "1", "two": "2"}, "without Git's, it goes"
    )

    agent.push_and_wait(name, repository, {"app.yaml": manifests(config("web", one="1"))})
    found = agent.get("ConfigMap", place, "web")
    assert found["data"] == {"one": "1"}
    assert LAST not in found["metadata"].get("annotations", {})


@pytest.mark.parametrize("where", ["application", "object"])
def test_a_client_side_apply_keeps_what_it_owns_where_git_says_so(agent, place, kubectl, where):
    """``ClientSideApplyMigration=false``: what it applied and Git does not have stays, and it can go on applying."""
    by_kubectl_apply(agent, place, kubectl, BEFORE)
    name, option = f"web-{place}", "ClientSideApplyMigration=false"
    marks = {"argocd.argoproj.io/sync-options": option} if where == "object" else None
    repository = agent.repository({"app.yaml": manifests(config("web", marks, one="1", two="x"))})
    policy = {"automated": {"selfHeal": True}, "syncOptions": [option] if where == "application" else []}
    agent.follow(repository, place, name, policy=policy)
    agent.synced(name, repository.git("rev-parse", "HEAD"))
    found = agent.get("ConfigMap", place, "web")
    assert found["data"] == {"one": "1", "two": "x", "three": "3"}
    assert LAST in found["metadata"]["annotations"]
    assert "kubectl-client-side-apply" in {each["manager"] for each in found["metadata"]["managedFields"]}


def test_a_workload_is_adopted_without_rolling_its_pods(agent, place, kubectl):
    body = deployment("web", 2)
    by_kubectl_apply(agent, place, kubectl, body)
    agent.until(lambda: len(agent.names("Pod", place)) == 2)
    pods = agent.names("Pod", place)
    name = f"web-{place}"
    repository = agent.repository({"app.yaml": manifests(body)})
    agent.follow(repository, place, name)
    agent.synced(name, repository.git("rev-parse", "HEAD"))
    found = agent.get("Deployment", place, "web")
    assert (len(agent.names("ReplicaSet", place)), agent.names("Pod", place)) == (1, pods)
    managers = {each["manager"] for each in found["metadata"]["managedFields"] if not each.get("subresource")}
    assert "kubectl-client-side-apply" not in managers


def test_what_a_controller_added_before_stays(agent, place, kubectl):
    by_kubectl_apply(agent, place, kubectl, BEFORE)
    agent.patch("ConfigMap", place, "web", {"data": {"injected": "x"}}, "some-controller")
    name = f"web-{place}"
    repository = agent.repository({"app.yaml": manifests(config("web", one="1"))})
    agent.follow(repository, place, name)
    agent.synced(name, repository.git("rev-parse", "HEAD"))
    assert agent.get("ConfigMap", place, "web")["data"] == {"one": "1", "injected": "x"}


def test_a_field_that_becomes_ignored_stays_as_it_is(agent, place):
    """Sent with its live value while we alone own it, and left out once somebody else does."""
    name = f"web-{place}"
    repository = agent.repository({"app.yaml": manifests(config("web", one="1", two="2"))})
    agent.follow(repository, place, name)
    agent.synced(name, repository.git("rev-parse", "HEAD"))
    agent.change(name, {"spec": {"ignoreDifferences": [{"kind": "ConfigMap", "jsonPointers": ["/data/two"]}]}})
    agent.push_and_wait(name, repository, {"app.yaml": manifests(config("web", one="x", two="git"))})
    assert agent.get("ConfigMap", place, "web")["data"] == {"one": "x", "two": "2"}
    agent.patch("ConfigMap", place, "web", {"data": {"two": "theirs"}}, "some-controller")
    agent.push_and_wait(name, repository, {"app.yaml": manifests(config("web", one="y"))})
    assert agent.get("ConfigMap", place, "web")["data"] == {"one": "y", "two": "theirs"}


def test_an_object_that_another_application_has_is_refused(agent, place):
    repository = agent.repository(
        {
            "app.yaml": manifests(config("web", from_="first")),
            "other/app.yaml": manifests(config("web", from_="second"), config("own")),
        }
    )
    first, second = f"first-{place}", f"second-{place}"
    agent.follow(repository, place, first)
    head = repository.git("rev-parse", "HEAD")
    agent.synced(first, head)
    agent.follow(repository, place, second, source={"path": "other"})
    body = agent.wait(second, lambda body: status_of(body).get("history"))
    condition = {each["type"]: each["message"] for each in status_of(body)["conditions"]}["SharedResourceWarning"]
    assert condition == f"{place}/ConfigMap/web belongs to {first} already and is left alone" or first in condition
    assert agent.get("ConfigMap", place, "web")["data"] == {"from_": "first"}
    assert agent.find("ConfigMap", place, "own") is not None
    body = agent.wait(second, lambda body: phase_of(body) == "Succeeded")
    assert (sync_of(body), resources_of(body)) == (
        "OutOfSync",
        {"ConfigMap/own": "Synced", "ConfigMap/web": "OutOfSync"},
    )
    assert results_of(body) == {"ConfigMap/own": "Synced"}
    agent.until(lambda: agent.is_idle)

    # Nor is it pruned when the second one drops it.
    agent.push(second, repository, {"other/app.yaml": manifests(config("own"))})
    agent.wait(second, lambda body: "conditions" not in status_of(body))
    agent.until(lambda: agent.is_idle)
    assert agent.get("ConfigMap", place, "web")["data"] == {"from_": "first"}

    # When the first one drops it, the second gets it.
    agent.push(second, repository, {"other/app.yaml": manifests(config("web", from_="second"), config("own"))})
    agent.wait(second, lambda body: sync_of(body) == "OutOfSync")
    agent.push_and_wait(first, repository, {"app.yaml": manifests(config("another"))})
    agent.refresh(second)
    agent.synced(second, repository.git("rev-parse", "HEAD"))
    assert agent.get("ConfigMap", place, "web")["data"] == {"from_": "second"}


def test_what_an_application_left_behind_is_whose_git_gives_it_to_next(agent, place):
    """As when an Application without a finalizer is renamed: nothing is made anew."""
    repository = agent.repository({"app.yaml": manifests(config("web", it="1"), deployment("web"))})
    first, second = f"first-{place}", f"second-{place}"
    agent.follow(repository, place, first)
    head = repository.git("rev-parse", "HEAD")
    agent.synced(first, head)
    before = agent.get("Deployment", place, "web")
    agent.follow(repository, place, second)
    agent.wait(second, lambda body: sync_of(body) == "OutOfSync")
    agent.delete("Application", agent.namespace, first)
    agent.until_gone("Application", agent.namespace, first)
    agent.refresh(second)
    agent.synced(second, head)
    after = agent.get("Deployment", place, "web")
    assert (after["metadata"]["uid"], after["spec"]) == (before["metadata"]["uid"], before["spec"])
    assert after["metadata"]["annotations"]["argocd.argoproj.io/tracking-id"].startswith(f"{second}:")


@pytest.mark.parametrize("attempt", range(3))
def test_of_two_applications_that_make_one_object_at_once_one_gets_it(own_agent, place, attempt):
    """Both are new when the agent begins, so eight threads work on them side by side."""
    agent, names = own_agent, [f"{letter}-{place}" for letter in "abcd"]
    shared = [config(f"cm-{number}", it="1") for number in range(40)]
    repository = agent.repository({"app.yaml": manifests(*shared)})
    for name in names:
        agent.follow(repository, place, name)
    agent.start()
    for name in names:
        agent.wait(name, lambda body: status_of(body).get("history") and phase_of(body) == "Succeeded")
    agent.until(lambda: agent.is_idle)
    owners = {}
    for each in shared:
        found = agent.get("ConfigMap", place, each["metadata"]["name"])["metadata"]
        owners[f"ConfigMap/{found['name']}"] = found["annotations"]["argocd.argoproj.io/tracking-id"].partition(":")[0]
    for name in names:
        body = agent.app(name)
        own = {key for key, owner in owners.items() if owner == name}
        assert {key for key, status in resources_of(body).items() if status == "Synced"} == own
        assert sync_of(body) == ("Synced" if len(own) == len(shared) else "OutOfSync")
    made = [call for call in agent.about(place) if call.resource == "configmaps" and call.is_write and call.code < 300]
    assert len(made) == len(shared), "each was written once"
