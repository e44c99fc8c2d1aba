"""``gitops-bot hold``: list, add and release versions that no bump or promotion brings back."""

from __future__ import annotations

import os
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Literal

import click

from gitops_bot.cli import options

Mode = Literal["auto", "api", "push", "pull-request"]
_REPOSITORY = click.option(
    "--repository", default="", metavar="OWNER/NAME", help="Where the configuration lives, if not here."
)
_BRANCH = click.option("--branch", default="", metavar="NAME", help="Whose holds.  [default: the environment's]")
_MODE = click.option(
    "--mode", type=click.Choice(["auto", "api", "push", "pull-request"]), help="[default: commit.mode]"
)
_DRY_RUN = click.option("--dry-run", is_flag=True, help="Print the change and write nothing.")
_NO_COMMIT = click.option("--no-commit", is_flag=True, help="Only edit the working tree.")
_WHAT = click.option("--what", required=True, metavar="NAME", help="Image without tag, model, or FILE#PATH.")


@click.group("hold")
def command() -> None:
    """List, add or release versions that must not come back.

    They live in .gitops-bot/holds.yaml of the branch where an environment's files lie; bumps, promotions and rollbacks
    refuse to write a version that is held there.
    """


@command.command("list")
@options.repository
@click.option("--environment", metavar="NAME", help="Only those that count there.")
@_REPOSITORY
@_BRANCH
def list_(*, repo: str, repo_urls: tuple[str, ...], environment: str | None, repository: str, branch: str) -> int:
    """Print the holds of the working tree; with --repository or --branch those at GitHub."""
    from gitops_bot.cli.workspace import Wanted
    from gitops_bot.cli.writing import branch_of, find_target, open_place
    from gitops_bot.doors.git import Repository
    from gitops_bot.text.escape import visible
    from gitops_bot.writeback.holds import is_active, read_holds

    with ExitStack() as stack:
        if repository or branch:
            wanted = Wanted(repo_urls=repo_urls)
            target = find_target(repo, repository, os.environ)
            place = stack.enter_context(open_place(target, repo, os.environ, wanted))
            tree = place.clone.head(branch or branch_of(place, environment)).tree
        else:
            tree = stack.enter_context(Repository(repo)).working_tree()
        holds = [each for each in read_holds(tree) if environment is None or each.environment in (None, environment)]
    now = datetime.now(UTC)
    for hold in holds:
        click.echo(visible(hold.told) + ("" if is_active(hold, now) else " (over)"))
    if not holds:
        click.echo("nothing is held" + (f" in {environment}" if environment else ""))
    return 0


@command.command("add")
@options.repository
@_WHAT
@click.option("--version", required=True, metavar="VERSION", help="Tag, digest or model version; * for all.")
@click.option("--why", required=True, metavar="TEXT", help="The reason.")
@click.option("--until", metavar="TIME", help="When it ends: 2026-12-01 or an RFC 3339 time.")
@click.option("--environment", metavar="NAME", help="Only there.  [default: wherever the branch's files go]")
@click.option("--by", metavar="NAME", help="Who asks.  [default: the workflow's actor, else you]")
@_REPOSITORY
@_BRANCH
@_MODE
@_DRY_RUN
@_NO_COMMIT
def add(
    *,
    repo: str,
    repo_urls: tuple[str, ...],
    what: str,
    version: str,
    why: str,
    until: str | None,
    environment: str | None,
    by: str | None,
    repository: str,
    branch: str,
    mode: Mode | None,
    dry_run: bool,
    no_commit: bool,
) -> int:
    """Hold a version: bumps and promotions leave it alone until it is released."""
    from gitops_bot.cli.holding import adding, hold_here, hold_there
    from gitops_bot.cli.who import who
    from gitops_bot.cli.writing import only_here
    from gitops_bot.writeback.holds import Hold

    made = Hold(what=what, version=version, why=why, by=by or who(os.environ), until=until, environment=environment)
    if no_commit or only_here(os.environ, repository, branch, dry_run=dry_run):
        return hold_here(repo, adding(made), environment, dry_run=dry_run)
    return hold_there(repo, repo_urls, repository, branch, mode, adding(made), environment, dry_run=dry_run)


@command.command("release")
@options.repository
@_WHAT
@click.option("--version", metavar="VERSION", help="[default: every version of it]")
@click.option("--environment", metavar="NAME", help="Only there.  [default: wherever it is held]")
@click.option("--by", metavar="NAME", help="Who asks.  [default: the workflow's actor, else you]")
@_REPOSITORY
@_BRANCH
@_MODE
@_DRY_RUN
@_NO_COMMIT
def release(
    *,
    repo: str,
    repo_urls: tuple[str, ...],
    what: str,
    version: str | None,
    environment: str | None,
    by: str | None,
    repository: str,
    branch: str,
    mode: Mode | None,
    dry_run: bool,
    no_commit: bool,
) -> int:
    """Release a held version: it may be written again."""
    from gitops_bot.cli.holding import hold_here, hold_there, releasing
    from gitops_bot.cli.who import who
    from gitops_bot.cli.writing import only_here

    change = releasing(what, version, environment, by or who(os.environ))
    if no_commit or only_here(os.environ, repository, branch, dry_run=dry_run):
        return hold_here(repo, change, environment, dry_run=dry_run)
    return hold_there(repo, repo_urls, repository, branch, mode, change, environment, dry_run=dry_run)
