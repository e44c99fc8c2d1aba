"""A change of the holds, in the working tree or at GitHub."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Literal

import click

from gitops_bot.cli.told import print_change, say_landed, write_here
from gitops_bot.cli.workspace import Wanted
from gitops_bot.cli.writing import branch_of, find_target, open_place
from gitops_bot.doors.git import Repository
from gitops_bot.model.writeback import FileChange, Head, Mode, Proposal
from gitops_bot.render.settings import read_settings
from gitops_bot.text.escape import visible
from gitops_bot.writeback.environments import known
from gitops_bot.writeback.holds import FILE, Hold, add_hold, read_holds, release_hold
from gitops_bot.writeback.landing.land import land

Make = Callable[[Head], Proposal | None]
"""None: the holds say it already."""


def adding(hold: Hold) -> Make:
    """Adds a hold. What it gives raises UsageError for a hold, or a file, that cannot be."""

    def make(head: Head) -> Proposal | None:
        if hold.environment is not None:
            known(read_settings(head.tree), hold.environment)
        data = _data(head)
        return _proposal(head, add_hold(data, hold), f"hold {_named(hold)}", [hold.told], hold.what)

    return make


def releasing(what: str, version: str | None, environment: str | None, by: str) -> Make:
    """Releases what fits. What it gives raises UsageError for a file that cannot be read."""

    def make(head: Head) -> Proposal | None:
        data = _data(head)
        if data is None:
            return None
        after, gone = release_hold(data, what, version, environment=environment)
        names = ", ".join(dict.fromkeys(map(_named, gone)))
        lines = [f"released by {by}: {hold.told}" for hold in gone]
        return _proposal(head, after, f"release {names}", lines, what)

    return make


def _data(head: Head) -> bytes | None:
    read_holds(head.tree)  # it says what is wrong with the file
    return head.tree.read(FILE) if FILE in head.tree else None


def _named(hold: Hold) -> str:
    return f"{hold.what} {hold.version}"


def _proposal(head: Head, after: bytes, doing: str, lines: list[str], what: str) -> Proposal | None:
    if after == _data(head):
        return None
    entry = head.tree.entry(FILE)
    text = "\n".join(visible(" ".join(line.split())) for line in lines)
    return Proposal(
        files=(FileChange(path=FILE, content=after, mode=entry.mode if entry and entry.is_file else "100644"),),
        subject=visible(f"chore: {doing}"),
        body=f"```\n{text.replace('```', '')}\n```\n",
        message=text,
        topic=f"hold/{what}",
    )


def hold_here(repo: str, make: Make, environment: str | None, *, dry_run: bool) -> int:
    """Change the holds of the working tree, or print how."""
    with Repository(repo) as repository:
        tree = repository.working_tree()
        if environment is not None:
            known(read_settings(tree), environment)
        head = Head(branch="", commit="", tree=tree)
        proposal = make(head)
        if proposal is None:
            click.echo("nothing to change: the holds say it already")
        elif dry_run:
            print_change(head, proposal)
        else:
            assert repository.root is not None
            write_here(repository.root, head, proposal)
    return 0


def hold_there(
    repo: str, repo_urls: tuple[str, ...], repository: str, branch: str, mode: Literal["auto"] | Mode | None,
    make: Make, environment: str | None, *, dry_run: bool,
) -> int:  # fmt: skip
    """Change the holds of a branch, or print how."""
    with open_place(find_target(repo, repository, os.environ), repo, os.environ, Wanted(repo_urls=repo_urls)) as place:
        where = branch or branch_of(place, environment)
        head = place.clone.head(where)
        if dry_run:
            proposal = make(head)
            if proposal is not None:
                print_change(head, proposal)
                return 0
            click.echo("nothing to change: the holds say it already")
            return 0
        how = mode or read_settings(head.tree).commit.mode
        landed = land(make, branch=where, mode=how, doors=place.landing)
        if landed.mode == "nothing":
            click.echo("nothing to change: the holds say it already")
        say_landed(landed, where)
    return 0
