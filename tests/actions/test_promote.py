"""`command: promote` and `command: rollback`, the whole step, and asked for in comments, on the fake GitHub."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from gitops_bot.actions.outputs import NOTHING
from tests.actions.runner import read_log
from tests.actions.test_bump import STAGING, TAG
from tests.actions.test_bump import Acme as Step
from tests.actions.test_bump import acme as step_on
from tests.actions.test_comments import Talk, signs, talk

__all__ = ["step_on", "talk"]

acme = step_on
GATES = "    gates: {statuses: [ci], healthy: true, soak: 30m}\n"
PROMOTE = {"command": "promote", "to": "production"}


def without_gates(repository: Any) -> None:
    text = repository.git.run("show", "main:.gitops-bot.yaml") + "\n"
    assert GATES in text
    repository.commit({".gitops-bot.yaml": text.replace(GATES, "")}, "main", "chore: settings")


def by_hand(acme: Step, inputs: dict[str, str]) -> Any:
    event = {"inputs": {}, "ref": "refs/heads/main", "repository": {"full_name": acme.repository.full_name}}
    return acme.step(inputs, "workflow_dispatch", event)


def merge(acme: Step, pull: Any) -> str:
    import requests

    answer = requests.put(
        f"{acme.github.url}/repos/{acme.repository.full_name}/pulls/{pull.number}/merge", json={}, timeout=20,
        headers={"Authorization": f"Bearer {acme.github.tokens.app.value}"},
    )  # fmt: skip
    assert answer.ok, answer.text
    return str(answer.json()["sha"])


def tags(repository: Any) -> dict[str, str]:
    return {name.removeprefix("refs/tags/"): sha for name, sha in repository.git.refs("refs/tags/").items()}


def error_of(step: Any) -> str:
    (error,) = [each.data for each in read_log(step.stdout).commands if each.name == "error"]
    return str(error)


def test_a_promotion_is_proposed_once_and_tagged_after_its_merge(acme: Step) -> None:
    without_gates(acme.repository)
    step = by_hand(acme, PROMOTE)
    assert step.code == 0, step.stdout + step.stderr
    (pull,) = acme.pulls()
    assert step.outputs == {
        **NOTHING, "changed": "true", "mode": "pull-request", "branch": "main", "commit_sha": pull.head_sha,
        "pull_request_number": str(pull.number), "pull_request_url": step.outputs["pull_request_url"],
        "changed_files": "k8s/helm/churn-mlops/values-production.yaml",
    }  # fmt: skip
    assert step.outputs["pull_request_url"].endswith(f"/pull/{pull.number}")
    assert f"[Pull request]({step.outputs['pull_request_url']})" in step.summary
    assert "### Rendered diff" in step.summary
    writes = len(acme.github.writes())
    again = by_hand(acme, PROMOTE)
    assert again.code == 0, again.stdout
    assert again.outputs == step.outputs
    early = by_hand(acme, {**PROMOTE, "after_merge": "true"})
    assert early.outputs == {**NOTHING, "mode": "nothing"}
    assert "no pull request of gitops-bot for production was merged" in early.summary
    assert len(acme.github.writes()) == writes

    merged = merge(acme, pull)
    tagged = by_hand(acme, {**PROMOTE, "after_merge": "true"})
    assert tagged.code == 0, tagged.stdout
    assert tagged.outputs["mode"] == "tag"
    assert tagged.outputs["tag"] == "v1.0.1"
    assert tagged.outputs["pull_request_number"] == str(pull.number)
    assert "tagged v1.0.1" in tagged.summary
    assert tags(acme.repository)["v1.0.1"] == merged


def test_the_tag_waits_for_the_gates_and_the_summary_names_them(acme: Step) -> None:
    step = by_hand(acme, PROMOTE)
    assert step.code == 0, step.stdout
    assert "status ci is waiting" in step.summary
    (pull,) = acme.pulls()
    merge(acme, pull)
    refused = by_hand(acme, {**PROMOTE, "after_merge": "true"})
    assert refused.code == 8
    assert "production is not tagged, because" in error_of(refused)
    assert "gitops-bot failed: " in refused.summary
    assert "v1.0.1" not in tags(acme.repository)


@pytest.mark.parametrize(
    "inputs", [{**PROMOTE, "dry_run": "true"}, {"command": "rollback", "environment": "staging", "dry_run": "true"}]
)
def test_a_dry_run_writes_nothing(acme: Step, inputs: dict[str, str]) -> None:
    assert acme.step(TAG).code == 0
    before = len(acme.github.writes())
    step = by_hand(acme, inputs)
    assert step.code == 0, step.stdout
    assert (step.outputs["mode"], step.outputs["changed"], step.outputs["commit_sha"]) == ("dry-run", "true", "")
    assert "sha-abc1234" in step.summary and "```diff" in step.summary
    assert len(acme.github.writes()) == before


def test_a_rollback_is_committed_held_and_told(acme: Step) -> None:
    before = acme.read()
    assert acme.step(TAG).code == 0
    step = by_hand(
        acme, {"command": "rollback", "environment": "staging", "why": "it's ::error::slow", "until": "2099-12-01"}
    )
    assert step.code == 0, step.stdout
    assert acme.read() == before
    assert step.outputs["mode"] == "api"
    assert step.outputs["commit_sha"] == acme.repository.head()
    assert STAGING in step.outputs["changed_files"].splitlines()
    assert "asked for by ada" in acme.message()
    held = acme.step(TAG)
    assert held.code == 8
    assert "slow" in error_of(held)


@pytest.mark.parametrize("how", [{}, {"last_healthy": "true"}])
def test_a_rollback_job_that_runs_again_does_nothing(acme: Step, how: dict[str, str]) -> None:
    before = acme.read()
    assert acme.step(TAG).code == 0
    inputs = {"command": "rollback", "environment": "staging"}
    assert by_hand(acme, inputs).code == 0
    head, writes = acme.repository.head(), len(acme.github.writes())
    again = by_hand(acme, {**inputs, **how})
    assert again.code == 0, again.stdout
    assert again.outputs == {**NOTHING, "mode": "nothing"}
    assert f"nothing to commit: {head[:7]} (fix: roll back staging to the state before " in again.stdout
    assert "has rolled staging back already; --to REVISION goes further back" in again.stdout
    assert (acme.read(), acme.repository.head(), len(acme.github.writes())) == (before, head, writes)


@pytest.mark.parametrize(
    ("inputs", "code", "said"),
    [
        ({"command": "promote", "to": "nowhere"}, 2, "nowhere is no environment"),
        ({"command": "promote", "to": "production", "from": "development"}, 2, "development"),
        ({"command": "promote"}, 2, "to: is missing"),
        ({"command": "rollback", "environment": "nowhere"}, 2, "nowhere is no environment"),
        ({"command": "rollback", "environment": "staging", "to_revision": "nobody"}, 2, "unknown revision nobody"),
        ({"command": "rollback", "environment": "staging", "until": "soon"}, 2, "soon"),
    ],
)  # fmt: skip
def test_what_is_refused_ends_with_its_code_and_writes_nothing(
    acme: Step, inputs: dict[str, str], code: int, said: str
) -> None:
    step = by_hand(acme, inputs)
    assert step.code == code, step.stdout
    assert said in error_of(step)
    assert acme.github.writes() == []
    assert step.outputs == {}


def test_a_comment_does_not_start_what_the_inputs_ask_for(talk: Talk) -> None:
    made = talk.github.comment(talk.example.pull.number, "LGTM", "eve", talk.example.repository)
    event = {
        "action": "created", "issue": {"number": made.number, "state": "open", "pull_request": {"url": "x"}},
        "comment": {"id": made.id, "user": {"login": "eve", "type": "User"}, "body": made.body,
                    "author_association": "NONE", "created_at": made.created_at},
        "repository": {"full_name": talk.example.repository.full_name}, "sender": {"login": "eve"},
    }  # fmt: skip
    writes = len(talk.github.writes())
    for inputs in (PROMOTE, {"command": "rollback", "environment": "staging"}):
        step = talk.here.step(inputs, event_name="issue_comment", event=event, token=talk.github.tokens.actions.value,
                              env={"GITHUB_SHA": talk.example.repository.head()})  # fmt: skip
        assert step.code == 0, step.stdout
        assert step.outputs == NOTHING
    assert len(talk.github.writes()) == writes


# -- asked for in comments ---------------------------------------------------------------------------------------------


def test_a_promotion_that_a_comment_asks_for_is_answered_with_its_pull_request(talk: Talk) -> None:
    step, made = talk.says("/gitops promote production")
    assert step.code == 0, step.stdout
    assert signs(made) == ["+1"]
    (answer,) = talk.ours()
    assert step.outputs["mode"] == "pull-request"
    assert step.outputs["pull_request_url"] in answer.body
    assert "status ci is waiting" in answer.body
    assert step.outputs["comment_url"].endswith(str(answer.id))
    (pull,) = [
        each for each in talk.example.repository.pulls.values() if each.head_ref == "gitops-bot/promote--production"
    ]
    assert "Asked for by ada" in pull.body


def test_a_rollback_that_a_comment_asks_for_is_committed(talk: Talk) -> None:
    repository = talk.example.repository
    text = repository.git.run("show", f"main:{STAGING}") + "\n"
    repository.commit({STAGING: text.replace("sha-4be81c0", "sha-0000bad")}, "main", "chore: worse")
    shutil.rmtree(talk.here.workspace)  # the workflow checks nothing out
    talk.here.workspace.mkdir()
    step, made = talk.says("/gitops rollback staging")
    assert step.code == 0, step.stdout
    assert signs(made) == ["+1"]
    assert "sha-0000bad" not in repository.git.run("show", f"main:{STAGING}")
    (answer,) = talk.ours()
    assert "committed" in answer.body
    assert step.outputs["commit_sha"] == repository.head()


def test_what_is_refused_is_answered_with_why(talk: Talk) -> None:
    step, made = talk.says("/gitops promote nowhere")
    assert step.code == 2
    assert signs(made) == ["+1"]
    (answer,) = talk.ours()
    assert "nowhere is no environment" in answer.body


@pytest.mark.parametrize("body", ["/gitops promote production", "/gitops rollback staging"])
@pytest.mark.parametrize("author", ["eve", "bob"])
def test_who_may_not_write_moves_nothing(talk: Talk, body: str, author: str) -> None:
    head = talk.example.repository.head()
    step, made = talk.says(body, author)
    assert step.code == 0, step.stdout
    assert signs(made) == ["-1"]
    assert talk.ours() == []
    assert len(talk.github.writes()) == 1
    assert talk.example.repository.head() == head
