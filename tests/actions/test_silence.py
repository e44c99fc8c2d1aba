"""No output of the Action sings: comment, summary, reports, annotations, outputs, log, cache."""

from __future__ import annotations

import json

import pytest

from tests.actions.churn import checkout, event
from tests.actions.here import Here
from tests.canaries import CHANGED, REPOSITORY, Canaries, files_below, plant

OWN = {".gitops-bot.yaml": f"version: 1\nrender: {{repositories: ['{REPOSITORY}']}}\n"}
"""The URL that the Applications name is this repository."""
BROKEN = {"chart/templates/broken.yaml": "{{ fail (.Values | toYaml) }}"}
"""A template whose error quotes every value of its chart."""


@pytest.mark.parametrize("more", [{}, BROKEN], ids=["rendered", "quoted by an error"])
def test_the_action_is_silent_and_still_says_what_changes(github, tmp_path, helm, kustomize, more):
    birds = Canaries()
    repository = github.repository("acme/shop", {**OWN, **plant(birds, change="old")})
    pull = github.open_pull(repository, "rotate", files={**plant(birds, change="new"), **more})
    token = github.tokens.add().value
    here = Here(tmp_path / "runner", repository=repository.full_name, server_url=github.server_url, api_url=github.url)
    checkout(repository, here.workspace, f"refs/pull/{pull.number}/merge")
    step = here.step({"cache": ".kept"}, event=event(github, repository, pull), token=token, env={"RUNNER_DEBUG": "1"})
    (comment,) = github.comments(pull.number)
    assert step.code == (3 if more else 7), step.stdout  # a Pod is changed, which the API server refuses
    for changed in CHANGED if more else (*CHANGED, "Deployment from-chart", "Secret from-chart"):
        assert changed in comment.body, step.stdout
    for told in (comment.body, step.summary, step.stdout) if more else ():
        assert "broken.yaml" in told  # the error is told, and only what it quotes is not
    birds.values["token"] = token
    birds.assert_silent({
        "log": "\n".join(line for line in step.stdout.split("\n") if not line.startswith("::add-mask::")),
        "stderr": step.stderr,
        "comment": comment.body,
        "summary": step.summary,
        "outputs": json.dumps(step.outputs),
        **files_below(here.workspace / "gitops-bot-report", here.workspace / ".kept", here.temp / "_github_home"),
    })  # fmt: skip
