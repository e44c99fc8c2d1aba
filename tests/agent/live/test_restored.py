"""Objects that come back from a backup, without what the API server knew of who applied them."""

from __future__ import annotations

import pytest

from tests.agent.live.harness import JSON_PATCH, STRATEGIC, Body, LiveAgent, config, deployment, manifests

NAMES = {"ConfigMap": "settings", "Deployment": "web"}


def with_sidecar(*names: str) -> Body:
    """A Deployment that nobody scales, with a container more for each name."""
    body = deployment("web", 1)
    containers = body["spec"]["template"]["spec"]["containers"]
    containers += [{"name": name, "image": f"example.org/{name}:1"} for name in names]
    return body


def by_a_backup(agent: LiveAgent, place: str, kind: str, name: str) -> None:
    """Deleted, and made anew by a program that keeps only what people write."""
    found = agent.get(kind, place, name)
    agent.delete(kind, place, name)
    agent.until_gone(kind, place, name)
    kept = {key: found["metadata"][key] for key in ("name", "labels", "annotations")}
    agent.create({**found, "metadata": kept}, place, manager="velero-server")


def by_an_older_backup(agent: LiveAgent, place: str, kind: str, name: str) -> None:
    by_a_backup(agent, place, kind, name)
    change = {
        "ConfigMap": {"data": {"three": "older"}},
        "Deployment": {"spec": {"template": {"spec": {"containers": [{"name": "old", "image": "example.org/old:0"}]}}}},
    }[kind]
    agent.patch(kind, place, name, change, "velero-server", content_type=STRATEGIC)


def by_clearing(agent: LiveAgent, place: str, kind: str, name: str) -> None:
    clear = [{"op": "replace", "path": "/metadata/managedFields", "value": [{}]}]
    agent.patch(kind, place, name, clear, content_type=JSON_PATCH)


def managers(agent: LiveAgent, place: str, kind: str) -> set[str]:
    entries = agent.get(kind, place, NAMES[kind])["metadata"].get("managedFields", ())
    return {each["manager"] for each in entries}


RESTORED = pytest.mark.parametrize("restored", [by_a_backup, by_an_older_backup, by_clearing])


@RESTORED
def test_what_git_dropped_while_an_object_was_away_goes_all_the_same(own_agent, place, restored):
    agent, name = own_agent, f"shop-{place}"
    before = [config("settings", one="1", two="2", three="3"), with_sidecar("old")]
    repository = agent.repository({"app.yaml": manifests(*before)})
    agent.follow(repository, place, name)
    agent.start()
    agent.synced(name, repository.git("rev-parse", "HEAD"))
    agent.stop()
    restored(agent, place, "ConfigMap", "settings")
    restored(agent, place, "Deployment", "web")

    commit = repository.push({"app.yaml": manifests(config("settings", one="1", two="x"), with_sidecar())})
    agent.change(name, {})
    agent.start()
    agent.synced(name, commit)
    assert agent.get("ConfigMap", place, "settings")["data"] == {"one": "1", "two": "x"}
    found = agent.get("Deployment", place, "web")["spec"]["template"]["spec"]["containers"]
    assert [each["name"] for each in found] == ["web"]


@RESTORED
def test_what_git_drops_after_an_object_came_back_goes(own_agent, place, restored):
    agent, name = own_agent, f"shop-{place}"
    repository = agent.repository({"app.yaml": manifests(config("settings", one="1", three="3"), with_sidecar("old"))})
    agent.follow(repository, place, name)
    agent.start()
    agent.synced(name, repository.git("rev-parse", "HEAD"))
    agent.stop()
    restored(agent, place, "ConfigMap", "settings")
    restored(agent, place, "Deployment", "web")
    agent.start()
    agent.until(lambda: all("gitops-bot" in managers(agent, place, kind) for kind in NAMES), "they are ours again")
    agent.push_and_wait(name, repository, {"app.yaml": manifests(config("settings", one="1"), with_sidecar())})
    assert agent.get("ConfigMap", place, "settings")["data"] == {"one": "1"}
    found = agent.get("Deployment", place, "web")["spec"]["template"]["spec"]["containers"]
    assert [each["name"] for each in found] == ["web"]


def test_what_others_wrote_into_a_restored_object_stays(own_agent, place):
    """Also where Git says the same about it as when it was last synced, and where it has dropped the field: ignored."""
    agent, name = own_agent, f"shop-{place}"
    repository = agent.repository({"app.yaml": manifests(config("settings", one="1", two="2"))})
    agent.follow(repository, place, name, ignoreDifferences=[{"kind": "ConfigMap", "jsonPointers": ["/data/two"]}])
    agent.start()
    agent.synced(name, repository.git("rev-parse", "HEAD"))
    agent.stop()
    by_a_backup(agent, place, "ConfigMap", "settings")
    theirs = {"data": {"two": "theirs", "injected": "x"}}
    agent.patch("ConfigMap", place, "settings", theirs, "some-controller")
    commit = repository.push({"app.yaml": manifests(config("settings", one="x"))})
    agent.start()
    agent.synced(name, commit)
    assert agent.get("ConfigMap", place, "settings")["data"] == {"one": "x", **theirs["data"]}
