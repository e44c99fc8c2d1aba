"""The settings of the repository that defines Applications, and that no commit disarms its own guard."""

from __future__ import annotations

import json
import urllib.error
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gitops_bot.agent.rules.guards import APPROVED
from tests.agent.live.harness import LiveAgent, Repository, conditions_of, config, manifests, sync_of
from tests.agent.live.program import Programs, definition, programs

SETTINGS = ".gitops-bot.yaml"
MANY, FEW = manifests(*(config(f"settings-{number}") for number in range(12))), manifests(config("settings-0"))


@pytest.fixture
def run(own_agent: LiveAgent, tmp_path: Path) -> Iterator[Programs]:
    with programs(own_agent, tmp_path) as made:
        yield made


@pytest.fixture
def repository(own_agent: LiveAgent, place: str, run: Programs) -> Repository:
    """Twelve objects, synced."""
    made = own_agent.repository({"shop/all.yaml": MANY})
    made.push(definition(made, place, "shop", "shop"))
    assert once(run, made) == 0
    return made


def once(run: Programs, repository: Repository) -> int:
    """One agent after another: what counts survives the end of each."""
    return run.run("--once", repository=repository).end()


def annotated(repository: Repository, place: str, **annotations: str) -> dict[str, str]:
    ((name, text),) = definition(repository, place, "shop", "shop").items()
    body = json.loads(text)
    body["metadata"]["annotations"] = {key.replace("__", "/"): value for key, value in annotations.items()}
    return {name: json.dumps(body)}


LOOSE: dict[str, Any] = {
    "the settings": lambda repository, place: {SETTINGS: "agent: {prune_guard: {percent: 100, objects: 1000}}\n"},
    "an annotation": lambda repository, place: annotated(
        repository, place, **{"gitops-bot/prune-guard-percent": "100", "gitops-bot/prune-guard-objects": "1000"}
    ),
    "what the agent itself has written": lambda repository, place: annotated(
        repository, place, **{"gitops-bot/prune-guard": '{"percent":100,"objects":1000,"allow_empty":true}'}
    ),
    "what the agent itself has written, with annotations that say the same": lambda repository, place: annotated(
        repository,
        place,
        **{
            "gitops-bot/prune-guard": '{"percent":100,"objects":1000,"allow_empty":true}',
            "gitops-bot/prune-guard-percent": "100",
            "gitops-bot/prune-guard-objects": "1000",
        },
    ),
    "an approval in Git": lambda repository, place: annotated(
        repository, place, **{"argocd.argoproj.io/deletion-approved": "2999-01-01T00:00:00Z"}
    ),
}


@pytest.mark.parametrize("how", LOOSE)
def test_a_commit_that_loosens_its_own_guard_is_held_by_the_former(run, own_agent, repository, place, how):
    repository.push({"shop/all.yaml": FEW, **LOOSE[how](repository, place)})
    for _ in range(2):
        assert once(run, repository) == 10
        assert "11 of 12 objects would go" in conditions_of(own_agent.app("shop"))["PruneHeldWarning"]
        assert len(own_agent.names("ConfigMap", place)) >= 12


def test_a_commit_cannot_approve_what_is_held_already(run, own_agent, repository, place):
    """Nor the next one, with the time of then: only the cluster's own word counts."""
    repository.push({"shop/all.yaml": FEW})
    assert once(run, repository) == 10
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    repository.push(annotated(repository, place, **{APPROVED: now}))
    assert once(run, repository) == 10
    assert "11 of 12 objects would go" in conditions_of(own_agent.app("shop"))["PruneHeldWarning"]
    assert APPROVED not in own_agent.app("shop")["metadata"]["annotations"]
    own_agent.approve("shop")
    assert once(run, repository) == 0


@pytest.mark.parametrize("how", ["the settings", "an annotation"])
def test_a_guard_that_was_loosened_and_synced_before_lets_the_next_commit_prune(run, own_agent, repository, place, how):
    repository.push(LOOSE[how](repository, place))
    assert once(run, repository) == 0
    repository.push({"shop/all.yaml": FEW})
    assert once(run, repository) == 0
    assert [name for name in own_agent.names("ConfigMap", place) if name.startswith("settings")] == ["settings-0"]


def test_a_commit_that_allows_emptiness_may_not_use_it_at_once(run, own_agent, repository, place):
    allowed = definition(repository, place, "shop", "shop", automated={"prune": True, "allowEmpty": True})
    repository.push({"shop/all.yaml": "# nothing\n", **allowed})
    assert once(run, repository) == 10
    assert len([name for name in own_agent.names("ConfigMap", place) if name.startswith("settings")]) == 12
    repository.push({"shop/all.yaml": MANY})
    assert once(run, repository) == 0
    repository.push({"shop/all.yaml": "# nothing\n", SETTINGS: "agent: {prune_guard: {percent: 100, objects: 1000}}\n"})
    assert once(run, repository) == 10  # that it may be empty is known by now; that so many may go is not


def test_whose_edits_are_a_person_s_is_a_setting(run, own_agent, repository, place):
    def edited() -> dict[str, str]:
        own_agent.patch("ConfigMap", place, "settings-0", {"data": {"by-hand": "yes"}}, manager="kubectl-edit")
        assert once(run, repository) == 0
        return own_agent.get("ConfigMap", place, "settings-0").get("data", {})

    assert edited() == {}
    repository.push({SETTINGS: "agent: {people_managers: []}\n"})
    assert once(run, repository) == 0
    assert edited() == {"by-hand": "yes"}


def test_git_is_asked_as_often_as_the_settings_say(run, own_agent, repository, place):
    repository.push({SETTINGS: "agent: {poll: 1s}\n"})
    run.run(repository=repository).told("this agent leads")
    own_agent.wait("shop", lambda body: sync_of(body) == "Synced")
    for colour in ("red", "blue"):  # nobody says that there is something new
        commit = repository.push({"shop/all.yaml": MANY + "---\n" + manifests(config("colour", it=colour))})
        own_agent.synced("shop", commit)


def test_settings_that_cannot_be_read_change_nothing_and_are_told(run, own_agent, repository, place):
    repository.push({SETTINGS: "agent: {prune_gard: 1}\n", "shop/all.yaml": FEW})
    program = run.run("--once", repository=repository)
    assert program.end() == 10
    assert "prune_gard" in program.errors.read_text()
    assert "PruneHeldWarning" in conditions_of(own_agent.app("shop"))


def test_options_of_kustomize_are_those_of_the_settings(run, own_agent, repository, place, kustomize):
    files = {
        "shop/kustomization.yaml": "resources: [../shared/all.yaml]\n",
        "shop/all.yaml": None,
        "shared/all.yaml": MANY,
    }
    repository.push(files)
    assert once(run, repository) == 10
    repository.push({SETTINGS: "render: {kustomize: {build_options: [--load-restrictor=LoadRestrictionsNone]}}\n"})
    assert once(run, repository) == 0


def test_removing_the_record_by_hand_leaves_the_usual_guard(run, own_agent, repository, place):
    own_agent.patch(
        "Application", own_agent.namespace, "shop", {"metadata": {"annotations": {"gitops-bot/prune-guard": None}}}
    )
    repository.push({"shop/all.yaml": FEW, **LOOSE["the settings"](repository, place)})
    assert once(run, repository) == 10
    with pytest.raises(urllib.error.HTTPError):
        own_agent.plane.request("GET", own_agent.path("ConfigMap", place, "no-such"))
    assert len(own_agent.names("ConfigMap", place)) >= 12
