"""The end of an Application: what goes with it in which order, what stays, and what it waits for."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from gitops_bot.agent.ownership.identity import PART_OF
from tests.agent.live.harness import LiveAgent, conditions_of, config, deployment, manifests, phase_of, service, sync_of
from tests.agent.live.test_kinds import definition
from tests.agent.live.test_watched import events

FINALIZER = "resources-finalizer.argocd.argoproj.io"
OPTIONS, WAVE = "argocd.argoproj.io/sync-options", "argocd.argoproj.io/sync-wave"
HOLD = "example.org/hold"


def installed(agent: LiveAgent, place: str, *bodies: dict[str, Any], **follow: Any) -> str:
    """An Application that takes its objects along, synced."""
    repository = agent.repository({"app.yaml": manifests(*bodies)})
    agent.follow(repository, place, name := f"ends-{place}", finalizer=True, **follow)
    agent.wait(name, lambda body: sync_of(body) == "Synced" and phase_of(body) == "Succeeded")
    return name


def end(agent: LiveAgent, name: str) -> None:
    agent.delete("Application", agent.namespace, name)


def test_the_highest_wave_goes_first_and_the_next_waits_until_it_is_gone(agent, place):
    bodies = [config(f"wave-{number}", {WAVE: str(number)}) for number in (0, 1, 2)]
    name = installed(agent, place, *bodies)
    agent.patch("ConfigMap", place, "wave-1", {"metadata": {"finalizers": [HOLD]}})
    end(agent, name)
    agent.until(lambda: "deletionTimestamp" in agent.get("ConfigMap", place, "wave-1")["metadata"], "it waits")
    assert agent.find("ConfigMap", place, "wave-2") is None
    # It is looked at every two seconds; whoever did not wait for the second wave would have deleted the third by now.
    agent.until(lambda: len([call for call in deletions(agent, place) if call == "wave-1"]) >= 1)
    agent.until(lambda: agent.is_idle)
    assert "deletionTimestamp" not in agent.get("ConfigMap", place, "wave-0")["metadata"]
    agent.patch("ConfigMap", place, "wave-1", {"metadata": {"finalizers": None}})
    agent.until_gone("Application", agent.namespace, name)
    assert deletions(agent, place) == ["wave-2", "wave-1", "wave-0"]
    told = agent.until(lambda: (has := said(agent, name)) and "DeletionFinished" in has and has)
    assert told["DeletionStarted"].count(f"ConfigMap/{place}/wave-") == 3, "all waves are told at once"


def said(agent: LiveAgent, name: str) -> dict[str, str]:
    """What was told of its end, each once: the reason and the message."""
    found = [each for each in events(agent, name) if each["reason"] in ("DeletionStarted", "DeletionFinished")]
    assert [each["count"] for each in found] == [1] * len(found)
    told = {each["reason"]: each["message"] for each in found}
    assert len(told) == len(found)
    return told


def deletions(agent: LiveAgent, place: str) -> list[str]:
    """The objects that the agent has deleted, in order."""
    return [call.name for call in agent.about(place) if call.verb == "delete"]


def test_what_is_to_outlive_it_stays(agent, place):
    group = f"g{secrets.token_hex(3)}.example.org"
    name = installed(
        agent, place, config("goes"), config("kept", {OPTIONS: "Delete=false"}),
        config("helms", {"helm.sh/resource-policy": "keep"}), definition(group),
    )  # fmt: skip
    agent.create(config("strangers"), place)
    end(agent, name)
    agent.until_gone("Application", agent.namespace, name)
    assert set(agent.names("ConfigMap", place)) - {"kube-root-ca.crt"} == {"kept", "helms", "strangers"}
    found = agent.get("CustomResourceDefinition", "", f"teas.{group}")
    assert "deletionTimestamp" not in found["metadata"]
    told = agent.until(lambda: (has := said(agent, name)) and "DeletionFinished" in has and has)
    assert told["DeletionStarted"] == f"deleting ConfigMap/{place}/goes"
    for each in (f"ConfigMap/{place}/kept", f"ConfigMap/{place}/helms", f"teas.{group}"):
        assert each in told["DeletionFinished"]
    agent.delete("CustomResourceDefinition", "", f"teas.{group}")


def test_copies_of_its_marks_do_not_go_with_it(agent, place):
    """Labels and annotations are copied, by people and by controllers: only what proves to be its own goes."""
    name = installed(agent, place, config("own"), service("web", 80))
    marks = agent.get("ConfigMap", place, "own")["metadata"]
    label = {PART_OF: marks["labels"][PART_OF]}
    for copy, told in (("with-both", marks["annotations"]), ("with-the-label", {})):
        body = config(copy)
        body["metadata"] |= {"labels": label, "annotations": told}
        agent.create(body, place)
    agent.until(lambda: PART_OF in agent.get("Endpoints", place, "web")["metadata"].get("labels", {}), "a controller's")
    end(agent, name)
    agent.until_gone("Application", agent.namespace, name)
    assert set(agent.names("ConfigMap", place)) - {"kube-root-ca.crt"} == {"with-both", "with-the-label"}
    assert set(deletions(agent, place)) == {"own", "web"}


def test_the_application_s_own_option_keeps_all_and_an_object_s_word_beats_it(agent, place):
    policy = {"automated": {"prune": True}, "syncOptions": ["Delete=false"]}
    name = installed(agent, place, config("kept"), config("goes", {OPTIONS: "Delete=true"}), policy=policy)
    end(agent, name)
    agent.until_gone("Application", agent.namespace, name)
    assert set(agent.names("ConfigMap", place)) - {"kube-root-ca.crt"} == {"kept"}


def test_an_object_that_asks_to_be_confirmed_holds_all_until_it_is(agent, place):
    name = installed(agent, place, config("plain"), config("asks", {OPTIONS: "Delete=confirm"}))
    end(agent, name)
    agent.wait(name, lambda body: "deletionTimestamp" in body["metadata"])
    told = conditions_of(agent.wait(name, lambda body: "DeletionHeldWarning" in conditions_of(body)))
    assert told["DeletionHeldWarning"].startswith(
        f"ConfigMap/{place}/asks asks for a confirmation (Delete=confirm); if "
    )
    agent.until(lambda: agent.is_idle)
    assert {"plain", "asks"} <= set(agent.names("ConfigMap", place))
    assert said(agent, name) == {}
    agent.approve(name)
    agent.until_gone("Application", agent.namespace, name)
    assert set(agent.names("ConfigMap", place)) == {"kube-root-ca.crt"}
    told = agent.until(lambda: (has := said(agent, name)) and "DeletionFinished" in has and has)
    assert f"ConfigMap/{place}/asks asked for a confirmation, approved at 20" in told["DeletionStarted"]
    assert told["DeletionFinished"] == "the Application has ended; none of its objects stays"


@pytest.mark.parametrize("background", [True, False])
def test_the_finalizer_says_how_dependants_go(agent, place, background):
    name = installed(agent, place, deployment("web"))
    if background:
        agent.change(name, {"metadata": {"finalizers": [f"{FINALIZER}/background"]}})
    (owned,) = agent.names("ReplicaSet", place)
    agent.patch("ReplicaSet", place, owned, {"metadata": {"finalizers": [HOLD]}})
    end(agent, name)
    if background:
        agent.until_gone("Application", agent.namespace, name)
        assert agent.find("Deployment", place, "web") is None
    else:
        found = agent.until(lambda: agent.get("Deployment", place, "web")["metadata"].get("finalizers"), "it waits")
        assert found == ["foregroundDeletion"]
        assert agent.find("Application", agent.namespace, name) is not None
    agent.patch("ReplicaSet", place, owned, {"metadata": {"finalizers": None}})
    agent.until_gone("Application", agent.namespace, name)
