"""``gitops-bot rollback``: undo a change of an environment in Git, and hold what was wrong."""

from __future__ import annotations

import os
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

import click

from gitops_bot.cli import options
from gitops_bot.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitops_bot.cli.past import Undo
    from gitops_bot.cli.rolling_back import RolledBack
    from gitops_bot.cli.workspace import Wanted
    from gitops_bot.model.writeback import Head
    from gitops_bot.writeback.holds import Hold
    from gitops_bot.writeback.moves.promote import Nothing
    from gitops_bot.writeback.moves.rollback import Rollback

Mode = Literal["auto", "api", "push", "pull-request"]


@click.command("rollback")
@options.repository
@click.option("--environment", required=True, metavar="NAME", help="What is rolled back.")
@click.option("--to", "revision", default="", metavar="REVISION", help="Tag, branch or commit to go back to.")
@click.option("--last-healthy", is_flag=True, help="Go back to what the agent last found healthy.")
@click.option("--why", default="", metavar="TEXT", help="The reason, for people and the hold.")
@click.option("--until", metavar="TIME", help="When the hold ends: 2026-12-01 or an RFC 3339 time.")
@click.option("--no-hold", is_flag=True, help="Hold nothing: the next bump may bring the version back.")
@click.option("--by", metavar="NAME", help="Who asks.  [default: the workflow's actor, else you]")
@click.option("--after-merge", is_flag=True, help="Tag the merge of the rollback's pull request.")
@click.option("--repository", default="", metavar="OWNER/NAME", help="Where the configuration lives, if not here.")
@click.option("--branch", default="", metavar="NAME", help="What is written to.  [default: the environment's]")
@click.option("--mode", type=click.Choice(["auto", "api", "push", "pull-request"]), help="[default: commit.mode]")
@click.option("--dry-run", is_flag=True, help="Print the change and write nothing.")
@click.option("--no-commit", is_flag=True, help="Only edit the working tree.")
@click.option("--offline", is_flag=True, help="Fetch no charts for looking at the effect.")
def command(
    *,
    repo: str,
    repo_urls: tuple[str, ...],
    environment: str,
    revision: str,
    last_healthy: bool,
    why: str,
    until: str | None,
    no_hold: bool,
    by: str | None,
    after_merge: bool,
    repository: str,
    branch: str,
    mode: Mode | None,
    dry_run: bool,
    no_commit: bool,
    offline: bool,
) -> int:
    """Undo a change of an environment, and keep it undone.

    The newest change that still stands, or everything since --to or --last-healthy, by content: lines that moved since
    do not matter. The versions that go are held. Exits with 0 when it is written, proposed or undone already, 2 for
    wrong options, 6 when GitHub refuses, 8 when it cannot be undone, would not render, or is on hold itself.
    """
    from gitops_bot.cli.evidence import Evidence
    from gitops_bot.cli.past import Undo
    from gitops_bot.cli.rolling_back import Undoer, roll_back_there, tag_merged_rollback
    from gitops_bot.cli.who import who
    from gitops_bot.cli.workspace import Wanted
    from gitops_bot.cli.writing import find_target, only_here, open_place
    from gitops_bot.writeback.moves.rollback import RollbackRequest

    if revision and last_healthy:
        raise UsageError("--to and --last-healthy are two different states", hint="give one of them")
    if after_merge and (revision or last_healthy or dry_run or no_commit):
        raise UsageError("--after-merge tags what was merged, and undoes nothing", hint="give it without the others")
    if no_commit and last_healthy:
        raise UsageError("the agent's word is at GitHub", hint="leave out --no-commit, or name the state with --to")
    ask = RollbackRequest(environment=environment, by=by or who(os.environ), why=why, until=until, hold=not no_hold)
    undo = Undo(ask, revision, last_healthy, branch)
    wanted = Wanted(repo_urls=repo_urls, offline=offline)
    if no_commit or only_here(os.environ, repository, branch, "healthy" if last_healthy else "", dry_run=dry_run):
        _edit_here(repo, undo, wanted, dry_run=dry_run)
        return 0
    with open_place(find_target(repo, repository, os.environ), repo, os.environ, wanted) as place:
        evidence = Evidence(place, datetime.now(UTC))
        if after_merge:
            _tell(tag_merged_rollback(place, evidence, undo), environment)
        elif dry_run:
            undoer = Undoer(place, evidence, undo, diff=False)
            head = place.clone.head(undoer.branch)
            _show(head, undoer.make(head))
        else:
            _tell(roll_back_there(place, evidence, undo, mode), environment)
    return 0


def _show(head: Head, found: Rollback | Nothing) -> None:
    """What would be written, or why nothing would."""
    from gitops_bot.cli.told import print_change
    from gitops_bot.writeback.moves.rollback import Rollback

    if isinstance(found, Rollback):
        print_change(head, found.proposal)
    else:
        _say_nothing(found.reason)


def _say_nothing(reason: str) -> None:
    from gitops_bot.text.escape import visible

    click.echo(f"nothing to roll back: {visible(reason)}")


def _tell(done: RolledBack, environment: str) -> None:
    from gitops_bot.cli.told import say_landed, say_notes

    if done.reason:
        _say_nothing(done.reason)
    say_landed(done.landed, done.branch)
    if done.tag:
        click.echo(f"tagged {done.tag}: {environment} follows it")
    elif done.landed.mode == "pull-request" and done.done is not None and done.done.tag is not None:
        again = f"gitops-bot rollback --environment {environment} --after-merge"
        click.echo(f"  after the merge `{again}` makes the tag {done.done.tag.name}")
    say_notes(done.notes)
    _say_holds(done.done.holds if done.done is not None and done.landed.mode != "nothing" else ())


def _say_holds(holds: Sequence[Hold]) -> None:
    from gitops_bot.text.escape import visible

    for hold in holds:
        click.echo(f"  {visible(hold.told)}")


def _edit_here(repo: str, undo: Undo, wanted: Wanted, *, dry_run: bool) -> None:
    """Undo the change in the working tree, or print what would be undone."""
    from gitops_bot.cli.effects import Effects
    from gitops_bot.cli.past import PastHere, choose
    from gitops_bot.cli.rolling_back import HINT
    from gitops_bot.cli.told import write_here
    from gitops_bot.cli.writing import open_renderer
    from gitops_bot.doors.git import Repository
    from gitops_bot.doors.merge import merge_text
    from gitops_bot.model.writeback import Head
    from gitops_bot.render.settings import read_settings
    from gitops_bot.writeback.environments import branch_of, known
    from gitops_bot.writeback.moves.promote import Nothing
    from gitops_bot.writeback.moves.rollback import RollbackScene, rollback

    with ExitStack() as stack:
        repository = stack.enter_context(Repository(repo))
        here = repository.working_tree()
        settings = read_settings(here)
        branch = branch_of(settings, known(settings, undo.request.environment))
        head = Head(branch=branch, commit=repository.commit("HEAD"), tree=here)
        effects = Effects(lambda tree: open_renderer(stack, repository, tree, "", wanted), hint=HINT)
        scene = RollbackScene(
            now=datetime.now(UTC), merge=merge_text, tags=repository.tags(), effect=effects.of
        )  # fmt: skip
        chosen = choose(settings, undo, head, PastHere(repository, branch), scene.now)
        found = chosen if isinstance(chosen, Nothing) else rollback(settings, undo.request, head, chosen, scene)
        if dry_run or isinstance(found, Nothing):
            _show(head, found)
        else:
            assert repository.root is not None
            write_here(repository.root, head, found.proposal)
