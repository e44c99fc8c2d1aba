"""`bump` from the command line to a commit on the fake GitHub, with real git and the real renderer."""

from __future__ import annotations

import json
import subprocess
from typing import NamedTuple

import pytest

from gitops_bot.cli.main import run
from tests.actions.churn import Churn, churn
from tests.cli.test_diff import Ran
from tests.servers import gives

API = "ghcr.io/acme/churn-api"
STAGING = "k8s/helm/churn-mlops/values-staging.yaml"
PRODUCTION = "k8s/helm/churn-mlops/values-production.yaml"


class Bumper(NamedTuple):
    acme: Churn
    checkout: str
    call: object

    def __call__(self, *arguments: str) -> Ran:
        return self.call("bump", "--repo", self.checkout, *arguments)

    def read(self, path: str = STAGING, revision: str = "main") -> str:
        return self.acme.repository.git.run("show", f"{revision}:{path}")


@pytest.fixture
def bump(github, tmp_path, monkeypatch, capfd, helm) -> Bumper:
    acme = churn(github)
    checkout = tmp_path / "checkout"
    subprocess.run(["git", "clone", "-q", acme.repository.path, checkout], check=True)
    for name, value in {
        "GITHUB_SERVER_URL": github.server_url, "GITHUB_API_URL": github.url, "GITHUB_REPOSITORY": acme.repository.full_name,
        "GITHUB_TOKEN": github.tokens.actions.value, "GITHUB_SHA": "a" * 40, "GITHUB_RUN_ID": "7",
        "GITHUB_RUN_NUMBER": "12", "GITHUB_ACTOR": "ada",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)

    def call(*arguments: str) -> Ran:
        code = run(list(arguments))
        said = capfd.readouterr()
        assert "Traceback" not in said.err
        return Ran(code, said.out, said.err)

    return Bumper(acme, str(checkout), call)


def test_the_build_writes_its_tag_into_git_once(bump, github):
    before = bump.read()
    ran = bump("--image", f"{API}:sha-abc1234", "--environment", "staging")
    assert ran.code == 0, ran.err
    assert bump.read() == before.replace("tag: sha-4be81c0", "tag: sha-abc1234")
    message = bump.acme.repository.git.run("log", "-1", "--format=%B", "main")
    assert message.startswith("chore: update image tag\n")
    assert f"{API}: sha-4be81c0 -> sha-abc1234" in message
    assert "Gitops-Bot-" in message
    head, writes = bump.acme.repository.head(), len(github.writes())
    again = bump("--image", f"{API}:sha-abc1234", "--environment", "staging")
    assert again.code == 0
    assert "nothing to commit" in again.out
    assert (bump.acme.repository.head(), len(github.writes())) == (head, writes)


def test_a_branch_that_takes_no_commits_gets_a_pull_request(bump, github):
    bump.acme.repository.protect("main")
    head = bump.acme.repository.head()
    ran = bump("--image", f"{API}:sha-abc1234", "--environment", "staging")
    assert ran.code == 0, ran.err
    assert "pull request" in ran.out
    assert bump.acme.repository.head() == head
    (pull,) = [one for one in bump.acme.repository.pulls.values() if one.number != bump.acme.pull.number]
    assert "sha-abc1234" in bump.read(revision=pull.head_ref)
    assert "sha-4be81c0" in pull.body


def test_a_dry_run_and_an_edit_here_write_nothing_there(bump, github):
    for option in ("--dry-run", "--no-commit"):
        ran = bump("--image", f"{API}:sha-abc1234", "--environment", "staging", option)
        assert ran.code == 0, ran.err
        assert "sha-abc1234" in ran.out
    assert github.writes() == []
    changed = subprocess.run(
        ["git", "-C", bump.checkout, "diff", "--numstat"], capture_output=True, text=True, check=True
    )
    assert changed.stdout == f"1\t1\t{STAGING}\n"


def test_what_stands_against_it_is_told_and_nothing_is_written(bump, github):
    ran = bump("--image", f"{API}:latest", "--environment", "production")
    assert ran.code == 8
    assert "production is protected" in ran.err
    ran = bump("--image", f"{API}:sha-abc1234", "--environment", "nowhere")
    assert ran.code == 2
    assert "nowhere is no environment" in ran.err
    assert bump().code == 2
    assert github.writes() == []


def test_a_model_goes_in_whole(bump):
    given = ["--model", "churn-model", "--model-version", "v1.2.4", "--model-path", "s3://models/churn/v1.2.4/",
             "--data-version", "sha256:" + "ab" * 32, "--environment", "staging"]  # fmt: skip
    ran = bump(*given)
    assert ran.code == 0, ran.err
    values = bump.read()
    assert "v1.2.4" in values
    assert "s3://models/churn/v1.2.4/" in values
    assert bump.acme.repository.git.run("log", "-1", "--format=%s", "main") == "chore: deploy model v1.2.4"


def test_the_input_may_be_json(bump, tmp_path):
    (tmp_path / "in.json").write_text(json.dumps({"images": [f"{API}:sha-abc1234"], "environment": "staging"}))
    ran = bump("--input", str(tmp_path / "in.json"))
    assert ran.code == 0, ran.err
    assert "sha-abc1234" in bump.read()


def test_an_input_may_not_allow_more_than_the_options_do(bump, github, tmp_path):
    asked = {"images": [f"{API}:sha-abc1234"], "environment": "staging", "allow_downgrade": True}
    (tmp_path / "in.json").write_text(json.dumps(asked))
    ran = bump("--input", str(tmp_path / "in.json"), "--allow-downgrade")
    assert ran.code == 2
    assert "allow_downgrade: only the command that reads this may say so" in ran.err
    assert github.writes() == []


def test_what_is_written_counts_and_not_how_it_was_asked_for(bump, github):
    holding = "holds:\n- {{what: GHCR.io/acme/churn-api, version: sha-bad0001, why: down, by: ada, environment: {}}}\n"
    place = ("--path", "image.tag", "--value")
    for environment, file in (("staging", STAGING), ("production", PRODUCTION)):
        bump.acme.repository.commit({".gitops-bot/holds.yaml": holding.format(environment)})
        for named in ((), ("--environment", "staging"), ("--environment", "production")):
            ran = bump("--file", file, *place, "sha-bad0001", *named, "--branch", "main")
            assert ran.code == 8, ran.err
            assert f"sha-bad0001 is held in {environment}" in ran.err
    ran = bump("--file", PRODUCTION, *place, "latest", "--environment", "staging")
    assert ran.code == 8
    assert f"production is protected, and the tag latest of {API} can move" in ran.err
    assert github.writes() == []


def test_another_repository_is_written_to_without_a_checkout(bump, monkeypatch, tmp_path):
    monkeypatch.setenv("GITHUB_REPOSITORY", "acme/code")
    ran = bump("--image", f"{API}:sha-abc1234", "--environment", "staging",
               "--repository", bump.acme.repository.full_name)  # fmt: skip
    assert ran.code == 0, ran.err
    assert "sha-abc1234" in bump.read()


def test_no_token_is_told_with_what_can_be_done(bump, monkeypatch):
    monkeypatch.delenv("GITHUB_TOKEN")
    ran = bump("--image", f"{API}:sha-abc1234", "--environment", "staging")
    assert ran.code == 2
    assert "GITHUB_TOKEN" in ran.err


def test_a_dry_run_without_a_token_looks_at_the_working_tree_and_says_so(bump, github, monkeypatch):
    monkeypatch.delenv("GITHUB_TOKEN")
    before = len(github.requests)
    asked = ("--image", f"{API}:sha-abc1234", "--environment", "staging", "--dry-run")
    ran = bump(*asked)
    assert ran.code == 0, ran.err
    assert "+  tag: sha-abc1234" in ran.out
    assert "in the working tree, not at GitHub" in ran.err
    assert bump(*asked, "--repository", bump.acme.repository.full_name).code == 2
    assert len(github.requests) == before
    status = subprocess.run(["git", "-C", bump.checkout, "status", "--short"], capture_output=True, check=True)
    assert status.stdout == b""


def test_a_registry_is_asked_what_its_alias_means(bump, server):
    """MLflow's own answers are in tests/doors/test_mlflow.py, from a real server; these are its shapes."""
    data = "sha256:" + "cd" * 32
    version = {"name": "churn-model", "version": "v1.2.4", "source": "s3://models/churn/v1.2.4/",
               "tags": [{"key": "data_version", "value": data}]}  # fmt: skip
    answers = {
        "registered-models/alias": {"model_version": version},
        "model-versions/get-download-uri": {"artifact_uri": "s3://models/churn/v1.2.4/"},
    }
    for path, answer in answers.items():
        server.routes[f"/api/2.0/mlflow/{path}"] = gives(json.dumps(answer).encode(), Content_Type="application/json")
    ran = bump("--from-mlflow", server.url, "--alias", "champion", "--model", "churn-model", "--environment", "staging")
    assert ran.code == 0, ran.err
    values = bump.read()
    assert "champion" not in values
    assert "s3://models/churn/v1.2.4/" in values
    assert data in values


def test_what_a_registry_tells_is_not_told_beside_it(bump):
    ran = bump("--from-mlflow", "http://127.0.0.1:9", "--alias", "champion")
    assert (ran.code, "--model and --alias" in ran.err) == (2, True)


@pytest.mark.parametrize(
    "file", [".gitops-bot/holds.yaml", ".gitops-bot.yaml", ".github/workflows/ci.yml", "x/../.gitops-bot.yaml"]
)
def test_rules_and_workflows_are_no_values(bump, github, file):
    ran = bump("--file", file, "--path", "a", "--value", "b")
    assert ran.code == 2
    assert github.writes() == []


def test_no_token_is_sent_to_a_host_that_nobody_named(bump, github, monkeypatch):
    for name in ("GITHUB_REPOSITORY", "GITHUB_SERVER_URL", "GITHUB_API_URL"):
        monkeypatch.delenv(name)
    subprocess.run(
        ["git", "-C", bump.checkout, "remote", "set-url", "origin", "https://git.evil.example/acme/x.git"], check=True
    )
    ran = bump("--image", f"{API}:sha-abc1234")
    assert ran.code == 2
    assert "not known to be a GitHub" in ran.err


def commits_of(checkout: str, count: int) -> list[str]:
    """So many commits of the code, oldest first, in the checkout."""
    made = []
    for number in range(count):
        subprocess.run(
            ["git", "-C", checkout, "-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-q", "--allow-empty",
             "-m", f"feat: {number}"], check=True,
        )  # fmt: skip
        head = subprocess.run(["git", "-C", checkout, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
        made.append(head.stdout.strip())
    return made


@pytest.mark.parametrize(
    ("arrivals", "known_by", "squashed"),
    [
        ((2, 3, 1), "runs", False),
        ((3, 1, 2), "runs", True),
        ((2, 3, 1), "ancestry", False),
        ((3, 1, 2), "ancestry", False),
    ],
)
def test_an_open_pull_request_ends_at_the_newest_build_however_late_the_others_come(
    bump, github, monkeypatch, arrivals, known_by, squashed
):
    commits = ["a" * 40] * 4 if known_by == "runs" else commits_of(bump.checkout, 4)
    tags = [f"build-{name}" for name in "zyxw"]

    def arrive(build: int) -> Ran:
        if known_by == "runs":
            monkeypatch.setenv("GITHUB_RUN_ID", str(100 + build))
        monkeypatch.setenv("GITHUB_SHA", commits[build])
        ran = bump("--image", f"{API}:{tags[build]}", "--environment", "staging", "--mode", "pull-request")
        assert ran.code == 0, ran.err
        return ran

    repository = bump.acme.repository
    if squashed:
        arrive(0)
        github.merge(repository, repository.pulls[max(repository.pulls)], "squash", by="ada")
        assert f"tag: {tags[0]}" in bump.read()
    said = [arrive(build) for build in arrivals]
    (pull,) = [one for one in repository.pulls.values() if one.number != bump.acme.pull.number and one.state == "open"]
    assert f"tag: {tags[3]}" in bump.read(revision=pull.head_ref)
    assert tags[3] in pull.body
    late = [
        ran.out
        for build, ran in zip(arrivals, said, strict=True)
        if build < 3 and arrivals.index(3) < arrivals.index(build)
    ]
    assert late
    assert all("proposes something newer already" in out for out in late)
    if squashed:
        assert f"#{pull.number} stays open: it proposes something newer" in arrive(0).out
        assert pull.state == "open"
