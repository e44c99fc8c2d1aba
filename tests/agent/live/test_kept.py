"""Definitions in Git are kept: what somebody changes of them in the cluster is put back, except what is people's."""

from __future__ import annotations

import pytest

from gitops_bot.agent.loop.definitions import Origin
from gitops_bot.agent.rules.guards import APPROVED
from tests.agent.live.harness import LiveAgent, Repository, config, manifests, resources_of, sync_of
from tests.agent.live.test_definitions import application
from tests.agent.live.test_watched import events

SKIP, REFRESH = "argocd.argoproj.io/skip-reconcile", "argocd.argoproj.io/refresh"
PROJECT = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "AppProject",
    "metadata": {"name": "team", "namespace": "argocd"},
    "spec": {"sourceRepos": ["*"], "destinations": [{"server": "*", "namespace": "*"}]},
}


class Shop:
    """An agent that asks Git once, and has one project and one Application from there."""

    def __init__(self, agent: LiveAgent, place: str) -> None:
        self.agent = agent
        name = f"kept-{place}"
        self.app = application("shop", f"{agent.url}/{name}", place, "shop")
        self.app["spec"]["project"] = "team"
        self.app["metadata"]["labels"] = {"team": "shop"}
        self.repository: Repository = agent.repository(
            {"shop/a.yaml": manifests(config("one", key="1")), "apps/all.yaml": manifests(PROJECT, self.app)}, name
        )
        self.start()
        agent.synced("shop", self.repository.git("rev-parse", "HEAD"))
        agent.until(lambda: agent.is_idle)

    def start(self, poll: float = 600.0) -> None:
        self.agent.start(origin=Origin(self.repository.url, "apps", "main"), poll=poll)

    def get(self, kind: str = "Application"):
        return self.agent.get(kind, self.agent.namespace, "shop" if kind == "Application" else "team")

    def edit(self, change, kind: str = "Application", manager: str = "kubectl-edit"):
        name = "shop" if kind == "Application" else "team"
        return self.agent.patch(kind, self.agent.namespace, name, change, manager)


@pytest.fixture
def shop(own_agent, place):
    return Shop(own_agent, place)


EDITS = {
    "a field of Git": ("Application", {"spec": {"source": {"path": "elsewhere"}}}),
    "a field that Git does not have": ("Application", {"spec": {"syncPolicy": {"syncOptions": ["Prune=false"]}}}),
    "a field taken away": ("Application", {"spec": {"syncPolicy": None}}),
    "a label": ("Application", {"metadata": {"labels": {"team": None}}}),
    "a project": ("AppProject", {"spec": {"destinations": []}}),
    "a project's own limit": ("AppProject", {"spec": {"clusterResourceWhitelist": [{"group": "*", "kind": "*"}]}}),
}


@pytest.mark.parametrize("edit", EDITS)
def test_what_somebody_changes_of_a_definition_is_put_back_without_a_poll(shop, edit):
    kind, change = EDITS[edit]
    before = shop.get(kind)
    shop.edit(change, kind)
    shop.agent.until(
        lambda: (
            (now := shop.get(kind))["spec"] == before["spec"]
            and now["metadata"].get("labels", {}).items() >= before["metadata"]["labels"].items()
        ),
        "as Git says",
    )
    if kind == "Application":
        told = shop.agent.until(
            lambda: [each for each in events(shop.agent, "shop") if each["reason"] == "DefinitionRestored"], "told"
        )
        assert f"Application.argoproj.io/{shop.agent.namespace}/shop is not what Git says (" in told[0]["message"]
    shop.agent.until(lambda: shop.agent.is_idle)


def test_who_changes_it_again_and_again_is_answered_more_slowly(shop):
    since, before = shop.agent.now(), shop.get("AppProject")["spec"]

    def is_gits() -> bool:
        return bool(shop.get()["spec"]["source"]["path"] == "shop")

    for path in "abc":  # at once, after two seconds, after six; the next one after eighteen
        shop.edit({"spec": {"source": {"path": path}}})
        shop.agent.until(is_gits, "as Git says")
    shop.edit({"spec": {"source": {"path": "d"}}})
    shop.edit({"spec": {"destinations": []}}, "AppProject")
    shop.agent.until(lambda: shop.get("AppProject")["spec"] == before, "as Git says")
    assert not is_gits(), "each has its own distance"
    shop.agent.until(is_gits, "as Git says, in the end")
    written = [
        call for call in shop.agent.calls(since)
        if call.is_write and call.resource == "applications" and "fieldManager=gitops-bot&" in call.uri
    ]  # fmt: skip
    assert len(written) == 4, "once for each"


def test_what_is_peoples_stays(shop):
    before = shop.get()["spec"]
    since = shop.agent.now()
    asked = {REFRESH: "normal", APPROVED: "2026-01-01T00:00:00Z"}
    shop.edit({"metadata": {"annotations": asked}, "operation": {"sync": {}}}, manager="kubectl-annotate")
    shop.agent.until(lambda: "operation" not in shop.get() and REFRESH not in shop.get()["metadata"]["annotations"])
    shop.agent.until(lambda: shop.agent.is_idle)
    assert shop.get()["metadata"]["annotations"][APPROVED] == asked[APPROVED]
    written = [
        call for call in shop.agent.calls(since)
        if call.is_write and call.resource == "applications" and "fieldManager=gitops-bot&" in call.uri
    ]  # fmt: skip
    assert written == []
    assert shop.get()["spec"] == before


def test_who_may_not_wait_says_that_it_is_left_alone(shop):
    """An edit stays while people have it left alone, also over a commit; then Git's word counts."""
    shop.edit({"metadata": {"annotations": {SKIP: "true"}}}, manager="kubectl-annotate")
    shop.edit({"spec": {"syncPolicy": None}})
    shop.app["spec"]["revisionHistoryLimit"] = 3
    shop.repository.push({"apps/all.yaml": manifests(PROJECT, shop.app)})
    shop.agent.stop()
    shop.start(poll=0.5)
    shop.agent.until(lambda: shop.agent.is_idle)
    assert "syncPolicy" not in shop.get()["spec"]
    shop.edit({"metadata": {"annotations": {SKIP: None}}}, manager="kubectl-annotate")
    shop.agent.until(lambda: shop.get()["spec"] == shop.app["spec"], "as Git says")


@pytest.mark.parametrize("kind", ["Application", "AppProject"])
def test_a_definition_that_somebody_deletes_is_made_anew_without_a_poll(shop, kind):
    uid = shop.get(kind)["metadata"]["uid"]
    name = "shop" if kind == "Application" else "team"
    shop.agent.delete(kind, shop.agent.namespace, name)
    found = shop.agent.until(
        lambda: (
            (found := shop.agent.find(kind, shop.agent.namespace, name)) and found["metadata"]["uid"] != uid and found
        ),
        "made anew",
    )
    assert found["metadata"]["namespace"] == shop.agent.namespace
    shop.agent.until(lambda: sync_of(shop.agent.app("shop")) == "Synced" and resources_of(shop.agent.app("shop")))


# -- removals ---------------------------------------------------------------------------------------------------------

PVC = {
    "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}  # fmt: skip


def test_a_removal_that_is_held_waits_for_its_approval_over_a_restart(shop):
    agent = shop.agent
    other = application("other", shop.repository.url, "nowhere", "shop", finalizer=False)
    commit = shop.repository.push({"shop/data.yaml": manifests(PVC), "apps/other.yaml": manifests(other)})
    agent.stop()
    shop.start(poll=0.5)
    agent.wait("shop", lambda body: sync_of(body) == "Synced" and body["status"]["sync"]["revision"] == commit)
    shop.repository.push({"apps/all.yaml": manifests(PROJECT)})
    agent.until(lambda: "shop any more" in agent.agent.controller.problem, "it is held")
    held = shop.get()["metadata"]["annotations"]["gitops-bot/removal-held"]

    agent.stop()
    agent.approve("shop")  # while nobody runs
    approved = shop.get()["metadata"]["annotations"][APPROVED]
    assert approved >= held
    shop.start(poll=0.5)
    agent.until(lambda: "shop" not in agent.names("Application", agent.namespace), "it goes")


def test_an_approval_from_before_a_removal_was_held_is_none_for_it_after_a_restart_either(shop):
    agent = shop.agent
    other = application("other", shop.repository.url, "nowhere", "shop", finalizer=False)
    shop.repository.push({"shop/data.yaml": manifests(PVC), "apps/other.yaml": manifests(other)})
    shop.edit({"metadata": {"annotations": {APPROVED: "2026-01-01T00:00:00Z"}}}, manager="kubectl-annotate")
    agent.stop()
    shop.start(poll=0.5)
    agent.wait("shop", lambda body: "PersistentVolumeClaim/data" in resources_of(body) and sync_of(body) == "Synced")
    shop.repository.push({"apps/all.yaml": manifests(PROJECT)})
    agent.until(lambda: "shop any more" in agent.agent.controller.problem, "it is held")
    agent.stop()
    shop.start(poll=0.5)
    agent.until(lambda: "shop any more" in agent.agent.controller.problem, "it is held again")
    assert shop.get()["metadata"]["annotations"]["gitops-bot/removal-held"]

    # It is defined again: nothing is held.
    shop.repository.push({"apps/all.yaml": manifests(PROJECT, shop.app)})
    agent.until(lambda: "gitops-bot/removal-held" not in shop.get()["metadata"]["annotations"])
