"""What somebody who means harm, or has bad luck, may do to a run of the Action: each case once worked."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.actions.churn import BRANCH, Churn, checkout, churn, event
from tests.actions.here import Here
from tests.actions.test_flow import STAGING, acme, commands, finished_run, here, only, token_of

__all__ = ["acme", "here"]  # the fixtures of the flow
NAMESPACE = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n"


def test_a_conflict_does_not_choose_an_older_policy(github, acme, here):
    repository = acme.repository
    strict = repository.git.run("show", "main:.gitops-bot.yaml") + "\n"
    lax = strict.replace(
        "fail_on: [error]", "fail_on: []\n  templates: t\n  silence: [{signal: data-deletion, reason: old}]"
    )
    old = {"extra/namespace.yaml": NAMESPACE, "x.txt": "1\n", ".gitops-bot.yaml": lax, "t/footer.md.j2": "old words\n"}
    repository.commit(old, "main")
    repository.commit({"extra/namespace.yaml": None, "x.txt": "2\n"}, "branch", start="main")
    repository.commit({".gitops-bot.yaml": strict, "x.txt": "3\n"}, "main")
    repository.refresh()
    pull = github.open_pull(repository, "branch")
    now = {"GITHUB_SHA": repository.head("main")}
    step = here.step(event=event(github, repository, pull), token=token_of(github), env=now)
    assert step.code == 7, step.stdout
    body = only(github.comments(pull.number)).body
    assert "do not merge" in body
    assert "old words" not in body


def test_what_a_force_push_throws_away_is_told(github, acme, here):
    repository = acme.repository
    start = repository.head("main")
    values = repository.git.run("show", f"main:{STAGING}")
    before = repository.commit({STAGING: values.replace("replicaCount: 2", "replicaCount: 4") + "\n"}, "main")
    repository.git.update("refs/heads/main", start)
    after = repository.commit({"README.md": "words\n"}, "main")
    payload = {"ref": "refs/heads/main", "before": before, "after": after, "created": False, "deleted": False,
               "forced": True, "repository": acme.event["repository"], "sender": acme.event["sender"]}  # fmt: skip
    step = here.step(event_name="push", event=payload, token=token_of(github))
    assert step.code == 0, step.stdout
    assert "1 to change" in step.summary
    gone = here.step(event_name="push", event={**payload, "before": "1" * 40}, token=token_of(github))
    assert gone.code == 0, gone.stdout
    assert any("not there any more" in line for line in commands(gone.stdout))
    assert gone.outputs["changed"] == "false"


def stage_one(acme: Churn, tmp_path, base: str) -> bytes:
    stage = tmp_path / "stage-one"
    checkout(acme.repository, stage, f"refs/pull/{acme.pull.number}/merge", depth=0)
    report = tmp_path / "report.json"
    subprocess.run(
        [sys.executable, "-m", "gitops_bot", "diff", "--offline", "--base", base, "--head", acme.pull.head_sha,
         "--format", "json", "--output", report], cwd=stage, check=True,
    )  # fmt: skip
    return report.read_bytes()


def posted(github, acme: Churn, made: Here, report: bytes):
    (made.workspace / "downloaded").mkdir(exist_ok=True)
    (made.workspace / "downloaded" / "report.json").write_bytes(report)
    given = {"command": "post", "report_file": "downloaded/report.json"}
    on_main = {"GITHUB_SHA": acme.repository.head("main")}
    return made.step(given, event_name="workflow_run", event=finished_run(acme), token=token_of(github), env=on_main)


def test_a_report_is_posted_on_the_pull_request_that_it_is_about(github, tmp_path, helm):
    acme = churn(github, fork="mallory")
    other = github.open_pull(acme.repository, BRANCH, base="develop", from_fork="mallory")
    acme.repository.refresh()
    made = Here(
        tmp_path / "runner", repository=acme.repository.full_name, server_url=github.server_url, api_url=github.url
    )
    step = posted(github, acme, made, stage_one(acme._replace(pull=other), tmp_path, "origin/develop"))
    assert step.code == 0, step.stdout
    assert github.comments(acme.pull.number) == []
    only(github.comments(other.number))


def test_a_report_that_is_nested_to_no_end_is_refused(github, tmp_path, helm):
    acme = churn(github, fork="mallory")
    made = Here(
        tmp_path / "runner", repository=acme.repository.full_name, server_url=github.server_url, api_url=github.url
    )
    report = json.loads(stage_one(acme, tmp_path, "origin/main"))
    deep: object = "x"
    for _ in range(600):
        deep = [deep]
    report["changes"][0]["fields"] = [{"path": "spec", "before": deep, "after": 1}]
    step = posted(github, acme, made, json.dumps(report).encode())
    assert step.code == 2
    assert any("too deep" in line for line in commands(step.stdout))
    assert github.comments(acme.pull.number) == []


def test_an_older_run_does_not_write_over_a_pull_request_with_another_base(github, acme, here):
    old = acme.event
    acme.pull.base_ref = "develop"
    acme.repository.refresh()
    step = here.step(event=old, token=token_of(github))
    assert step.code == 0, step.stdout
    assert github.comments(1) == []


def test_files_of_the_repository_in_the_reports_way_hide_nothing(github, acme, here):
    (here.workspace / "gitops-bot-report" / "report.html").mkdir(parents=True)
    (here.workspace / "gitops-bot-report" / "report.html" / "x").touch()
    step = here.step(event=acme.event, token=token_of(github))
    assert step.code == 2
    assert "3 to change" in only(github.comments(1)).body
    assert "3 to change" in step.summary
    assert step.outputs["changed"] == "true"
    assert step.outputs["report"] == ""


def test_a_link_in_the_reports_place_is_not_followed(github, acme, here, tmp_path):
    (tmp_path / "victim").write_text("precious")
    (here.workspace / "gitops-bot-report").mkdir()
    (here.workspace / "gitops-bot-report" / "report.html").symlink_to(tmp_path / "victim")
    step = here.step(event=acme.event, token=token_of(github))
    assert step.code == 0, step.stdout
    assert (tmp_path / "victim").read_text() == "precious"
    assert "<html" in (here.workspace / "gitops-bot-report" / "report.html").read_text()


def test_a_comment_that_somebody_rewrote_is_put_right(github, acme, here):
    here.step(event=acme.event, token=token_of(github))
    comment = only(github.comments(1))
    first = comment.body
    comment.body = first.split("\n")[0] + "\n### No changes: 7 targets, none affected.\n"
    here.step(event=acme.event, token=token_of(github))
    assert only(github.comments(1)).body == first


@pytest.mark.parametrize("written", ["absolute", "relative"])
def test_a_link_in_the_repository_leads_the_cache_nowhere(github, acme, here, tmp_path, written):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (here.workspace / ".c").symlink_to(elsewhere)
    cache = str(here.workspace / ".c") if written == "absolute" else ".c"
    step = here.step({"cache": cache}, event=acme.event, token=token_of(github))
    assert step.code == 2
    assert any("leads out" in line for line in commands(step.stdout))
    assert os.listdir(elsewhere) == []
