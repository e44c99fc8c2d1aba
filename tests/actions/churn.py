"""The example repository on the fake GitHub, with the pull request of the demo."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import requests

from tests.github.fake import FakeGitHub
from tests.github.state import Pull, Repository

ROOT = Path(__file__).parent.parent.parent
BRANCH = "careful-churn"
_FOLDER = tempfile.TemporaryDirectory(prefix="gitops-bot-tests-")
"""Removed when the run ends."""


class Churn(NamedTuple):
    """What a test needs of it."""

    repository: Repository
    pull: Pull
    event: dict[str, Any]
    """The payload of `pull_request` when it was opened."""


@cache
def built() -> Path:
    """The repository of the demo, made once in a run, for it is the same each time. Only read it."""
    made = Path(_FOLDER.name) / "churn"
    code = f"import sys; sys.path.insert(0, {str(ROOT / 'examples')!r}); import demo, pathlib; demo.build(pathlib.Path({str(made)!r}))"
    subprocess.run([sys.executable, "-c", code], check=True)
    return made


def churn(github: FakeGitHub, *, name: str = "acme/churn-mlops-prod", fork: str = "") -> Churn:
    """Put the example and its history on the fake, and open the pull request; from the fork of a login if named."""
    made = built()
    repository = github.repository(name)
    subprocess.run(
        ["git", "-C", made, "push", "-q", "--force", repository.path, "main", "develop", "v1.0.0"], check=True
    )
    repository.refresh()
    if fork:
        pull = github.open_pull(repository, BRANCH, from_fork=fork, files={"placeholder": "x\n"})
        source = github.state.repositories[f"{fork}/{repository.name}".lower()]
        subprocess.run(["git", "-C", made, "push", "-q", "--force", source.path, BRANCH], check=True)
        source.refresh()
        repository.refresh()
    else:
        subprocess.run(["git", "-C", made, "push", "-q", repository.path, BRANCH], check=True)
        repository.refresh()
        pull = github.open_pull(repository, BRANCH)
    return Churn(repository, pull, event(github, repository, pull))


def event(github: FakeGitHub, repository: Repository, pull: Pull, action: str = "opened") -> dict[str, Any]:
    """The payload of `pull_request`, made of what the API says."""
    headers = {"Authorization": f"Bearer {github.tokens.actions.value}"}

    def get(path: str) -> Any:
        answer = requests.get(f"{github.url}/repos/{repository.full_name}{path}", headers=headers, timeout=20)
        assert answer.status_code == 200, answer.text
        return answer.json()

    about = get(f"/pulls/{pull.number}")
    return {
        "action": action,
        "number": pull.number,
        "pull_request": about,
        "repository": get(""),
        "sender": about["user"],
    }


def checkout(repository: Repository, workspace: Path, ref: str, depth: int = 1) -> None:
    """What actions/checkout does: one commit, detached; with ``depth`` 0 everything, and the origin's branches."""
    subprocess.run(["git", "init", "-q", workspace], check=True)
    deep = [f"--depth={depth}"] if depth else []
    url = f"file://{repository.path}"
    branches = [] if depth else ["+refs/heads/*:refs/remotes/origin/*"]
    subprocess.run(["git", "-C", workspace, "fetch", "-q", *deep, url, ref, *branches], check=True)
    subprocess.run(["git", "-C", workspace, "checkout", "-q", "--detach", "FETCH_HEAD"], check=True)
