"""``gitops-bot promote``: bring to one environment what another has proved."""

from __future__ import annotations

import os
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

import click

from gitops_bot.cli import options

if TYPE_CHECKING:
    from gitops_bot.cli.evidence import Evidence
    from gitops_bot.cli.promoting import Asked, Promoted
    from gitops_bot.cli.writing import Place


@click.command("promote")
@options.repository
@click.option("--to", "target", required=True, metavar="NAME", help="The environment that gets it.")
@click.option("--from", "source", default="", metavar="NAME", help="The one that has it.  [default: the settings']")
@click.option("--level", type=click.Choice(["patch", "minor", "major"]), help="Which number of the tag is raised.")
@click.option("--allow-downgrade", is_flag=True, help="Promote also something older than what the target has.")
@click.option("--after-merge", is_flag=True, help="Tag the merge of the promotion, when its gates hold.")
@click.option("--repository", default="", metavar="OWNER/NAME", help="Where the configuration lives, if not here.")
@click.option("--dry-run", is_flag=True, help="Print the change and write nothing.")
@click.option("--no-commit", is_flag=True, help="Only edit the working tree; no gate is asked.")
@click.option("--offline", is_flag=True, help="Fetch no charts for looking at the effect.")
def command(
    *,
    repo: str,
    repo_urls: tuple[str, ...],
    target: str,
    source: str,
    level: Literal["patch", "minor", "major"] | None,
    allow_downgrade: bool,
    after_merge: bool,
    repository: str,
    dry_run: bool,
    no_commit: bool,
    offline: bool,
) -> int:
    """Bring to one environment what another has proved.

    A pull request with the gates as its check, never a push; --after-merge makes the tag for an environment that
    follows tags. Exits with 0 when it is proposed, tagged or there already, 2 for wrong options, 6 when GitHub refuses,
    8 when a hold, a gate of a tag, a protected environment or the files stand against it.
    """
    from gitops_bot.cli.promoting import Asked
    from gitops_bot.cli.workspace import Wanted
    from gitops_bot.cli.writing import find_target, only_here, open_place
    from gitops_bot.errors import UsageError

    if after_merge and (no_commit or dry_run):
        raise UsageError("--after-merge makes a tag and edits nothing", hint="leave out --dry-run and --no-commit")
    asked = Asked(target, source, level, os.environ.get("GITHUB_ACTOR", ""), allow_downgrade)
    wanted = Wanted(repo_urls=repo_urls, offline=offline)
    if no_commit or only_here(os.environ, repository, dry_run=dry_run):
        _edit_here(repo, asked, dry_run=dry_run)
        return 0
    from gitops_bot.cli.evidence import Evidence
    from gitops_bot.cli.promoting import promote_there, tag_merged_promotion

    with open_place(find_target(repo, repository, os.environ), repo, os.environ, wanted) as place:
        evidence = Evidence(place, datetime.now(UTC))
        if dry_run:
            _show(place, evidence, asked)
        else:
            _tell(
                tag_merged_promotion(place, evidence, asked) if after_merge else promote_there(place, evidence, asked)
            )
    return 0


def _show(place: Place, evidence: Evidence, asked: Asked) -> None:
    """Print what would be proposed: its title, its gates, and the change."""
    from gitops_bot.cli.promoting import Promoter
    from gitops_bot.cli.told import print_change, print_gates
    from gitops_bot.writeback.moves.promote import Nothing

    promoter = Promoter(place, evidence, asked, diff=False)
    head = place.clone.head(promoter.way.base)
    found = promoter.make(head)
    if isinstance(found, Nothing):
        click.echo(f"nothing to promote: {found.reason}")
        return
    if found.proposal is not None:
        print_change(head, found.proposal)
    else:
        click.echo(found.title)
    if found.kind == "branch":
        click.echo(f"a pull request would merge {promoter.way.head} into {promoter.way.base}")
    elif found.kind == "tag" and found.tag is not None:
        click.echo(f"the tag {found.tag.name} would be made of {found.commit[:8]}")
    print_gates(found.gates)


def _tell(done: Promoted) -> None:
    from gitops_bot.cli.told import print_gates, say_landed

    target = done.way.target
    if done.kind == "nothing":
        click.echo(f"nothing to promote: {done.reason or f'{target} has it, or it was turned down'}")
    elif done.kind == "tag":
        click.echo(f"tagged {done.tag}: {target} follows it")
    say_landed(done.landed, done.way.base)
    if done.kind == "pull-request" and done.tag:
        click.echo(f"  after the merge `gitops-bot promote --to {target} --after-merge` makes the tag {done.tag}")
    for note in done.notes:
        click.echo(f"  {note}")
    print_gates(done.gates)


def _edit_here(repo: str, asked: Asked, *, dry_run: bool) -> None:
    """Copy the values in the working tree, or print what would be copied."""
    from gitops_bot.cli.told import print_change, write_here
    from gitops_bot.doors.git import Repository
    from gitops_bot.errors import UsageError
    from gitops_bot.model.writeback import Head
    from gitops_bot.render.settings import read_settings
    from gitops_bot.writeback.moves.promote import Nothing, Scene, promote, route
    from gitops_bot.writeback.moves.versions import newest_release

    with ExitStack() as stack:
        repository = stack.enter_context(Repository(repo))
        here = repository.working_tree()
        settings = read_settings(here)
        way = route(settings, asked.target, asked.source, asked.level)
        if way.kind == "branch":
            raise UsageError(
                f"{way.target} gets what {way.source} has by merging {way.head} into {way.base}",
                hint="there is nothing to edit here: set GITHUB_TOKEN and leave out --no-commit",
            )
        tags = repository.tags()
        source, commit = here, ""
        if way.source_tag:
            release = newest_release(tags, way.source_tag)
            commit = release.commit if release else way.source_tag
            source = repository.tree(repository.commit(commit))
        elif way.head != way.base:
            commit = repository.commit(way.head)
            source = repository.tree(commit)
        head = Head(branch=way.base, commit=commit, tree=here)
        scene = Scene(source=source, source_commit=commit, now=datetime.now(UTC), tags=tags, by=asked.by,
                      allow_downgrade=asked.allow_downgrade)  # fmt: skip
        found = promote(settings, way, head, scene)
        if isinstance(found, Nothing):
            click.echo(f"nothing to copy: {found.reason}")
        elif found.proposal is None:
            click.echo(f"nothing to copy: {way.target} has the values of {way.source} already")
        elif dry_run:
            print_change(head, found.proposal)
        else:
            assert repository.root is not None
            write_here(repository.root, head, found.proposal)
