"""The Git side: real git over HTTP."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest

from tests.github import faults
from tests.github.fake import FakeGitHub
from tests.github.state import Pull, Repository


def git(*arguments: str, token: str = "", basic: bool = True) -> tuple[int, str]:
    value = "Basic " + base64.b64encode(f"x-access-token:{token}".encode()).decode() if basic else f"Bearer {token}"
    header = ["-c", f"http.extraHeader=Authorization: {value}"] if token else []
    ended = subprocess.run(["git", *header, *arguments], capture_output=True, text=True, check=False)
    return ended.returncode, ended.stdout + ended.stderr


@pytest.mark.parametrize("basic", [True, False], ids=["basic", "bearer"])
def test_git_fetches_pulls_and_filtered_commits_and_pushes(
    github: FakeGitHub, shop: Repository, pull: Pull, tmp_path: Path, basic: bool
) -> None:
    token = github.tokens.actions.value
    here = str(tmp_path / "clone")
    assert git("clone", "--quiet", "--filter=blob:none", shop.clone_url, here, token=token, basic=basic)[0] == 0
    assert (
        git("-C", here, "fetch", "--quiet", "--depth=1", "origin", "refs/pull/1/merge", token=token, basic=basic)[0]
        == 0
    )
    assert git("-C", here, "rev-parse", "FETCH_HEAD")[1].strip() == pull.merge_commit_sha
    assert git("-C", here, "fetch", "--quiet", "origin", pull.head_sha, token=token, basic=basic)[0] == 0

    assert git("-C", here, "commit", "--quiet", "--allow-empty", "--message", "more")[0] == 0
    assert git("-C", here, "push", "--quiet", "origin", "HEAD:more", "--force", token=token, basic=basic)[0] == 0
    assert pull.head_sha == git("-C", here, "rev-parse", "HEAD")[1].strip()
    assert github.events[-1]["action"] == "synchronize"
    shop.protect("main")
    code, said = git("-C", here, "push", "--quiet", "origin", "HEAD:main", token=token, basic=basic)
    assert code != 0
    assert "Protected branch update failed for refs/heads/main" in said


def test_git_asks_who_is_there(github: FakeGitHub, shop: Repository, tmp_path: Path) -> None:
    assert git("ls-remote", shop.clone_url)[0] != 0
    assert git("ls-remote", shop.clone_url, token="ghs_wrong")[0] != 0
    assert git("ls-remote", shop.clone_url, token=github.tokens.read_only.value)[0] == 0
    github.private_git = False
    assert git("ls-remote", shop.clone_url)[0] == 0
    here = str(tmp_path / "clone")
    assert git("clone", "--quiet", shop.clone_url, here)[0] == 0
    code, said = git("-C", here, "push", "origin", "HEAD:other", token=github.tokens.read_only.value)
    assert code != 0
    assert "403" in said


def test_a_push_may_be_taken_and_its_answer_lost(github: FakeGitHub, shop: Repository, tmp_path: Path) -> None:
    token, here = github.tokens.actions.value, str(tmp_path / "clone")
    assert git("clone", "--quiet", shop.clone_url, here, token=token)[0] == 0
    assert git("-C", here, "commit", "--quiet", "--allow-empty", "--message", "more")[0] == 0
    made = git("-C", here, "rev-parse", "HEAD")[1].strip()
    github.faults.add("POST", "*/git-receive-pack", faults.server_error(after_write=True))
    assert git("-C", here, "push", "--quiet", "origin", "HEAD:main", token=token)[0] != 0
    assert shop.head() == made
    github.faults.add("POST", "*/git-receive-pack", faults.server_error())
    assert git("-C", here, "push", "--quiet", "origin", "HEAD:other", token=token)[0] != 0
    assert "refs/heads/other" not in shop.git.refs()


def test_rules_refuse_pushes_in_githubs_words(github: FakeGitHub, shop: Repository, tmp_path: Path) -> None:
    token, here = github.tokens.actions.value, str(tmp_path / "clone")
    assert git("clone", "--quiet", shop.clone_url, here, token=token)[0] == 0
    assert git("-C", here, "commit", "--quiet", "--allow-empty", "--message", "more")[0] == 0
    shop.sign_only("main")
    code, said = git("-C", here, "push", "--quiet", "origin", "HEAD:main", token=token)
    assert (code != 0, "Commits must have verified signatures" in said) == (True, True)
