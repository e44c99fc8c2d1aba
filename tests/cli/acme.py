"""The example on the fake GitHub with a checkout of it, for the commands that write: called as people call them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from gitops_bot.cli.main import run
from tests.actions.churn import Churn, churn
from tests.cli.test_diff import Ran
from tests.github.fake import FakeGitHub
from tests.github.state import Pull

API = "ghcr.io/acme/churn-api"
STAGING = "k8s/helm/churn-mlops/values-staging.yaml"
PRODUCTION = "k8s/helm/churn-mlops/values-production.yaml"


class Acme:
    """The company's repository, and what people and machines do around it."""

    def __init__(self, github: FakeGitHub, example: Churn, checkout: Path, call: Callable[..., Ran]) -> None:
        self.github = github
        self.example = example
        self.repository = example.repository
        self.checkout = checkout
        self._call = call

    def __call__(self, command: str, *arguments: str) -> Ran:
        """Run a command in the checkout."""
        return self._call(*command.split(), "--repo", str(self.checkout), *arguments)

    def read(self, path: str = PRODUCTION, revision: str = "main") -> str:
        return str(self.repository.git.run("show", f"{revision}:{path}")) + "\n"

    def message(self, revision: str = "main") -> str:
        return str(self.repository.git.run("log", "-1", "--format=%B", revision))

    def tags(self) -> dict[str, str]:
        """Name → commit."""
        refs = self.repository.git.refs("refs/tags/")
        return {name.removeprefix("refs/tags/"): sha for name, sha in refs.items()}

    def pulls(self, state: str = "open") -> list[Pull]:
        """Pull requests but for the example's own."""
        found = [one for one in self.repository.pulls.values() if one.number != self.example.pull.number]
        return [one for one in found if one.state == state]

    def api(self, method: str, path: str, body: Any = None) -> Any:
        """What somebody with a token of their own does; GitHub's answer."""
        answer = requests.request(
            method, f"{self.github.url}/repos/{self.repository.full_name}{path}", json=body, timeout=20,
            headers={"Authorization": f"Bearer {self.github.tokens.app.value}"},
        )  # fmt: skip
        assert answer.ok, answer.text
        return answer.json()

    def merge(self, pull: Pull) -> str:
        """Merge as a person does by the button; the merge commit."""
        return str(self.api("PUT", f"/pulls/{pull.number}/merge", {})["sha"])

    def ci(self, commit: str, state: str = "success") -> None:
        """Report what CI found."""
        self.api("POST", f"/statuses/{commit}", {"state": state, "context": "ci"})

    def agent(self, commit: str, *states: str, environment: str = "staging") -> int:
        """Report a deployment as the agent does."""
        asked = {
            "ref": commit, "environment": environment, "task": "gitops-bot", "auto_merge": False,
            "required_contexts": [],
        }  # fmt: skip
        number = int(self.api("POST", "/deployments", asked)["id"])
        for state in states:
            self.api("POST", f"/deployments/{number}/statuses", {"state": state, "auto_inactive": False})
        return number

    def settings(self, before: str, after: str, branch: str = "main") -> None:
        """Change the settings on a branch."""
        text = self.read(".gitops-bot.yaml", branch)
        assert text.count(before) == 1
        self.repository.commit({".gitops-bot.yaml": text.replace(before, after)}, branch, "chore: settings")

    def without_gates(self) -> None:
        self.settings("    gates: {statuses: [ci], healthy: true, soak: 30m}\n", "")


@pytest.fixture
def acme(
    github: FakeGitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], helm: str
) -> Acme:
    example = churn(github)
    checkout = tmp_path / "checkout"
    subprocess.run(["git", "clone", "-q", example.repository.path, checkout], check=True)
    for name, value in {
        "GITHUB_SERVER_URL": github.server_url, "GITHUB_API_URL": github.url,
        "GITHUB_REPOSITORY": example.repository.full_name, "GITHUB_TOKEN": github.tokens.app.value,
        "GITHUB_ACTOR": "ada",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)

    def call(*arguments: str) -> Ran:
        code = run(list(arguments))
        said = capfd.readouterr()
        assert "Traceback" not in said.err
        return Ran(code, said.out, said.err)

    return Acme(github, example, checkout, call)
