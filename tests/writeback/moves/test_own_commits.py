"""Which commits are passed over by the gates because they only write down what this program was asked for."""

from __future__ import annotations

import pytest

from gitops_bot.model.github import CommitInfo
from gitops_bot.model.settings import Environment, ImageRule, ImageWrite, Settings
from gitops_bot.writeback.moves.own_commits import is_own, only_values

OURS = "chore: update image tag\n\nGitops-Bot-Topic: bump/staging/api"
RULES = Settings(
    images=(
        ImageRule(
            repository="ghcr.io/acme/api",
            write=(
                ImageWrite(file="apps/{environment}.yaml", path="image.tag"),
                ImageWrite(file="apps/shared.yaml", path="image.tag"),
            ),
        ),
    )
)


@pytest.mark.parametrize(
    ("login", "message", "paths", "own"),
    [
        (True, OURS, ("apps/staging.yaml",), True),
        (True, OURS, ("apps/staging.yaml", "apps/production.yaml", ".gitops-bot/holds.yaml"), True),
        (True, OURS, ("apps/shared.yaml",), True),
        (True, OURS, (), True),
        # a formatter and a generator with the same token
        (True, "style: format", ("apps/staging.yaml",), False),
        (True, OURS, ("apps/staging.yaml", "apps/templates/deployment.yaml"), False),
        (True, OURS, (".gitops-bot.yaml",), False),
        (True, OURS, ("apps/staging.yaml", ".github/workflows/ci.yml"), False),
        (True, OURS, ("apps/other.yaml", "apps/staging.yaml"), False),  # a rename: its old name is one of them
        (True, OURS, None, False),  # more files than one answer holds
        (True, "chore: x\n\nGitops-Bot-Topic: bump\n\nand more", ("apps/staging.yaml",), False),
        # somebody else's, or without a signature
        (False, OURS, ("apps/staging.yaml",), False),
    ],
)
def test_a_commit_is_ours_by_login_message_and_what_it_changes(
    login: bool, message: str, paths: tuple[str, ...] | None, own: bool
) -> None:
    assert is_own(RULES, CommitInfo(sha="a" * 40, message=message, own_login=login, paths=paths)) is own


@pytest.mark.parametrize(
    ("path", "only"),
    [
        ("apps/staging/values.yaml", True),
        ("apps/qa.yml", True),
        ("apps/base/values.yaml", False),
        ("chart/templates/staging.yaml", False),
        ("argocd/staging/api.yaml", False),
        (".github/workflows/staging.yaml", False),
        ("apps/staging/build.sh", False),
    ],
)
def test_without_rules_the_environments_names_tell(path: str, only: bool) -> None:
    settings = Settings(
        environments={
            "staging": Environment(branch="main", applications="argocd/staging"),
            "qa": Environment(branch="qa"),
        }
    )
    assert only_values(settings, [path]) is only
