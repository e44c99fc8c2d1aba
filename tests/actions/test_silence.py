"""No output of the Action sings: comment, summary, reports, annotations, outputs, log, cache."""

from __future__ import annotations

import json

from tests.actions.churn import checkout, event
from tests.actions.here import Here
from tests.canaries import CHANGED, Canaries, files_below, plant


def test_the_action_is_silent_and_still_says_what_changes(github, tmp_path, helm, kustomize):
    birds = Canaries()
    repository = github.repository("acme/shop", plant(birds, change="old"))
    pull = github.open_pull(repository, "rotate", files=plant(birds, change="new"))
    token = github.tokens.add().value
    here = Here(tmp_path / "runner", repository=repository.full_name, server_url=github.server_url, api_url=github.url)
    checkout(repository, here.workspace, f"refs/pull/{pull.number}/merge")
    step = here.step({"cache": ".kept"}, event=event(github, repository, pull), token=token, env={"RUNNER_DEBUG": "1"})
    (comment,) = github.comments(pull.number)
    for changed in CHANGED:
        assert changed in comment.body, step.stdout
    birds.values["token"] = token
    birds.assert_silent({
        "log": "\n".join(line for line in step.stdout.split("\n") if not line.startswith("::add-mask::")),
        "stderr": step.stderr,
        "comment": comment.body,
        "summary": step.summary,
        "outputs": json.dumps(step.outputs),
        **files_below(here.workspace / "gitops-bot-report", here.workspace / ".kept", here.temp / "_github_home"),
    })  # fmt: skip
