"""What admission makes of an object while it is applied: part of the answer, and never fought."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from tests.agent.live.harness import Body, LiveAgent, config, manifests, resources_of, sync_of

_API = "/apis/admissionregistration.k8s.io/v1"
_VALUE = "Object{data: {'colour': 'by admission', 'added': 'by admission'}}"


@pytest.fixture
def admission(agent: LiveAgent, place: str) -> Iterator[None]:
    """ConfigMaps of the test's namespace get another value for one key, and one key more, whoever writes them."""
    name = f"mutates-{secrets.token_hex(4)}"
    policy: Body = {
        "metadata": {"name": name},
        "spec": {
            "matchConstraints": {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": place}},
                "resourceRules": [{
                    "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"],
                    "operations": ["CREATE", "UPDATE"],
                }],
            },
            "mutations": [{"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": _VALUE}}],
            "failurePolicy": "Fail", "reinvocationPolicy": "Never",
        },
    }  # fmt: skip
    binding = {"metadata": {"name": name}, "spec": {"policyName": name}}
    agent.plane.request("POST", f"{_API}/mutatingadmissionpolicies", policy)
    agent.plane.request("POST", f"{_API}/mutatingadmissionpolicybindings", binding)

    def is_in_force() -> bool:
        made = agent.create({"kind": "ConfigMap", "metadata": {"generateName": "probe-"}, "data": {}}, place)
        agent.delete("ConfigMap", place, made["metadata"]["name"])
        return "added" in made.get("data", {})

    agent.until(is_in_force, "the policy is in force")
    yield
    agent.plane.request("DELETE", f"{_API}/mutatingadmissionpolicybindings/{name}")
    agent.plane.request("DELETE", f"{_API}/mutatingadmissionpolicies/{name}")


def test_what_admission_changes_and_adds_is_no_drift(agent: LiveAgent, place: str, admission: None) -> None:
    name = f"shop-{place}"
    repository = agent.repository({"app.yaml": manifests(config("settings", colour="red", size="1"))})
    agent.follow(repository, place, name)
    agent.synced(name, repository.git("rev-parse", "HEAD"))
    made = {"colour": "by admission", "added": "by admission"}
    assert agent.get("ConfigMap", place, "settings")["data"] == {**made, "size": "1"}

    agent.push_and_wait(name, repository, {"app.yaml": manifests(config("settings", colour="blue", size="2"))})
    mark, since = agent.apps.mark(name), agent.now()
    agent.refresh(name, "hard")
    agent.synced(name, repository.git("rev-parse", "HEAD"))
    agent.until(lambda: agent.is_idle)
    assert agent.get("ConfigMap", place, "settings")["data"] == {**made, "size": "2"}
    assert {sync_of(body) for body in agent.apps.states(name)[mark:] if body is not None} == {"Synced"}
    assert [call for call in agent.about(place, since) if call.is_write] == []

    # What somebody changes beside it is healed all the same, and costs one write.
    since = agent.now()
    agent.patch("ConfigMap", place, "settings", {"data": {"size": "mine"}})
    agent.until(lambda: agent.get("ConfigMap", place, "settings")["data"] == {**made, "size": "2"}, "healed")
    agent.wait(name, lambda body: resources_of(body) == {"ConfigMap/settings": "Synced"})
    agent.until(lambda: agent.is_idle)
    assert len([call for call in agent.about(place, since) if call.is_write]) == 1
