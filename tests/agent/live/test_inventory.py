"""What is whose: what is pruned and what never is, what a restart costs, and that nothing is written half."""

from __future__ import annotations

import pytest

from tests.agent.live.harness import (
    LiveAgent,
    config,
    deployment,
    manifests,
    phase_of,
    resources_of,
    results_of,
    service,
    status_of,
    sync_of,
)


def secret(name):
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"key": "value"}}


class Installed:
    def __init__(self, agent: LiveAgent, namespace: str, *bodies, **follow) -> None:
        self.agent, self.namespace, self.name = agent, namespace, f"app-{namespace}"
        self.repository = agent.repository({"app.yaml": manifests(*bodies)})
        agent.follow(self.repository, namespace, self.name, **follow)
        agent.synced(self.name, self.repository.git("rev-parse", "HEAD"))

    def push(self, *bodies):
        return self.agent.push(self.name, self.repository, {"app.yaml": manifests(*bodies)})

    def push_and_wait(self, *bodies):
        return self.agent.synced(self.name, self.push(*bodies))


# -- prune ------------------------------------------------------------------------------------------------------------


def test_copied_labels_and_ids_are_never_pruned(agent, place):
    """A Service's labels are on its Endpoints and EndpointSlices, a Deployment's annotations on its ReplicaSets."""
    own_endpoints = {"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "own"}}
    own_slice = {
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": {"name": "own"},
        "addressType": "IPv4", "endpoints": [],
    }  # fmt: skip
    own_set = {
        "apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "own"},
        "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "own"}},
                 "template": {"metadata": {"labels": {"app": "own"}},
                              "spec": {"containers": [{"name": "web", "image": "example.org/web:1"}]}}},
    }  # fmt: skip
    kept = [deployment("web"), service("web", 80), config("web", key="1")]
    # With objects of these kinds in Git the agent looks after the kinds, and so meets the copies.
    app = Installed(agent, place, *kept, own_endpoints, own_slice, own_set)
    copied = [
        each["metadata"]["name"]
        for kind in ("Endpoints", "EndpointSlice", "ReplicaSet")
        for each in agent.all(kind, place)
        if each["metadata"]["name"] != "own"
    ]
    assert len(copied) == 3
    label = "applyset.kubernetes.io/part-of"
    agent.until(lambda: label in agent.get("Endpoints", place, "web")["metadata"].get("labels", {}), "the copy")

    # A person's copy, and what a controller owns although it has both marks.
    found = agent.get("ConfigMap", place, "web")["metadata"]
    marks = {"labels": found["labels"], "annotations": found["annotations"]}
    agent.create({**config("copy", key="2"), "metadata": {"name": "copy", **marks}}, place)
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "web", "uid": found["uid"]}
    tracking = {"argocd.argoproj.io/tracking-id": f"{app.name}:/ConfigMap:{place}/owned"}
    metadata = {"name": "owned", "labels": found["labels"], "annotations": tracking, "ownerReferences": [owner]}
    agent.create({**config("owned", key="3"), "metadata": metadata}, place)

    app.push_and_wait(*kept)
    assert all(agent.find(kind, place, "own") is None for kind in ("Endpoints", "EndpointSlice", "ReplicaSet"))
    left = [name for kind in ("Endpoints", "EndpointSlice", "ReplicaSet") for name in agent.names(kind, place)]
    assert left == copied
    assert {"copy", "owned", "web"} <= set(agent.names("ConfigMap", place))


def test_prune_false_on_the_object_keeps_it(agent, place):
    keep = {"argocd.argoproj.io/sync-options": "Prune=false"}
    app = Installed(agent, place, config("web", key="1"), config("kept", keep, key="1"), config("gone", key="1"))
    commit = app.push(config("web", key="1"))
    body = agent.wait(app.name, lambda body: "history" in status_of(body) and len(status_of(body)["history"]) == 2)
    assert status_of(body)["sync"]["revision"] == commit
    assert results_of(body) == {"ConfigMap/gone": "Pruned", "ConfigMap/kept": "PruneSkipped"}
    assert sync_of(body) == "OutOfSync"
    left = {"ConfigMap/web": "Synced", "ConfigMap/kept": "OutOfSync"}
    agent.wait(app.name, lambda body: resources_of(body) == left)  # as soon as the watch has told what is gone
    assert agent.find("ConfigMap", place, "kept") is not None
    assert agent.find("ConfigMap", place, "gone") is None


# -- restart ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def restarted(own_agent, place):
    """An agent of the test's own, running, and its namespace."""
    own_agent.start()
    return own_agent, place


def test_a_kind_that_left_git_while_no_agent_ran_is_still_pruned(restarted):
    agent, place = restarted
    app = Installed(agent, place, config("web", key="1"), secret("web"))
    agent.stop()
    mark = agent.apps.mark(app.name)
    commit = app.repository.push({"app.yaml": manifests(config("web", key="1"))})
    agent.start()
    agent.apps.until(
        app.name,
        lambda body: sync_of(body) == "Synced" and status_of(body)["sync"]["revision"] == commit,
        since=mark,
    )  # fmt: skip
    assert agent.find("Secret", place, "web") is None


def test_a_restart_asks_for_nothing_that_did_not_change_and_finds_what_did(restarted):
    agent, place = restarted
    app = Installed(
        agent,
        place,
        *(config(f"web-{number}", key="1") for number in range(12)),
        secret("web"),
        deployment("web"),
        service("web", 80),
    )
    agent.until(lambda: agent.is_idle)
    agent.stop()

    since = agent.now()
    agent.start()
    agent.until(lambda: agent.is_idle)
    calls = agent.about(place, since)
    assert [call for call in calls if call.is_write or call.is_dry_run] == []
    assert [call for call in calls if call.name and call.resource not in ("deployments", "services")] == [], (
        "only health is read"
    )
    assert [
        call for call in agent.about(agent.namespace, since) if call.is_write and call.resource == "applications"
    ] == []

    agent.stop()
    agent.patch("ConfigMap", place, "web-7", {"data": {"key": "mine"}})
    agent.patch("ConfigMap", place, "web-8", {"data": {"more": "mine"}})
    since = agent.now()
    agent.start()
    agent.until(lambda: agent.get("ConfigMap", place, "web-7")["data"] == {"key": "1"})
    agent.until(lambda: agent.get("ConfigMap", place, "web-8")["data"] == {"key": "1"})
    agent.until(lambda: agent.is_idle)
    tried = {call.name for call in agent.about(place, since) if call.is_dry_run}
    assert tried == {"web-7", "web-8"}
    assert sync_of(agent.app(app.name)) == "Synced"


# -- nothing half -----------------------------------------------------------------------------------------------------

_NO_SELECTOR = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "broken"}, "spec": {"replicas": 1}}


def test_one_refusal_of_a_new_object_and_nothing_is_written(agent, place):
    app = Installed(agent, place, config("web", key="1"), policy={"automated": {"prune": True}, "retry": {"limit": 0}})
    since = agent.now()
    app.push(config("web", key="2"), config("new", key="1"), _NO_SELECTOR)
    body = agent.wait(app.name, lambda body: phase_of(body) == "Failed")
    assert status_of(body)["operationState"]["message"].startswith("nothing was written")
    assert results_of(body) == {"Deployment/broken": "SyncFailed"}
    assert [call for call in agent.about(place, since) if call.is_write] == []
    assert agent.get("ConfigMap", place, "web")["data"] == {"key": "1"}


def test_one_refusal_of_a_change_and_nothing_is_written(agent, place):
    app = Installed(
        agent, place, config("web", key="1"), deployment("web"), policy={"automated": {}, "retry": {"limit": 0}}
    )
    since = agent.now()
    other = deployment("web")
    other["spec"]["selector"]["matchLabels"]["tier"] = "x"
    other["spec"]["template"]["metadata"]["labels"]["tier"] = "x"
    app.push(config("web", key="2"), config("new", key="1"), other)
    body = agent.wait(app.name, lambda body: phase_of(body) == "Failed")
    assert "field is immutable" in str(status_of(body)["operationState"]["syncResult"]["resources"])
    assert [call for call in agent.about(place, since) if call.is_write] == []


def test_a_first_install_is_not_tried_out(agent, place):
    since = agent.now()
    Installed(agent, place, config("web", key="1"), deployment("web"))
    assert [call for call in agent.about(place, since) if call.is_dry_run] == []


# -- other ways to write ----------------------------------------------------------------------------------------------


def test_force_makes_anew_what_cannot_be_changed(agent, place):
    force = {"argocd.argoproj.io/sync-options": "Force=true"}

    def body(tier):
        made = deployment("web")
        made["metadata"]["annotations"] = force
        made["spec"]["selector"]["matchLabels"]["tier"] = tier
        made["spec"]["template"]["metadata"]["labels"]["tier"] = tier
        return made

    app = Installed(agent, place, body("a"), config("web", key="1"))
    uid = agent.get("Deployment", place, "web")["metadata"]["uid"]
    app.push_and_wait(body("b"), config("web", key="2"))
    found = agent.get("Deployment", place, "web")
    assert found["metadata"]["uid"] != uid
    assert found["spec"]["selector"]["matchLabels"]["tier"] == "b"


def test_replace_writes_objects_as_a_whole_and_is_quiet_when_it_is_done(agent, place):
    replace = {"argocd.argoproj.io/sync-options": "Replace=true"}

    def body(**data):
        return config("web", replace, **data)

    app = Installed(agent, place, body(one="1", two="2"))
    agent.patch("ConfigMap", place, "web", {"data": {"added": "x"}}, "some-controller")
    agent.until(lambda: agent.is_idle)
    assert agent.get("ConfigMap", place, "web")["data"] == {"one": "1", "two": "2", "added": "x"}, "no drift"
    app.push_and_wait(body(one="1"))
    assert agent.get("ConfigMap", place, "web")["data"] == {"one": "1"}
    since = agent.now()
    agent.refresh(app.name)
    agent.wait(app.name, lambda body: "argocd.argoproj.io/refresh" not in body["metadata"]["annotations"])
    agent.until(lambda: agent.is_idle)
    assert [call for call in agent.about(place, since) if call.is_write] == []
    agent.patch("ConfigMap", place, "web", {"data": {"one": "mine"}})
    agent.until(lambda: agent.get("ConfigMap", place, "web")["data"] == {"one": "1"})


@pytest.mark.parametrize("there", [True, False])
def test_a_field_that_the_kind_does_not_have_is_refused_unless_validate_is_off(agent, place, there):
    first = [config("other", key="1"), *([deployment("web")] if there else [])]
    app = Installed(agent, place, *first, policy={"automated": {}, "retry": {"limit": 0}})
    typo = deployment("web", 2)
    typo["spec"]["replcas"] = 3
    since = agent.now()
    commit = app.push(config("other", key="2"), typo)
    body = agent.wait(app.name, lambda body: phase_of(body) == "Failed")
    assert "replcas" in str(status_of(body)["operationState"]["syncResult"]["resources"])
    assert [call for call in agent.about(place, since) if call.is_write] == []

    typo["metadata"]["annotations"] = {"argocd.argoproj.io/sync-options": "Validate=false"}
    commit = app.push(config("other", key="2"), typo)
    agent.synced(app.name, commit)
    assert agent.get("Deployment", place, "web")["spec"]["replicas"] == 2
