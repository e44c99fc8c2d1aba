"""The image as the runner starts it: a workspace of another user, the fake GitHub, and the agreed comment."""

from __future__ import annotations

import os

from tests.actions.churn import checkout, churn
from tests.actions.here import job_on
from tests.actions.test_flow import GOLDEN, only, settled, token_of
from tests.image.runner import UID


def test_the_comment_is_the_agreed_one(github, job, tmp_path):
    acme = churn(github)
    runner = job_on(job, github, acme.repository)
    checkout(acme.repository, runner.workspace, f"refs/pull/{acme.pull.number}/merge")
    step = runner.step({"cache": ".cache/gitops-bot"}, event=acme.event, token=token_of(github))
    assert step.code == 0, step.stdout + step.stderr
    assert settled(only(github.comments(1)).body) == GOLDEN.read_text()
    assert step.outputs["changed"] == "true"
    assert step.outputs["report"] == "gitops-bot-report/report.html"
    assert (runner.workspace / step.outputs["report"]).is_file()
    assert "3 to change" in step.summary
    assert step.stderr == ""
    assert len(github.writes()) == 1
    if os.getuid() == 0:
        assert {path.lstat().st_uid for path in runner.workspace.rglob("*")} == {UID}


def test_a_second_run_reads_the_restored_cache_and_writes_no_comment(github, job, tmp_path):
    acme = churn(github)
    runner = job_on(job, github, acme.repository)
    checkout(acme.repository, runner.workspace, f"refs/pull/{acme.pull.number}/merge")
    for _ in range(2):
        step = runner.step({"cache": ".cache/gitops-bot"}, event=acme.event, token=token_of(github))
        assert step.code == 0, step.stdout + step.stderr
        runner.own()
    assert len(github.writes()) == 1
    assert "unchanged" in step.stdout
