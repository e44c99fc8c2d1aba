"""What the agent tells while it runs: probes, metrics, Events and its log; and what none of them ever holds."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.agent.live.harness import (
    LiveAgent,
    Repository,
    conditions_of,
    config,
    manifests,
    phase_of,
    status_of,
    sync_of,
)
from tests.agent.live.program import Programs, definition, programs
from tests.canaries import Canaries


@pytest.fixture
def run(own_agent: LiveAgent, tmp_path: Path) -> Iterator[Programs]:
    with programs(own_agent, tmp_path) as made:
        yield made


@pytest.fixture
def repository(own_agent: LiveAgent, place: str) -> Repository:
    made = own_agent.repository({"shop/all.yaml": manifests(config("settings", colour="red"))})
    made.push(definition(made, place, "shop", "shop"))
    return made


def samples(text: str) -> dict[str, float]:
    """Name with labels → value, as Prometheus reads it."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def events(agent: LiveAgent, name: str) -> list[dict[str, Any]]:
    listed = agent.plane.request("GET", f"/api/v1/namespaces/{agent.namespace}/events")["items"]
    return sorted(
        (each for each in listed if each["involvedObject"]["name"] == name), key=lambda each: each["firstTimestamp"]
    )


def settled(agent: LiveAgent, name: str = "shop") -> None:
    agent.wait(name, lambda body: sync_of(body) == "Synced" and phase_of(body) == "Succeeded")


def test_pages_say_that_it_lives_that_it_is_ready_and_what_it_counts(run, own_agent, repository, place):
    program = run.run(repository=repository)
    settled(own_agent)
    own_agent.patch("ConfigMap", place, "settings", {"data": {"colour": "blue"}})
    own_agent.until(lambda: own_agent.get("ConfigMap", place, "settings")["data"]["colour"] == "red", "healed")
    healed = "gitops_bot_healed_objects_total"
    synced = 'gitops_bot_apps{health_status="Healthy",sync_status="Synced"}'
    own_agent.until(lambda: (read := samples(program.ask("/metrics")[1]))[healed] and read[synced], "counted")
    found = samples(program.ask("/metrics")[1])

    assert program.ask("/healthz") == (200, "ok\n")
    assert program.ask("/readyz") == (200, "ok, leading\n")
    assert program.ask("/elsewhere")[0] == 404
    assert program.ask("/metrics", method="POST")[0] == 501
    assert found["gitops_bot_drifted_objects_total"] == found[healed] == 1
    assert found['gitops_bot_sync_operations_total{phase="Succeeded"}'] == 2
    assert sum(value for name, value in found.items() if name.startswith("gitops_bot_apps{")) == found[synced] == 1
    assert found["gitops_bot_inventory_objects"] >= 1  # those of other agents of this cluster are known too
    assert found['leader_election_master_status{name="gitops-bot"}'] == 1
    assert found['gitops_bot_render_duration_seconds_count{result="success"}'] == 1
    assert found['gitops_bot_reconcile_duration_seconds_count{result="success"}'] >= 2
    assert found['gitops_bot_git_requests_total{request_type="ls-remote",result="success"}'] >= 1
    assert found['rest_client_requests_total{code="200",method="PATCH"}'] >= 3
    assert found['workqueue_depth{name="applications"}'] == 0
    assert found["process_resident_memory_bytes"] > 0
    # Nothing in them names what there may be thousands of.
    names = f"shop|{place}|{own_agent.namespace}|settings|{repository.url}"
    assert not re.search(names, program.ask("/metrics")[1])


def test_events_tell_what_was_done_and_found(run, own_agent, repository, place):
    program = run.run(repository=repository)
    settled(own_agent)
    for _ in range(2):
        own_agent.patch("ConfigMap", place, "settings", {"data": {"colour": "blue"}})
        own_agent.until(lambda: own_agent.get("ConfigMap", place, "settings")["data"]["colour"] == "red", "healed")
    told = own_agent.until(
        lambda: [each for each in events(own_agent, "shop") if each["reason"] == "DriftHealed" and each["count"] == 2],
        "what is said again is counted",
    )
    assert told[0]["message"] == f"ConfigMap/{place}/settings: data.colour"
    found = {each["reason"]: each for each in events(own_agent, "shop")}
    assert set(found) == {"OperationStarted", "OperationSucceeded", "DriftDetected", "DriftHealed"}
    assert found["DriftDetected"]["type"] == "Warning"
    assert found["DriftHealed"]["type"] == "Normal"
    assert found["OperationStarted"]["source"]["component"] == "gitops-bot"
    reasons = [line["reason"] for line in program.lines if "reason" in line]
    assert reasons.count("DriftHealed") == 2  # the log has every one
    assert {line["app"] for line in program.lines if "reason" in line} == {"shop"}


def test_a_held_prune_is_told_once(run, own_agent, repository, place):
    many = [config(f"settings-{number}") for number in range(12)]
    repository.push({"shop/all.yaml": manifests(*many)})
    run.run("--poll", "1s", repository=repository)
    settled(own_agent)
    repository.push({"shop/all.yaml": manifests(config("settings-0"))})
    own_agent.wait("shop", lambda body: "PruneHeldWarning" in conditions_of(body))
    own_agent.until(
        lambda: [each for each in events(own_agent, "shop") if each["reason"] == "PruneHeldWarning"], "told"
    )
    (held,) = [each for each in events(own_agent, "shop") if each["reason"] == "PruneHeldWarning"]
    assert held["message"].startswith("11 of 12 objects would go")
    assert held["count"] == 1
    own_agent.approve("shop")
    own_agent.until(lambda: any("pruned 11: " in each["message"] for each in events(own_agent, "shop")), "pruned")
    started = [each["message"] for each in events(own_agent, "shop") if each["reason"] == "OperationStarted"]
    when = own_agent.app("shop")["metadata"]["annotations"]["argocd.argoproj.io/deletion-approved"]
    assert started[-1].endswith(f"; what a guard held (too-many) was approved at {when}")


def test_nothing_that_is_told_holds_a_secret(run, own_agent, repository, place):
    """Secrets that are applied, changed by hand, refused by the API server, and in the URL of a repository."""
    birds = Canaries()
    good = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "good"},
        "stringData": {"password": birds.make("good")},
    }
    bad = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "bad"},
        "data": {"password": birds.make("bad") + "!"},
    }
    typed = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "typed"},
        "data": {"password": {"it": birds.make("typed")}},
    }
    token = birds.make("token", shape="ghp_{}", length=36)
    repository.push({
        "shop/all.yaml": manifests(good),
        "bad/all.yaml": manifests(bad),
        "typed/all.yaml": manifests(typed),
        **definition(repository, place, "bad", "bad"),
        **definition(repository, place, "typed", "typed"),
        "apps/url.yaml": json.dumps({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "url"},
            "spec": {"project": "default", "source": {"repoURL": f"http://ada:{token}@127.0.0.1:9/x", "path": "."},
                     "destination": {"server": "https://kubernetes.default.svc", "namespace": place}},
        }),
    })  # fmt: skip
    program = run.run(repository=repository, environment={"GITOPS_BOT_DEBUG": "1"})
    settled(own_agent)
    own_agent.patch("Secret", place, "good", {"stringData": {"password": birds.make("by hand")}})
    own_agent.until(lambda: "DriftHealed" in {each["reason"] for each in events(own_agent, "shop")}, "healed")
    for name in ("bad", "typed", "url"):
        own_agent.wait(name, lambda body: conditions_of(body) or phase_of(body) in ("Failed", "Error", "Running"))
    own_agent.until(lambda: events(own_agent, "bad"), "an event of what failed")
    pages = {page: program.ask(page)[1] for page in ("/healthz", "/readyz", "/metrics")}
    program.signal(signal.SIGTERM)
    assert program.end() == 0
    statuses = {name: json.dumps(own_agent.app(name)["status"]) for name in ("shop", "bad", "typed")}
    told = {name: json.dumps(events(own_agent, name)) for name in ("shop", "bad", "typed", "url")}
    birds.assert_silent({"log": program.said, **pages, **statuses, **told})


def test_drift_is_told_after_a_commit_that_is_about_something_else(run, own_agent, repository, place):
    program = run.run("--poll", "1s", repository=repository)
    settled(own_agent)
    commit = repository.push({"README.md": "# Something else\n"})
    own_agent.wait("shop", lambda body: status_of(body).get("sync", {}).get("revision") == commit)
    own_agent.patch("ConfigMap", place, "settings", {"data": {"colour": "blue"}})
    own_agent.until(lambda: own_agent.get("ConfigMap", place, "settings")["data"]["colour"] == "red", "healed")
    own_agent.until(
        lambda: [line["reason"] for line in program.lines if "reason" in line].count("OperationSucceeded") == 2, "told"
    )
    told = [(line["reason"], line["msg"]) for line in program.lines if line.get("reason", "").startswith("Drift")]
    what = f"ConfigMap/{place}/settings: data.colour"
    assert told == [("DriftDetected", what), ("DriftHealed", what)]
    found = samples(program.ask("/metrics")[1])
    assert found["gitops_bot_drifted_objects_total"] == found["gitops_bot_healed_objects_total"] == 1


def test_what_was_pruned_is_named(agent, place):
    name = f"prunes-{place}"
    repository = agent.repository({"all.yaml": manifests(config("one"), config("two"))})
    agent.follow(repository, place, name, policy={"automated": {"prune": True}})
    settled(agent, name)
    body = agent.push_and_wait(name, repository, {"all.yaml": manifests(config("one"))})
    what = f"applied 0, pruned 1: ConfigMap/{place}/two"
    assert status_of(body)["operationState"]["message"] == what
    agent.until(lambda: what in {each["message"] for each in events(agent, name)}, "told")
