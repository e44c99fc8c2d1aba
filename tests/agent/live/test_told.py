"""What people have to know of an Application that is synced all the same."""

from __future__ import annotations

import secrets

import pytest

from tests.agent.live.harness import LiveAgent, conditions_of, config, manifests, sync_of


def test_what_has_no_effect_is_told(agent: LiveAgent, place: str) -> None:
    """An object that is there twice, an option in another spelling, and what of a project nobody enforces."""
    name, project = f"shop-{place}", f"p-{secrets.token_hex(3)}"
    spec = {
        "sourceRepos": ["*"], "destinations": [{"server": "*", "namespace": "*"}],
        "roles": [{"name": "dev", "policies": []}], "orphanedResources": {"warn": True},
    }  # fmt: skip
    metadata = {"name": project, "namespace": agent.namespace}
    agent.create(
        {"apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "metadata": metadata, "spec": spec},
        agent.namespace,
    )
    repository = agent.repository({"app.yaml": manifests(config("twice", it="1"), config("twice", it="2"))})
    policy = {"automated": {}, "syncOptions": ["prunelast=true"]}
    agent.follow(repository, place, name, project=project, policy=policy)
    commit = repository.git("rev-parse", "HEAD")
    told = conditions_of(agent.synced(name, commit))
    assert set(told) == {"RepeatedResourceWarning", "UnknownOptionWarning", "ProjectNotEnforcedWarning"}
    assert told["RepeatedResourceWarning"] == f"ConfigMap/{place}/twice is there more than once; the last one counts"
    assert "prunelast=true is unknown" in told["UnknownOptionWarning"]
    assert f"AppProject {project} has " in told["ProjectNotEnforcedWarning"]
    assert agent.get("ConfigMap", place, "twice")["data"] == {"it": "2"}

    agent.patch("AppProject", agent.namespace, project, {"spec": {"roles": None, "orphanedResources": None}})
    agent.change(name, {"spec": {"syncPolicy": {"syncOptions": []}}})
    commit = agent.push(name, repository, {"app.yaml": manifests(config("twice", it="2"))})
    agent.wait(name, lambda body: not conditions_of(body) and sync_of(body) == "Synced")


@pytest.mark.parametrize(
    "rule",
    [
        {"jsonPointers": ["/data/theirs"]},
        {"jqPathExpressions": [".data.theirs"]},
        {"managedFieldsManagers": ["some-controller"]},
        {"jsonPointers": ["/data/theirs"], "name": "settings"},
    ],
    ids="+".join,
)
def test_what_is_ignored_is_whoever_writes_it(agent: LiveAgent, place: str, rule: dict[str, object]) -> None:
    """In whatever way the rule names it; what it does not name is Git's."""
    name = f"shop-{place}"
    repository = agent.repository({"app.yaml": manifests(config("settings", ours="1", theirs="1"))})
    agent.follow(repository, place, name, ignoreDifferences=[{"group": "", "kind": "ConfigMap", **rule}])
    agent.synced(name, repository.git("rev-parse", "HEAD"))

    mark = agent.apps.mark(name)
    agent.patch("ConfigMap", place, "settings", {"data": {"theirs": "x"}}, "some-controller")
    agent.patch("ConfigMap", place, "settings", {"data": {"ours": "x"}}, "another")
    agent.until(lambda: agent.get("ConfigMap", place, "settings")["data"]["ours"] == "1", "put back")
    agent.apps.until(name, lambda body: sync_of(body) == "Synced", since=mark)
    agent.until(lambda: agent.is_idle)
    assert agent.get("ConfigMap", place, "settings")["data"] == {"ours": "1", "theirs": "x"}

    agent.push_and_wait(name, repository, {"app.yaml": manifests(config("settings", ours="2", theirs="2"))})
    assert agent.get("ConfigMap", place, "settings")["data"] == {"ours": "2", "theirs": "x"}
