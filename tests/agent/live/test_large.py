"""An Application with more objects than its status can hold."""

from __future__ import annotations

from functools import partial

import pytest

from gitops_bot.agent.application.bounds import fit
from tests.agent.live.harness import LiveAgent, conditions_of, config, manifests, status_of, sync_of

MANY = 40


def test_a_status_says_what_it_leaves_out_and_nothing_of_it_is_lost(
    own_agent: LiveAgent, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What differs is shown first; what is not shown is synced, healed and pruned all the same, after a restart too."""
    monkeypatch.setattr("gitops_bot.agent.reports.reporting.fit", partial(fit, budget=5_000))
    agent, name = own_agent, f"large-{place}"
    files = {f"{number:02}.yaml": manifests(config(f"cm-{number:02}", it="1")) for number in range(MANY)}
    repository = agent.repository(files)
    agent.start()
    agent.follow(repository, place, name, policy={"automated": {"prune": True}})
    agent.wait(name, lambda body: sync_of(body) == "Synced" and status_of(body).get("history"))
    body = agent.app(name)
    shown = len(status_of(body)["resources"])
    assert 0 < shown < MANY
    assert f"{shown} of {MANY} resources" in conditions_of(body)["StatusTruncatedWarning"]

    mark = agent.apps.mark(name)
    agent.patch("ConfigMap", place, "cm-39", {"data": {"it": "mine"}})
    body = agent.apps.until(name, lambda body: sync_of(body) == "OutOfSync", since=mark)
    assert [each["name"] for each in status_of(body)["resources"] if each["status"] == "OutOfSync"] == ["cm-39"]

    agent.stop()
    commit = repository.push({"39.yaml": None, "38.yaml": None})
    agent.change(name, {})
    agent.start()
    agent.wait(name, lambda body: sync_of(body) == "Synced" and status_of(body)["sync"]["revision"] == commit)
    assert len(agent.names("ConfigMap", place)) - 1 == MANY - 2
