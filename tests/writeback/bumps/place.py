"""Repositories to bump in, made in memory, and the real renderer where a test asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gitops_bot.cli.workspace import Wanted, open_workspace
from gitops_bot.doors.git import Repository
from gitops_bot.model.settings import Settings
from gitops_bot.model.tree import Tree
from gitops_bot.model.writeback import Head, Proposal
from gitops_bot.render.settings import read_settings
from gitops_bot.writeback.bumps.bump import BumpDoors, Nothing, bump
from gitops_bot.writeback.bumps.request import BumpRequest, Item
from gitops_bot.writeback.shadow import Renderer

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "churn-mlops"
FULL = ROOT / "tests" / "fixtures" / "full-application"
NOW = datetime(2026, 8, 20, 12, 0, tzinfo=UTC)
API = "ghcr.io/acme/churn-api"
VALUES = "k8s/helm/churn-mlops/values-{}.yaml"
URL = "https://github.com/acme/churn-mlops-prod"
DATA = "sha256:" + "ab" * 32


def files_below(root: Path) -> dict[str, str | bytes]:
    """Every file below a directory."""
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()
            and "__pycache__" not in path.parts}  # fmt: skip


def head_of(tree: Tree) -> Head:
    return Head(branch="main", commit="c" * 40, tree=tree)


def doors(**given: Any) -> BumpDoors:
    """Doors that know nothing, but for what is given."""
    known: dict[str, Any] = {"now": NOW, "past": lambda: (), "ancestor": lambda _old, _new: None, **given}
    return BumpDoors(**known)


def bumped(
    tree: Tree, *items: Item, policy: Settings | None = None, given: BumpDoors | None = None, **request: Any
) -> Proposal | Nothing:
    """Bump on a tree, by its own settings unless others are given."""
    asked = BumpRequest(items=items, **request)
    return bump(head_of(tree), asked, policy or read_settings(tree), given or doors())


def content(proposal: Proposal | Nothing) -> Mapping[str, str]:
    """Path → text of what is proposed."""
    assert isinstance(proposal, Proposal)
    return {change.path: (change.content or b"").decode() for change in proposal.files}


@contextmanager
def rendering(path: Path) -> Iterator[tuple[Tree, Renderer]]:
    """The tree of a repository's HEAD, and the real way to render it and what it becomes."""
    with Repository(str(path)) as repository:
        commit = repository.commit("HEAD")
        tree = repository.tree(commit)
        with open_workspace(repository, tree, Wanted(no_cache=True, repo_urls=(URL,))) as workspace:
            shop = workspace.workshop
            yield tree, Renderer(lambda each: workspace.discover(each, commit), shop.key, shop.render)


Made = Callable[..., Any]
