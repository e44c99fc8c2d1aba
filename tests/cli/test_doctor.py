"""``gitops-bot doctor``: what it finds, what it advises, and its exit code."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from gitops_bot.cli.doctor import command


@pytest.fixture
def doctor():
    def run(*arguments: str):
        ended = CliRunner().invoke(command, [*arguments, "--format", "json"], standalone_mode=False)
        assert ended.exception is None
        report = json.loads(ended.output)
        assert report["exitCode"] == ended.return_value
        return ended.return_value, {check["subject"]: check for check in report["checks"]}

    return run


@pytest.mark.usefixtures("helm")
def test_a_good_machine_and_repository_end_with_0(doctor, repository):
    made = repository({".gitops-bot.yaml": "version: 1\n", ".gitops-bot/clusters/dev.yaml": 'kube_version: "1.36"\n'})
    made.git("remote", "add", "origin", "https://example.org/acme/x")
    made.git("update-ref", "refs/remotes/origin/main", "HEAD")
    made.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
    code, checks = doctor("--repo", str(made.path))
    assert code == 0
    assert checks["settings"]["found"] == ".gitops-bot.yaml is valid; capability snapshots: dev"
    assert {
        name for name in ("git", "helm", "kustomize", "repository", "base") if checks[name]["state"] != "ok"
    } == set()


def test_missing_tools_are_problems_with_a_next_step(doctor, repository, monkeypatch, tmp_path):
    made = repository({})
    git = made.git("--exec-path")
    monkeypatch.setenv("PATH", git)
    monkeypatch.setenv("GITOPS_BOT_TOOLS", str(tmp_path / "none"))
    code, checks = doctor("--repo", str(made.path))
    assert code == 4
    for name in ("helm", "kustomize"):
        assert checks[name]["state"] == "problem"
        assert "gitops-bot tools install" in checks[name]["next_step"]


@pytest.mark.usefixtures("helm")
def test_wrong_settings_are_told_in_full(doctor, repository):
    code, checks = doctor("--repo", str(repository({".gitops-bot.yaml": "a: 1\nb: 2\n"}).path))
    assert code == 2
    assert "line 1: a" in checks["settings"]["found"]
    assert "line 2: b" in checks["settings"]["found"]


@pytest.mark.usefixtures("helm")
def test_no_repository_is_5(doctor, tmp_path):
    code, checks = doctor("--repo", str(tmp_path))
    assert code == 5
    assert checks["repository"]["state"] == "problem"


def test_a_shallow_clone_and_an_unknown_base_are_warnings(doctor, repository, tmp_path):
    made = repository({"a": "1"})
    made.commit({"a": "2"})
    made.git("clone", "--quiet", "--depth=1", f"file://{made.path}", str(tmp_path / "shallow"))
    _, checks = doctor("--repo", str(tmp_path / "shallow"))
    assert checks["history"]["next_step"].startswith("git fetch --unshallow")
    _, checks = doctor("--repo", str(made.path))
    assert checks["base"]["state"] == "warning"
    assert "--base" in checks["base"]["next_step"]


def test_no_tokens_and_no_files_are_left_by_looking(doctor, repository, monkeypatch):
    made = repository({"a": "1"})
    monkeypatch.setenv("GITHUB_TOKEN", "hunter2")
    _, checks = doctor("--repo", str(made.path))
    assert "hunter2" not in json.dumps(checks)
    assert made.git("status", "--porcelain") == ""


def test_the_text_counts_what_it_shows(repository):
    made = repository({".gitops-bot.yaml": "a: 1\n"})
    output = CliRunner().invoke(command, ["--repo", str(made.path)], standalone_mode=False).output
    problems = sum(line.startswith("FAIL") for line in output.splitlines())
    warnings = sum(line.startswith("warn") for line in output.splitlines())
    assert problems >= 1
    assert warnings >= 1
    assert output.splitlines()[-1].startswith(f"{problems} problem")
    assert f"{warnings} warning" in output.splitlines()[-1]
