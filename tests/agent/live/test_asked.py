"""What people ask of an Application by its ``operation``: done where Git says the same, refused with a reason elsewhere."""

from __future__ import annotations

import pytest

from tests.agent.live.harness import (
    config,
    deployment,
    manifests,
    phase_of,
    resources_of,
    results_of,
    status_of,
    sync_of,
)


def followed(agent, place):
    """An Application that waits to be asked; its name, the first commit and the second."""
    name = f"shop-{place}"
    repository = agent.repository({"app.yaml": manifests(config("settings", it="1"))})
    first = repository.git("rev-parse", "HEAD")
    second = repository.push({"app.yaml": manifests(config("settings", it="2"))})
    agent.follow(repository, place, name, policy={})
    agent.wait(name, resources_of)
    return name, repository, first, second


def ended(agent, name):
    return agent.wait(name, lambda body: "operation" not in body and phase_of(body) in ("Succeeded", "Failed", "Error"))


@pytest.mark.parametrize("named", ["{second}", "main", "", "{short}"])
def test_an_operation_may_name_what_is_followed(agent, place, named):
    name, _, _, second = followed(agent, place)
    agent.ask(name, revision=named.format(second=second, short=second[:8]))
    assert phase_of(ended(agent, name)) == "Succeeded"
    assert agent.get("ConfigMap", place, "settings")["data"] == {"it": "2"}


@pytest.mark.parametrize("what", ["revision", "branch", "revisions", "source", "manifests"])
def test_an_operation_that_wants_something_else_than_git_says_is_refused(agent, place, what):
    name, repository, first, second = followed(agent, place)
    other = {"repoURL": repository.url, "targetRevision": "main", "path": "elsewhere"}
    sync, words = {
        "revision": ({"revision": first}, f"it asks for {first}, and main at {second[:8]} is followed: to go back, revert"),
        "branch": ({"revision": "release"}, "it asks for release, and main at"),
        "revisions": ({"revisions": [first]}, f"it asks for {first}"),
        "source": ({"source": other}, "it names another source than spec does: to go back, revert in Git"),
        "manifests": ({"manifests": [manifests(config("own"))]}, "it brings manifests of its own"),
    }[what]  # fmt: skip
    agent.ask(name, **sync)
    body = ended(agent, name)
    state = status_of(body)["operationState"]
    assert (state["phase"], state["operation"]["initiatedBy"]) == ("Failed", {"username": "ada"})
    assert state["message"].startswith(f"refused: {words}")
    assert agent.find("ConfigMap", place, "settings") is None
    assert "history" not in status_of(body)

    agent.ask(name)
    assert phase_of(agent.wait(name, lambda body: phase_of(body) == "Succeeded")) == "Succeeded"


def test_a_refused_operation_changes_nothing_about_what_is_due_by_itself(agent, place):
    name = f"shop-{place}"
    repository = agent.repository({"app.yaml": manifests(config("settings", it="1"))})
    first = repository.git("rev-parse", "HEAD")
    agent.follow(repository, place, name)
    agent.synced(name, first)
    agent.push_and_wait(name, repository, {"app.yaml": manifests(config("settings", it="2"))})
    agent.ask(name, revision=first)
    agent.wait(name, lambda body: phase_of(body) == "Failed")
    agent.patch("ConfigMap", place, "settings", {"data": {"it": "by hand"}})
    agent.until(lambda: agent.get("ConfigMap", place, "settings")["data"] == {"it": "2"}, "healed")
    agent.push_and_wait(name, repository, {"app.yaml": manifests(config("settings", it="3"))})


def test_a_dry_run_writes_nothing_and_says_what_would_be(agent, place):
    name, _, _, second = followed(agent, place)
    since = agent.now()
    agent.ask(name, dryRun=True)
    body = ended(agent, name)
    assert (phase_of(body), results_of(body)) == ("Succeeded", {"ConfigMap/settings": "Synced"})
    assert "nothing was written" in status_of(body)["operationState"]["message"]
    assert [call for call in agent.about(place, since) if call.is_write] == []
    assert agent.find("ConfigMap", place, "settings") is None
    assert "history" not in status_of(body), "it is nobody's sync of this commit"

    agent.ask(name)
    body = agent.wait(name, lambda body: status_of(body).get("history"))
    assert status_of(body)["history"][-1]["revision"] == second


def test_a_sync_of_some_objects_touches_no_other_and_is_in_no_history(agent, place):
    name = f"shop-{place}"
    repository = agent.repository({"app.yaml": manifests(*(config(each, it="1") for each in "abc"))})
    agent.follow(repository, place, name, policy={})
    agent.wait(name, resources_of)
    agent.ask(name, resources=[{"kind": "ConfigMap", "name": "b", "namespace": place}, {"kind": "Secret", "name": "c"}])
    body = agent.wait(
        name, lambda body: phase_of(body) == "Succeeded" and resources_of(body)["ConfigMap/b"] == "Synced"
    )
    assert results_of(body) == {"ConfigMap/b": "Synced"}
    assert resources_of(body) == {"ConfigMap/a": "OutOfSync", "ConfigMap/b": "Synced", "ConfigMap/c": "OutOfSync"}
    assert "history" not in status_of(body)
    assert agent.find("ConfigMap", place, "a") is None


@pytest.mark.parametrize("prune", [False, True])
def test_a_sync_prunes_when_it_is_asked_to(agent, place, prune):
    name = f"shop-{place}"
    repository = agent.repository({"a.yaml": manifests(config("a")), "b.yaml": manifests(config("b"))})
    agent.follow(repository, place, name, policy={})
    agent.wait(name, resources_of)
    agent.ask(name)
    agent.synced(name, repository.git("rev-parse", "HEAD"))
    agent.push(name, repository, {"b.yaml": None})
    agent.wait(name, lambda body: sync_of(body) == "OutOfSync")

    agent.ask(name, prune=prune)
    body = ended(agent, name)
    assert results_of(body)["ConfigMap/b"] == ("Pruned" if prune else "PruneSkipped")
    assert (agent.find("ConfigMap", place, "b") is None) is prune


def test_options_and_retries_of_an_operation_are_its_own(agent, place):
    """A field that the kind does not have is taken by this sync, and refused by the next, which tries once more."""
    name, typo = f"shop-{place}", deployment("web")
    typo["spec"]["replcas"] = 3
    repository = agent.repository({"app.yaml": manifests(typo)})
    agent.follow(repository, place, name, policy={})
    agent.wait(name, resources_of)
    retry = {"limit": 1, "backoff": {"duration": "100ms"}}
    agent.change(name, {"operation": {"sync": {}, "retry": retry}})
    body = ended(agent, name)
    assert phase_of(body) == "Failed"
    assert status_of(body)["operationState"]["retryCount"] == 1
    assert agent.find("Deployment", place, "web") is None

    agent.ask(name, syncOptions=["Validate=false"])
    agent.until_there("Deployment", place, "web")


def test_what_people_have_left_alone_is_left_alone(agent, place):
    """Neither drift nor a commit nor an operation is anything to it; without the word all of that is caught up."""
    name, skip = f"shop-{place}", "argocd.argoproj.io/skip-reconcile"
    repository = agent.repository({"app.yaml": manifests(config("settings", it="1"))})
    agent.follow(repository, place, name)
    agent.synced(name, repository.git("rev-parse", "HEAD"))
    agent.change(name, {"metadata": {"annotations": {skip: "true"}}})
    agent.until(lambda: agent.is_idle)
    since = agent.now()
    agent.patch("ConfigMap", place, "settings", {"data": {"it": "by hand"}})
    commit = agent.push(name, repository, {"app.yaml": manifests(config("settings", it="2"))})
    agent.ask(name)
    # Another Application that is touched later, and done: what was due before it was looked at, too.
    agent.follow(
        repository, f"{place}-other", f"{name}-other", policy={"automated": {}, "syncOptions": ["CreateNamespace=true"]}
    )
    agent.synced(f"{name}-other", commit)
    agent.until(lambda: agent.is_idle)
    assert agent.get("ConfigMap", place, "settings")["data"] == {"it": "by hand"}
    written = [call for call in agent.calls(since) if call.is_write and (call.namespace == place or call.name == name)]
    assert written == []

    agent.change(name, {"metadata": {"annotations": {skip: None}}})
    agent.synced(name, commit)
    assert agent.get("ConfigMap", place, "settings")["data"] == {"it": "2"}
    agent.delete("Namespace", "", f"{place}-other")
