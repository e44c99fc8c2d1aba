"""``agent diff`` and ``agent status``: what is told of an Application, for people and for programs."""

from __future__ import annotations

import json

import pytest

from gitops_bot.cli.main import run
from tests.agent.live.harness import LiveAgent, config, deployment, manifests, phase_of, status_of, sync_of

SKIP = "argocd.argoproj.io/skip-reconcile"


def test_a_field_of_one_side_only_has_no_value_on_the_other(
    agent: LiveAgent, place: str, capfd: pytest.CaptureFixture[str]
) -> None:
    name = f"shop-{place}"
    repository = agent.repository({"app.yaml": manifests(config("settings", same="1", theirs="2", gone="3"))})
    agent.follow(repository, place, name)
    agent.synced(name, repository.git("rev-parse", "HEAD"))
    agent.change(name, {"metadata": {"annotations": {SKIP: "true"}}})
    agent.until(lambda: agent.is_idle)
    annotated = {"metadata": {"annotations": {"note": "x"}}, "data": {"theirs": "by hand", "gone": None}}
    agent.patch("ConfigMap", place, "settings", annotated)

    where = ["--kubeconfig", str(agent.kubeconfig), "--namespace", agent.namespace]
    capfd.readouterr()
    assert run(["agent", "diff", name, "--format", "json", *where]) == 0
    (found,) = json.loads(capfd.readouterr().out)["objects"]
    assert found["fields"] == [
        {"path": "data.gone", "after": "3"},
        {"path": "data.theirs", "before": "by hand", "after": "2"},
        {"path": "metadata.annotations.note", "before": "x"},
    ]

    assert run(["agent", "diff", name, *where]) == 0
    said = capfd.readouterr().out
    assert "    data.gone: (nothing) → 3\n" in said
    assert "    metadata.annotations.note: x → (nothing)\n" in said


def test_what_was_reverted_before_it_could_be_synced_is_no_failure_any_more(
    agent: LiveAgent, place: str, capfd: pytest.CaptureFixture[str]
) -> None:
    name, good = f"shop-{place}", deployment("web")
    repository = agent.repository({"app.yaml": manifests(good)})
    agent.follow(repository, place, name)
    agent.synced(name, repository.git("rev-parse", "HEAD"))
    labels = {"app": "web", "more": "true"}
    changed = deployment("web")
    changed["spec"]["selector"] = {"matchLabels": labels}
    changed["spec"]["template"]["metadata"] = {"labels": labels}
    agent.push(name, repository, {"app.yaml": manifests(changed)})
    agent.wait(name, lambda body: "immutable" in status_of(body).get("operationState", {}).get("message", ""))
    where = ["--kubeconfig", str(agent.kubeconfig), "--namespace", agent.namespace]
    capfd.readouterr()
    assert run(["agent", "status", name, *where]) == 0
    assert "next: to delete the object" in capfd.readouterr().out

    reverted = agent.push(name, repository, {"app.yaml": manifests(good)})
    agent.wait(
        name,
        lambda body: (
            sync_of(body) == "Synced" and status_of(body)["sync"]["revision"] == reverted and phase_of(body) == "Failed"
        ),
    )
    assert run(["agent", "status", *where]) == 0
    (row,) = [line for line in capfd.readouterr().out.splitlines() if line.startswith(name)]
    assert row.split()[1:3] == ["Synced", "Healthy"]
    assert "failed" not in row
