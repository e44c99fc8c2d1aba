"""What people ask of an Application by its ``operation``: done where Git says the same, refused with a reason elsewhere."""

from __future__ import annotations

import pytest

from tests.agent.live.harness import config, manifests, phase_of, resources_of, status_of


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
