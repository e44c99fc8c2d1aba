"""``CreateNamespace=true`` and ``managedNamespaceMetadata``: what the namespace carries, and whose it is."""

from __future__ import annotations

from typing import Any

import pytest

from tests.agent.live.harness import (
    Body,
    LiveAgent,
    Repository,
    conditions_of,
    config,
    manifests,
    phase_of,
    status_of,
    sync_of,
)

SECURITY = "pod-security.kubernetes.io/enforce"


class Housed:
    """An Application whose namespace the agent makes."""

    def __init__(self, agent: LiveAgent, place: str) -> None:
        self.agent, self.place, self.name = agent, f"{place}-new", f"housed-{place}"
        self.repository: Repository = agent.repository({"app.yaml": manifests(config("settings", it="1"))})

    def follow(self, **metadata: dict[str, str]) -> Body:
        """Have it followed, with this metadata of its namespace."""
        self.agent.follow(self.repository, self.place, self.name, policy=self.policy(**metadata))
        return self.agent.synced(self.name, self.repository.git("rev-parse", "HEAD"))

    def policy(self, **metadata: dict[str, str]) -> dict[str, Any]:
        return {
            "automated": {"prune": True, "selfHeal": True}, "syncOptions": ["CreateNamespace=true"],
            "managedNamespaceMetadata": metadata,
        }  # fmt: skip

    def change(self, **metadata: dict[str, str]) -> None:
        """Somebody gives the namespace other metadata."""
        self.agent.change(self.name, {"spec": {"syncPolicy": {"managedNamespaceMetadata": None}}})
        self.agent.change(self.name, {"spec": {"syncPolicy": self.policy(**metadata)}})

    def push(self, it: str) -> None:
        files = {"app.yaml": manifests(config("settings", it=it))}
        self.agent.push_and_wait(self.name, self.repository, files)

    @property
    def labels(self) -> dict[str, str]:
        found = self.agent.get("Namespace", "", self.place)["metadata"]["labels"]
        return {name: text for name, text in found.items() if name != "kubernetes.io/metadata.name"}

    @property
    def annotations(self) -> dict[str, str]:
        return self.agent.get("Namespace", "", self.place)["metadata"].get("annotations", {})


@pytest.fixture
def housed(agent: LiveAgent, place: str):
    made = Housed(agent, place)
    yield made
    agent.delete("Namespace", "", made.place)


def test_a_namespace_is_made_with_its_metadata_and_has_what_git_says_of_it_later(housed):
    housed.follow(labels={"team": "a", "stage": "test"}, annotations={"example.org/owner": "ada"})
    assert (housed.labels, housed.annotations) == ({"team": "a", "stage": "test"}, {"example.org/owner": "ada"})

    mark = housed.agent.apps.mark(housed.name)
    housed.change(labels={"team": "b"}, annotations={"example.org/owner": "ada"})
    housed.agent.until(lambda: housed.labels == {"team": "b"}, "changed, and what it does not say any more is gone")
    body = housed.agent.apps.until(housed.name, lambda body: sync_of(body) == "OutOfSync", since=mark)
    differs = [each for each in status_of(body)["resources"] if each["status"] == "OutOfSync"]
    assert [(each["kind"], each["name"]) for each in differs] == [("Namespace", housed.place)]
    housed.agent.wait(housed.name, lambda body: sync_of(body) == "Synced" and phase_of(body) == "Succeeded")
    assert len(status_of(housed.agent.app(housed.name))["history"]) == 1, "a correction is no deployment"


def test_what_others_give_the_namespace_stays(housed):
    housed.follow(labels={"team": "a"})
    housed.agent.patch("Namespace", "", housed.place, {"metadata": {"labels": {"theirs": "x"}}}, "some-controller")
    housed.push("2")
    assert housed.labels == {"team": "a", "theirs": "x"}


def test_pod_security_is_what_the_namespace_was_made_with(housed):
    """Neither a later sync nor Git takes it away or makes it less, and who tried is told."""
    housed.follow(labels={"team": "a", SECURITY: "restricted"})
    assert housed.labels == {"team": "a", SECURITY: "restricted"}
    housed.push("2")
    assert housed.labels == {"team": "a", SECURITY: "restricted"}, "a second sync leaves it"

    housed.change(labels={"team": "b", SECURITY: "privileged"})
    body = housed.agent.wait(housed.name, lambda body: "NamespaceMetadataWarning" in conditions_of(body))
    told = conditions_of(body)["NamespaceMetadataWarning"]
    assert f"{SECURITY} of the namespace {housed.place} is restricted and stays so" in told
    housed.agent.until(lambda: housed.labels == {"team": "b", SECURITY: "restricted"})
    housed.change(labels={"team": "c"})
    housed.agent.until(lambda: housed.labels == {"team": "c", SECURITY: "restricted"})


def test_pod_security_of_somebody_elses_namespace_is_not_touched(housed):
    metadata = {"name": housed.place, "labels": {SECURITY: "baseline"}}
    housed.agent.create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    housed.follow(labels={"team": "a", SECURITY: "privileged", "pod-security.kubernetes.io/warn": "privileged"})
    assert housed.labels == {"team": "a", SECURITY: "baseline"}


def test_a_namespace_of_its_own_manifests_is_as_these_say(housed):
    """Also in a sync in which only something else differs."""
    own = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": housed.place, "labels": {"team": "manifest"}}}
    housed.repository.push({"namespace.yaml": manifests(own)})
    housed.follow(labels={"team": "metadata", "more": "x"})
    housed.push("2")
    marks = {"applyset.kubernetes.io/part-of"}
    assert {name: text for name, text in housed.labels.items() if name not in marks} == {"team": "manifest"}
    assert marks <= housed.labels.keys(), "it is the Application's own"


def test_the_namespace_is_nobodys_to_prune(housed):
    """Neither when the option goes, nor when the Application goes with its objects."""
    housed.follow(labels={"team": "a"})
    found = housed.agent.get("Namespace", "", housed.place)["metadata"]
    assert "applyset.kubernetes.io/part-of" not in found["labels"]
    assert "argocd.argoproj.io/tracking-id" not in found.get("annotations", {})
    housed.agent.change(housed.name, {"metadata": {"finalizers": ["resources-finalizer.argocd.argoproj.io"]}})
    housed.agent.change(housed.name, {"spec": {"syncPolicy": {"syncOptions": [], "managedNamespaceMetadata": None}}})
    housed.push("2")
    housed.agent.delete("Application", housed.agent.namespace, housed.name)
    housed.agent.until_gone("Application", housed.agent.namespace, housed.name)
    assert housed.agent.find("ConfigMap", housed.place, "settings") is None
    assert "deletionTimestamp" not in housed.agent.get("Namespace", "", housed.place)["metadata"]
