"""Sync and compare options in a cluster: each against the twin without it."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from tests.agent.live.harness import (
    Body,
    LiveAgent,
    conditions_of,
    config,
    manifests,
    phase_of,
    resources_of,
    results_of,
    status_of,
    sync_of,
)
from tests.agent.live.test_kinds import definition, tea

OPTIONS = "argocd.argoproj.io/sync-options"
BOTH = pytest.mark.parametrize("given", [True, False])


def policy(*options: str, **automated: bool) -> Body:
    chosen: dict[str, Any] = {"prune": True, "selfHeal": True, **automated}
    return {"automated": chosen, "syncOptions": list(options), "retry": {"limit": 0}}


@BOTH
def test_fail_on_shared_resource_syncs_nothing_beside_anothers_object(agent: LiveAgent, place: str, given: bool):
    shared = config("shared", it="1")
    repository = agent.repository({"one/all.yaml": manifests(shared), "two/all.yaml": manifests(shared, config("own"))})
    head = repository.git("rev-parse", "HEAD")
    agent.follow(repository, place, f"one-{place}", source={"path": "one"})
    agent.synced(f"one-{place}", head)
    options = ["FailOnSharedResource=true"] if given else []
    agent.follow(repository, place, two := f"two-{place}", source={"path": "two"}, policy=policy(*options))
    body = agent.wait(two, lambda body: "SharedResourceWarning" in conditions_of(body))
    if given:
        assert f"one-{place}, and FailOnSharedResource=true" in conditions_of(body)["SyncError"]
        agent.ask(two)
        agent.wait(two, lambda body: phase_of(body) == "Error" and "operation" not in body)
        assert agent.find("ConfigMap", place, "own") is None
    else:
        agent.until_there("ConfigMap", place, "own")


@BOTH
def test_ignore_extraneous_keeps_a_leftover_from_making_it_out_of_sync(agent: LiveAgent, place: str, given: bool):
    marks = {"argocd.argoproj.io/compare-options": "IgnoreExtraneous"} if given else None
    repository = agent.repository({"a.yaml": manifests(config("a")), "b.yaml": manifests(config("b", marks))})
    agent.follow(repository, place, name := f"shop-{place}", policy=policy(prune=False))
    agent.synced(name, repository.git("rev-parse", "HEAD"))
    commit = agent.push(name, repository, {"b.yaml": None})
    body = agent.wait(name, lambda body: status_of(body)["sync"]["revision"] == commit)
    assert sync_of(body) == ("Synced" if given else "OutOfSync")
    assert resources_of(body)["ConfigMap/b"] == "OutOfSync", "it is told all the same"


@BOTH
def test_skip_dry_run_on_missing_resource_begins_before_the_kind_is_there(agent: LiveAgent, place: str, given: bool):
    """Its kind comes from elsewhere: what does not need it is applied meanwhile, or nothing is."""
    group = f"g{secrets.token_hex(3)}.example.org"
    body = tea(group)
    body["metadata"]["annotations"] = {OPTIONS: "SkipDryRunOnMissingResource=true"} if given else {}
    repository = agent.repository({"app.yaml": manifests(config("settings"), body)})
    agent.follow(repository, place, name := f"shop-{place}", policy=policy())
    told = agent.wait(name, lambda body: phase_of(body) == "Failed")
    assert f"the cluster has no kind Tea in {group}/v1" in status_of(told)["operationState"]["message"]
    assert (agent.find("ConfigMap", place, "settings") is not None) is given
    agent.forget(name)


@BOTH
def test_apply_out_of_sync_only_leaves_alone_what_is_equal_and_would_be_replaced(
    agent: LiveAgent, place: str, given: bool
):
    """What is equal is never applied again; ``Replace=true`` writes it anew in each sync unless this says no."""
    options = ["Replace=true", *(["ApplyOutOfSyncOnly=true"] if given else [])]
    repository = agent.repository({"a.yaml": manifests(config("a", it="1")), "b.yaml": manifests(config("b", it="1"))})
    agent.follow(repository, place, name := f"shop-{place}", policy=policy(*options))
    agent.synced(name, repository.git("rev-parse", "HEAD"))
    since = agent.now()
    agent.push_and_wait(name, repository, {"a.yaml": manifests(config("a", it="2"))})
    written = {(call.verb, call.name) for call in agent.about(place, since) if call.is_write}
    assert written == {("update", "a")} | (set() if given else {("update", "b")})


def test_prune_confirm_waits_for_a_word(agent: LiveAgent, place: str):
    repository = agent.repository(
        {"a.yaml": manifests(config("a")), "b.yaml": manifests(config("b", {OPTIONS: "Prune=confirm"}))}
    )
    agent.follow(repository, place, name := f"shop-{place}")
    agent.synced(name, repository.git("rev-parse", "HEAD"))
    commit = agent.push(name, repository, {"b.yaml": None})
    body = agent.wait(name, lambda body: "Prune=confirm" in conditions_of(body).get("PruneHeldWarning", ""))
    leftover = next(each for each in status_of(body)["resources"] if each["name"] == "b")
    assert leftover["requiresDeletionConfirmation"]
    assert agent.find("ConfigMap", place, "b") is not None
    agent.approve(name)
    agent.synced(name, commit)
    assert agent.find("ConfigMap", place, "b") is None


def test_a_definition_and_its_objects_come_in_one_sync(agent: LiveAgent, place: str):
    """In this order, also where a wave would have it the other way round."""
    group = f"g{secrets.token_hex(3)}.example.org"
    body = tea(group)
    body["metadata"]["annotations"] = {"argocd.argoproj.io/sync-wave": "-1"}
    repository = agent.repository({"app.yaml": manifests(body, definition(group), config("settings"))})
    agent.follow(repository, place, name := f"shop-{place}", policy=policy())
    done = agent.wait(name, lambda body: phase_of(body) in ("Succeeded", "Failed"))
    assert results_of(done) == {
        "ConfigMap/settings": "Synced", f"CustomResourceDefinition/teas.{group}": "Synced", "Tea/green": "Synced",
    }, status_of(done)["operationState"]["message"]  # fmt: skip
    agent.forget(name)
    agent.delete("CustomResourceDefinition", "", f"teas.{group}")


def test_a_namespace_and_what_is_in_it_come_in_one_sync(agent: LiveAgent, place: str):
    other = f"{place}-other"
    inside = config("settings", {"argocd.argoproj.io/sync-wave": "-1"})
    inside["metadata"]["namespace"] = other
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": other}}
    repository = agent.repository({"app.yaml": manifests(inside, namespace)})
    agent.follow(repository, place, name := f"shop-{place}", policy=policy())
    done = agent.wait(name, lambda body: phase_of(body) in ("Succeeded", "Failed"))
    assert results_of(done) == {"ConfigMap/settings": "Synced", f"Namespace/{other}": "Synced"}
    agent.forget(name)
    agent.delete("Namespace", "", other)
