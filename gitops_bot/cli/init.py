"""``gitops-bot init``: settings that fit a repository, and the workflows beside them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from gitops_bot.cli import options

if TYPE_CHECKING:
    from gitops_bot.doors.git import Repository
    from gitops_bot.model.tree import Tree
    from gitops_bot.writeback.survey.proposed import Facts, Proposed

WORKFLOWS: Mapping[str, tuple[str, ...]] = {
    "push": ("diff-push.yml",),
    "merge-queue": ("diff-merge-queue.yml",),
    "forks": ("diff-fork-stage-1.yml", "diff-fork-stage-2.yml"),
    "bump": ("bump.yml",),
}
"""Name for ``--with`` → workflows beside ``diff.yml``."""


@click.command("init")
@options.repository
@click.option("--with", "extra", multiple=True, type=click.Choice(list(WORKFLOWS)),
              help="Another workflow beside diff.yml; may be repeated.")  # fmt: skip
@click.option("--no-settings", is_flag=True, help="Write the workflows only.")
@click.option("--no-workflows", is_flag=True, help="Write the settings only.")
@click.option("--force", is_flag=True, help="Replace files that are there.")
@click.option("--dry-run", is_flag=True, help="Print the files and write nothing.")
def command(
    *,
    repo: str,
    repo_urls: tuple[str, ...],
    extra: tuple[str, ...],
    no_settings: bool,
    no_workflows: bool,
    force: bool,
    dry_run: bool,
) -> int:
    """Write .gitops-bot.yaml from what is found here, and the workflows.

    Looks at Applications, value files, overlays, branches and tags; renders and fetches nothing. Files that are there
    are never replaced without --force.
    """
    from gitops_bot.cli.making import make_files
    from gitops_bot.doors.git import Repository
    from gitops_bot.errors import UsageError
    from gitops_bot.render.settings import FILE
    from gitops_bot.writeback.survey.survey import propose
    from gitops_bot.writeback.survey.text import to_yaml

    if no_workflows and (no_settings or extra):
        other = "--no-settings" if no_settings else "--with"
        raise UsageError(f"--no-workflows and {other} exclude each other", hint="leave one of them out")
    files: dict[str, bytes] = {}
    notes: list[str] = []
    with Repository(repo) as repository:
        tree = repository.working_tree()
        facts = _facts(repository, repo_urls)
        if not no_settings:
            proposed = propose(tree, facts)
            files[FILE] = to_yaml(proposed)
            notes += _told(proposed)
        if not no_workflows:
            files |= _workflows(tree, extra, facts.default_branch, notes)
        assert repository.root is not None
        root = repository.root
    if dry_run:
        _print(files, root)
    else:
        make_files(root, files, force=force)
    for note in notes:
        click.echo(note, err=True)
    if not dry_run:
        click.echo("next: read what is written, then `gitops-bot doctor` and `gitops-bot apps`", err=True)
    return 0


def _facts(repository: Repository, repo_urls: tuple[str, ...]) -> Facts:
    """What Git says beside the files; the remote's default branch, else main or master, else the one checked out."""
    from gitops_bot.writeback.survey.proposed import Facts

    branches = repository.branches()
    usual = next((name for name in ("main", "master") if name in branches), "")
    forge = os.environ.get("GITHUB_REPOSITORY")
    server = os.environ.get("GITHUB_SERVER_URL", "https://github.com")
    return Facts(
        branches=branches,
        tags=tuple(tag.name for tag in repository.tags()),
        default_branch=repository.branch_of("origin/HEAD") or usual or repository.branch_of("HEAD") or "main",
        own=(*repository.remotes(), *((f"{server}/{forge}",) if forge else ()), *repo_urls),
    )


def _told(proposed: Proposed) -> list[str]:
    """What was found, one line for each kind."""
    from gitops_bot.text.escape import visible

    found = {
        "environments": [each.name for each in proposed.environments],
        "images": [each.rule.repository for each in proposed.images],
        "models": [each.rule.name for each in proposed.models],
        "other URLs of this repository": [each.url for each in proposed.repositories],
    }
    return [f"{what}: {visible(', '.join(names)) or 'none found'}" for what, names in found.items()]


def _workflows(tree: Tree, extra: tuple[str, ...], default_branch: str, notes: list[str]) -> dict[str, bytes]:
    """Path → content of the workflows that are asked for; without diff.yml where another workflow does it already."""
    from importlib import resources

    from gitops_bot.writeback.editor.scalar import write
    from gitops_bot.writeback.survey.used import diffs_by

    names = [name for key in WORKFLOWS if key in extra for name in WORKFLOWS[key]]
    there = diffs_by(tree)
    if there is None:
        names.insert(0, "diff.yml")
    else:
        notes.append(f"diff.yml is left out: {there} compares pull requests already")
    shipped = resources.files("gitops_bot.cli") / "workflows"
    branch = write(default_branch, "string", flow=True)
    return {
        f".github/workflows/{name}": (shipped / name)
        .read_bytes()
        .replace(b"branches: [main]\n", f"branches: [{branch}]\n".encode())
        for name in names
    }


def _print(files: Mapping[str, bytes], root: str) -> None:
    """The files one after the other, each below its path."""
    for path, content in files.items():
        there = "" if not os.path.lexists(os.path.join(root, path)) else " (there already)"
        click.echo(f"==> {path}{there} <==\n{content.decode()}")
