"""``agent diff``: what is told of an Application that differs from Git, for people and for programs."""

from __future__ import annotations

import json

import pytest

from gitops_bot.cli.main import run
from tests.agent.live.harness import LiveAgent, config, manifests

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
