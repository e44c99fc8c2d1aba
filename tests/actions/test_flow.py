"""The Action from the event to the comment, run as the runner runs it, against a GitHub that remembers."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gitops_bot.text.marker import read_marker
from tests.actions.churn import BRANCH, Churn, checkout, churn, event
from tests.actions.here import Here
from tests.github import faults
from tests.github.state import Comment

GOLDEN = Path(__file__).parent / "goldens" / "comment.md"
DEPLOYMENT = "k8s/helm/churn-mlops/templates/deployment.yaml"
STAGING = "k8s/helm/churn-mlops/values-staging.yaml"


@pytest.fixture
def acme(github, tmp_path) -> Churn:
    return churn(github)


@pytest.fixture
def here(github, acme, tmp_path, helm) -> Here:
    """A job in the example's repository, with the checkout that actions/checkout makes of a pull request."""
    made = Here(tmp_path / "runner", repository=acme.repository.full_name, server_url=github.server_url,
                api_url=github.url)  # fmt: skip
    checkout(acme.repository, made.workspace, f"refs/pull/{acme.pull.number}/merge")
    return made


def token_of(github) -> str:
    return github.tokens.actions.value


def only(comments: list[Comment]) -> Comment:
    assert len(comments) == 1, [comment.body[:200] for comment in comments]
    return comments[0]


def commands(stdout: str) -> list[str]:
    """What the runner would take as commands: what stands between stop-commands is no more than text."""
    found, stopped = [], ""
    for line in re.split(r"\r\n|\r|\n", stdout):
        text = line.strip()
        if stopped:
            stopped = "" if text == f"::{stopped}::" else stopped
        elif text.startswith("::stop-commands::"):
            stopped = text.removeprefix("::stop-commands::")
        elif text.startswith("::") or "##[" in text:
            found.append(text)
    assert not stopped
    return found


def settled(body: str) -> str:
    """A comment without what differs from run to run and from tool to tool: digest, commits, versions."""
    body = re.sub(r"[0-9a-f]{64}|(?<=sha256:)[0-9a-f]+|(?<=`)[0-9a-f]{8}(?=`)", "…", body)
    return re.sub(r"\b(helm|kustomize) v?[0-9][0-9.]*", r"\1 …", body)


def test_one_step_puts_one_truthful_comment_on_the_pull_request(github, acme, here):
    step = here.step(event=acme.event, token=token_of(github))
    assert step.code == 0, step.stdout + step.stderr
    comment = only(github.comments(acme.pull.number))
    marker = read_marker(comment.body)
    assert marker is not None and marker.key == "default"
    if os.environ.get("GITOPS_BOT_UPDATE_GOLDENS"):
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(settled(comment.body))
    assert settled(comment.body) == GOLDEN.read_text()
    assert step.outputs | {"plan": ""} == {
        "changed": "true", "added": "1", "changed_count": "5", "removed": "1", "failed": "0", "routine": "false",
        "errors": step.outputs["errors"], "warnings": step.outputs["warnings"], "plan": "",
        "comment_url": f"{github.server_url}/{acme.repository.full_name}/pull/1#issuecomment-{comment.id}",
        "report": "gitops-bot-report/report.html", "mode": "", "branch": "", "commit_sha": "",
        "pull_request_number": "", "pull_request_url": "", "changed_files": "", "tag": "",
    }  # fmt: skip
    assert "3 to change" in step.summary
    report = json.loads((here.workspace / "gitops-bot-report" / "report.json").read_text())
    assert report["compared"]["head"] == acme.pull.head_sha
    assert "<html" in (here.workspace / "gitops-bot-report" / "report.html").read_text()
    assert step.stderr == ""
    asked = github.api_requests()
    assert len(asked) <= 15
    assert len(github.writes()) == 1


def test_nothing_is_left_behind_but_the_report(github, acme, here):
    before = {path for path in here.workspace.rglob("*") if "gitops-bot-report" not in path.parts}
    here.step(event=acme.event, token=token_of(github))
    after = {path for path in here.workspace.rglob("*") if "gitops-bot-report" not in path.parts}
    assert after == before
    owner = here.workspace.stat().st_uid
    assert {path.stat().st_uid for path in (here.workspace / "gitops-bot-report").rglob("*")} == {owner}


def test_later_steps_may_read_and_remove_the_cache(github, acme, here):
    step = here.step({"cache": ".cache/gitops-bot"}, event=acme.event, token=token_of(github))
    assert step.code == 0, step.stdout
    kept = [here.workspace / ".cache", *(here.workspace / ".cache").rglob("*")]
    assert any(path.is_file() for path in kept)
    assert {path.lstat().st_uid for path in kept} == {here.workspace.stat().st_uid}


def test_the_same_content_is_not_written_again(github, acme, here):
    here.step(event=acme.event, token=token_of(github))
    first = only(github.comments(1))
    writes = len(github.writes())
    acme.repository.commit({"docs/other.md": "words\n"}, BRANCH)
    again = event(github, acme.repository, acme.pull, "synchronize")
    step = here.step(event=again, token=token_of(github))
    assert step.code == 0, step.stdout
    assert "unchanged" in step.stdout
    assert len(github.writes()) == writes
    assert only(github.comments(1)).body == first.body
    assert step.outputs["comment_url"].endswith(str(first.id))


def test_a_new_push_edits_the_comment(github, acme, here):
    here.step(event=acme.event, token=token_of(github))
    first = only(github.comments(1))
    text = acme.repository.git.run("show", f"{BRANCH}:{STAGING}")
    acme.repository.commit({STAGING: text.replace("replicaCount: 3", "replicaCount: 5") + "\n"}, BRANCH)
    step = here.step(event=event(github, acme.repository, acme.pull, "synchronize"), token=token_of(github))
    assert step.code == 0, step.stdout
    edited = only(github.comments(1))
    assert edited.id == first.id
    assert "replicas: 5" in edited.body


def test_a_run_that_is_late_writes_nothing(github, acme, here):
    acme.repository.commit({"docs/other.md": "words\n"}, BRANCH)
    step = here.step(event=acme.event, token=token_of(github))
    assert step.code == 0, step.stdout
    assert github.comments(1) == []
    assert "newer commit" in step.stdout
    assert step.outputs["comment_url"] == ""


def test_other_sides_than_the_event_s_are_told_on_its_pull_request(github, acme, here):
    step = here.step({"head": "main", "base": "v1.0.0"}, event=acme.event, token=token_of(github))
    assert step.code == 0, step.stdout
    assert "0 to add, 2 to change, 0 to remove" in only(github.comments(1)).body


# -- what each input does ----------------------------------------------------------------------------------------------


def test_never_comments_on_nothing(github, acme, here):
    before = len(github.api_requests())
    step = here.step({"comment": "never"}, event=acme.event, token=token_of(github))
    assert (step.code, step.outputs["comment_url"], step.outputs["changed"]) == (0, "", "true"), step.stdout
    assert "3 to change" in step.summary
    assert len(github.api_requests()) == before


def test_apps_choose_what_is_compared(github, acme, here):
    step = here.step({"apps": "churn-mlops-*\n!*-staging"}, event=acme.event, token=token_of(github))
    assert step.code == 0, step.stdout
    body = only(github.comments(1)).body
    assert "churn-mlops-production" in body
    assert "churn-mlops-staging" not in body
    unknown = here.step({"apps": "churn-mlop-x"}, event=acme.event, token=token_of(github))
    assert (unknown.code, "churn-mlop-x" in unknown.stdout) == (2, True)


def test_fail_on_fails_what_the_settings_let_through(github, acme, here):
    assert here.step(event=acme.event, token=token_of(github)).code == 0
    step = here.step({"fail_on": "warning"}, event=acme.event, token=token_of(github))
    assert step.code == 7, step.stdout
    assert step.outputs["warnings"] != "0"
    assert step.outputs["errors"] == "0"


def test_a_checkout_below_the_workspace_and_a_report_elsewhere(github, acme, tmp_path, helm):
    made = Here(tmp_path / "runner", repository=acme.repository.full_name, server_url=github.server_url,
                api_url=github.url)  # fmt: skip
    checkout(acme.repository, made.workspace / "config", f"refs/pull/{acme.pull.number}/merge", depth=0)
    given = {"working_directory": "config", "report_directory": "out/diff", "offline": "true"}
    step = made.step(given, event=acme.event, token=token_of(github))
    assert (step.code, step.outputs["report"]) == (0, "out/diff/report.html"), step.stdout
    assert sorted(path.name for path in (made.workspace / "out" / "diff").iterdir()) == ["report.html", "report.json"]
    assert fetches(github) == 0


def test_offline_fetches_nothing_and_says_what_lacks(github, acme, here):
    step = here.step({"offline": "true"}, event=acme.event, token=token_of(github))
    assert (step.code, "offline" in step.stdout) == (5, True), step.stdout
    assert fetches(github) == 0
    assert here.step(event=acme.event, token=token_of(github)).code == 0
    assert fetches(github) > 0


def fetches(github) -> int:
    """How often Git asked for commits."""
    return sum("git-upload-pack" in one.path for one in github.requests)


def test_two_keys_are_two_comments(github, acme, here):
    for key in ("a", "b", "a"):
        here.step({"comment_key": key}, event=acme.event, token=token_of(github))
    keys = [read_marker(comment.body).key for comment in github.comments(1)]
    assert sorted(keys) == ["a", "b"]


def test_without_any_checkout_the_action_fetches_what_it_needs(github, acme, tmp_path, helm):
    bare = Here(
        tmp_path / "bare", repository=acme.repository.full_name, server_url=github.server_url, api_url=github.url
    )
    step = bare.step(event=acme.event, token=token_of(github))
    assert step.code == 0, step.stdout + step.stderr
    assert settled(only(github.comments(1)).body) == GOLDEN.read_text()


def test_an_enterprise_server_is_found_by_its_api_url(github, acme, tmp_path, helm):
    made = Here(tmp_path / "ghes", repository=acme.repository.full_name, server_url=github.server_url,
                api_url=github.enterprise_url)  # fmt: skip
    step = made.step(event=acme.event, token=token_of(github))
    assert step.code == 0, step.stdout
    only(github.comments(1))
    assert {one.path for one in github.writes()} == {f"/repos/{acme.repository.full_name}/issues/1/comments"}


def test_an_app_comments_in_its_own_name(github, tmp_path, helm):
    acme = churn(github, name="shop/churn-mlops-prod")
    here = Here(
        tmp_path / "runner", repository=acme.repository.full_name, server_url=github.server_url, api_url=github.url
    )
    given = {"app_id": str(github.app.id), "app_private_key": github.app.private_key}
    step = here.step(given, event=acme.event)
    assert step.code == 0, step.stdout
    assert only(github.comments(1)).author.login == "gitops-bot[bot]"
    minted = [line for line in commands(step.stdout) if line.startswith("::add-mask::ghs_")]
    assert minted
    key_lines = github.app.private_key.split("\n")[1:-2]
    shown = "\n".join(line for line in step.stdout.split("\n") if not line.startswith("::add-mask::"))
    assert not [line for line in key_lines if line in shown]


def test_a_fork_gets_a_summary_and_a_notice_and_no_failure(github, tmp_path, helm):
    acme = churn(github, fork="mallory")
    made = Here(
        tmp_path / "runner", repository=acme.repository.full_name, server_url=github.server_url, api_url=github.url
    )
    checkout(acme.repository, made.workspace, "refs/pull/1/merge")
    step = made.step({"cache": ".cache/gitops-bot"}, event=acme.event, token=github.tokens.read_only.value)
    assert step.code == 0, step.stdout
    assert github.comments(1) == []
    assert "3 to change" in step.summary
    assert any(line.startswith("::notice") and "step summary" in line for line in commands(step.stdout))
    assert step.outputs["changed"] == "true"
    kept = sorted(path.name for path in (made.workspace / ".cache/gitops-bot").iterdir())
    assert len(kept) == 1
    assert kept[0].startswith("fork-")


def test_a_token_that_lacks_the_permission_is_told_with_the_permission(github, acme, here):
    step = here.step(event=acme.event, token=github.tokens.read_only.value)
    assert step.code == 6
    assert any(line.startswith("::error") and "pull-requests: write" in line for line in commands(step.stdout))
    assert "3 to change" in step.summary
    assert step.outputs["changed"] == "true"


@pytest.mark.parametrize(
    "fault",
    [faults.server_error(after_write=True), faults.server_error(), faults.dropped(after_write=True),
     faults.too_many(retry_after=1)],
    ids=["502 after the write", "502 before it", "hung up after the write", "429"],
)  # fmt: skip
def test_a_fault_while_writing_makes_neither_two_comments_nor_none(github, acme, here, fault):
    github.faults.add("POST", "/repos/*/issues/*/comments", fault)
    step = here.step(event=acme.event, token=token_of(github))
    assert step.code == 0, step.stdout
    assert settled(only(github.comments(1)).body) == GOLDEN.read_text()


def test_what_cannot_be_rendered_fails_the_step_and_is_told_everywhere(github, acme, here):
    acme.repository.commit({DEPLOYMENT: '{{ fail "::error::no" }}\n'}, BRANCH)
    step = here.step(event=event(github, acme.repository, acme.pull, "synchronize"), token=token_of(github))
    assert step.code == 3, step.stdout
    assert "could not" in only(github.comments(1)).body
    assert step.outputs["failed"] != "0"
    errors = [line for line in commands(step.stdout) if line.startswith("::error")]
    assert errors
    assert all(re.match(r"::error( title=[^:]*)?(,?file=[^:]*)?::", line) for line in errors), errors


def test_signals_fail_the_step_by_the_base_s_rules_only(github, acme, here):
    settings = acme.repository.git.run("show", f"{BRANCH}:.gitops-bot.yaml")
    namespace = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n"
    acme.repository.commit({"extra/namespace.yaml": namespace}, "main")
    weaker = settings.replace("fail_on: [error]", "fail_on: []\n  silence: [{signal: data-deletion, reason: ours}]")
    assert weaker != settings
    changed = {"extra/namespace.yaml": None, ".gitops-bot.yaml": weaker + "\n"}
    acme.repository.commit(changed, "remove-namespace", start="main")
    acme.repository.refresh()
    pull = github.open_pull(acme.repository, "remove-namespace")
    step = here.step(event=event(github, acme.repository, pull), token=token_of(github))
    assert "data-deletion" in step.stdout
    assert step.code == 7, step.stdout
    assert step.outputs["errors"] == "1"
    assert any(line.startswith("::error") and "data-deletion" in line for line in commands(step.stdout))


def test_a_push_is_reviewed_in_the_summary_only(github, acme, here):
    before = acme.repository.head("main")
    text = acme.repository.git.run("show", f"main:{STAGING}")
    after = acme.repository.commit({STAGING: text.replace("replicaCount: 2", "replicaCount: 4") + "\n"}, "main")
    payload = {"ref": "refs/heads/main", "before": before, "after": after, "created": False, "deleted": False,
               "forced": False, "repository": acme.event["repository"], "sender": acme.event["sender"],
               "pusher": {"name": "ada"}, "commits": []}  # fmt: skip
    step = here.step(event_name="push", event=payload, token=token_of(github))
    assert step.code == 0, step.stdout
    assert "1 to change" in step.summary
    assert github.writes() == []


def test_an_event_without_two_commits_asks_for_them(github, acme, here):
    payload = {"schedule": "0 * * * *", "repository": acme.event["repository"]}
    on_main = {"GITHUB_SHA": acme.repository.head("main")}
    step = here.step(event_name="schedule", event=payload, token=token_of(github), env=on_main)
    assert step.code == 2
    assert any("base and head" in line for line in commands(step.stdout))
    named = {"base": "main", "head": BRANCH}
    step = here.step(named, event_name="schedule", event=payload, token=token_of(github), env=on_main)
    assert step.code == 0, step.stdout
    assert "3 to change" in step.summary


def test_pull_request_target_refuses_a_checkout_of_the_head(github, acme, here):
    step = here.step(event_name="pull_request_target", event=acme.event, token=token_of(github),
                     env={"GITHUB_SHA": acme.pull.base_sha})  # fmt: skip
    assert step.code == 2, step.stdout
    assert any("allow_untrusted_head" in line for line in commands(step.stdout))
    assert github.comments(1) == []
    allowed = here.step({"allow_untrusted_head": "true"}, event_name="pull_request_target", event=acme.event,
                        token=token_of(github), env={"GITHUB_SHA": acme.pull.base_sha})  # fmt: skip
    assert allowed.code == 0, allowed.stdout


def test_two_stages_bring_a_fork_its_comment(github, tmp_path, helm):
    acme = churn(github, fork="mallory")
    stage = tmp_path / "stage-one"
    checkout(acme.repository, stage, "refs/pull/1/merge", depth=0)
    subprocess.run(
        [sys.executable, "-m", "gitops_bot", "diff", "--offline", "--base", "origin/main", "--head",
         acme.pull.head_sha, "--format", "json", "--output", str(tmp_path / "report.json")],
        cwd=stage, check=True,
    )  # fmt: skip
    made = Here(
        tmp_path / "runner", repository=acme.repository.full_name, server_url=github.server_url, api_url=github.url
    )
    given = {"command": "post", "report_file": "downloaded/report.json"}
    (made.workspace / "downloaded").mkdir()
    report = (tmp_path / "report.json").read_bytes()
    (made.workspace / "downloaded" / "report.json").write_bytes(report)
    finished = finished_run(acme)
    on_main = {"GITHUB_SHA": acme.repository.head("main")}
    step = made.step(given, event_name="workflow_run", event=finished, token=token_of(github), env=on_main)
    assert step.code == 0, step.stdout
    body = only(github.comments(1)).body
    assert "3 to change" in body
    assert "may have changed" in body
    other = json.loads(report)
    other["compared"]["head"] = acme.pull.base_sha
    for wrong in (
        json.dumps(other).encode(),
        b"{}",
        b"[" * 100_000,
        b"\xff",
        report.replace(b'"schemaVersion": "1"', b'"schemaVersion": "9"'),
    ):
        (made.workspace / "downloaded" / "report.json").write_bytes(wrong)
        step = made.step(given, event_name="workflow_run", event=finished, token=token_of(github), env=on_main)
        assert step.code == 2, step.stdout
    assert only(github.comments(1)).body == body


def finished_run(acme: Churn) -> dict:
    source = acme.pull.head_repository
    return {
        "action": "completed",
        "workflow_run": {
            "id": 77, "event": "pull_request", "conclusion": "success", "head_sha": acme.pull.head_sha,
            "head_branch": acme.pull.head_ref, "pull_requests": [],
            "head_repository": {"id": source.id, "full_name": source.full_name},
        },
        "repository": acme.event["repository"],
        "sender": acme.event["sender"],
    }  # fmt: skip


def test_no_token_is_anywhere_but_in_its_mask(github, acme, here):
    secret = token_of(github)
    step = here.step({"cache": ".cache/gitops-bot"}, event=acme.event, token=secret)
    lines = [line for line in step.stdout.split("\n") if not line.startswith("::add-mask::")]
    assert secret not in "\n".join(lines)
    assert step.stdout.startswith("::add-mask::")
    assert secret not in step.summary + step.stderr + json.dumps(step.outputs)
    for path in [*here.workspace.rglob("*"), *here.temp.rglob("*")]:
        if path.is_file() and path.suffix != ".json":
            assert secret.encode() not in path.read_bytes(), path


def test_foreign_text_gives_the_runner_no_command(github, acme, here):
    evil = "::set-output name=changed::false\n::add-mask::a\n##[error]x"
    values = acme.repository.git.run("show", f"{BRANCH}:{STAGING}")
    name = "apps/::warning::x.yaml"
    acme.repository.commit(
        {STAGING: values + "\n", name: "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: '::error::n'\ndata:\n  x: "
         + json.dumps(evil) + "\n"}, BRANCH
    )  # fmt: skip
    step = here.step(event=event(github, acme.repository, acme.pull, "synchronize"), token=token_of(github))
    assert step.code == 0, step.stdout
    names = {re.match(r"::([a-z-]+)", line)[1] for line in commands(step.stdout)}
    assert names <= {"add-mask", "group", "endgroup", "error", "warning", "notice"}
    assert not [line for line in commands(step.stdout) if line.startswith(("::warning::x", "::error::n"))]
