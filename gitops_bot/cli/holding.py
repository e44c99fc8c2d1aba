"""A change of the holds, in the working tree or at GitHub."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal, NamedTuple

import click

from gitops_bot.cli.held import closed_by_holds
from gitops_bot.cli.told import print_change, say_landed, say_notes, write_here
from gitops_bot.cli.workspace import Wanted
from gitops_bot.cli.writing import Place, branch_of, find_target, open_place
from gitops_bot.doors.git import Repository
from gitops_bot.errors import UsageError
from gitops_bot.model.image import reference
from gitops_bot.model.writeback import FileChange, Head, Landed, Mode, Proposal
from gitops_bot.render.settings import read_settings
from gitops_bot.text.escape import fence, visible
from gitops_bot.writeback.environments import known
from gitops_bot.writeback.holds import FILE, Hold, add_hold, read_holds, release_hold
from gitops_bot.writeback.landing.land import land

Make = Callable[[Head], Proposal | None]
"""None: the holds say it already."""
After = Callable[[Place, str, Landed], list[str]]
"""What is done on a branch after a change of its holds has landed somehow; notes for people."""


class Change(NamedTuple):
    """A change of the holds of a branch or of the working tree."""

    make: Make
    after: After
    nothing: str
    """What is said where nothing is to be changed."""


def adding(hold: Hold) -> Change:
    """Adds a hold. Making it raises UsageError for a hold, or a file, that cannot be."""

    def make(head: Head) -> Proposal | None:
        settings = read_settings(head.tree)
        if hold.environment is not None:
            known(settings, hold.environment)
        image = reference(hold.what)
        if image is not None and hold.what not in [rule.name for rule in settings.models]:
            raise UsageError(
                f"{hold.what} has a version in it, so nothing would ever be held by that name",
                hint=f"give --what {image.repository} and --version {image.tag or image.digest}",
            )
        data = _data(head)
        return _proposal(
            head,
            add_hold(data, hold),
            f"hold {_named(hold)}",
            [hold.told],
            _topic("hold", hold.what, hold.version, hold.environment),
        )

    return Change(make, closing, "nothing to change: the holds say it already")


def releasing(what: str, version: str | None, environment: str | None, by: str) -> Change:
    """Releases what fits. Making it raises UsageError for a file that cannot be read."""

    def make(head: Head) -> Proposal | None:
        data = _data(head)
        if data is None:
            return None
        after, gone = release_hold(data, what, version, environment=environment)
        names = ", ".join(dict.fromkeys(map(_named, gone)))
        lines = [f"{_named(hold)} is released by {by}; {hold.by} had held it: {hold.why}" for hold in gone]
        return _proposal(head, after, f"release {names}", lines, _topic("release", what, version, environment))

    named = f"{what} {version}" if version else what
    where = f" in {environment}" if environment else ""
    nothing = f"nothing to release: {named} is not held{where}; `gitops-bot hold list` shows what is"
    return Change(make, reopening, visible(nothing))


def _data(head: Head) -> bytes | None:
    read_holds(head.tree)  # it says what is wrong with the file
    return head.tree.read(FILE) if FILE in head.tree else None


def _named(hold: Hold) -> str:
    return f"{hold.what} {hold.version}"


def _topic(doing: str, what: str, version: str | None, environment: str | None) -> str:
    """One for each hold: two of one image must not replace each other while both are proposed."""
    return f"{doing}/{what}:{version or '*'}@{environment or '*'}"


def _proposal(head: Head, after: bytes, doing: str, lines: list[str], topic: str) -> Proposal | None:
    if after == _data(head):
        return None
    entry = head.tree.entry(FILE)
    text = "\n".join(visible(" ".join(line.split())) for line in lines)
    return Proposal(
        files=(FileChange(path=FILE, content=after, mode=entry.mode if entry and entry.is_file else "100644"),),
        subject=visible(f"chore: {doing}"),
        body=f"{fence(text)}\n{text}\n{fence(text)}\n",
        message=text,
        topic=topic,
    )


def hold_here(repo: str, change: Change, environment: str | None, *, dry_run: bool) -> int:
    """Change the holds of the working tree, or print how."""
    with Repository(repo) as repository:
        tree = repository.working_tree()
        if environment is not None:
            known(read_settings(tree), environment)
        head = Head(branch="", commit="", tree=tree)
        proposal = change.make(head)
        if proposal is None:
            click.echo(change.nothing)
        elif dry_run:
            print_change(head, proposal)
        else:
            assert repository.root is not None
            write_here(repository.root, head, proposal)
    return 0


def hold_there(
    repo: str, repo_urls: tuple[str, ...], repository: str, branch: str, mode: Literal["auto"] | Mode | None,
    change: Change, environment: str | None, *, dry_run: bool,
) -> int:  # fmt: skip
    """Change the holds of a branch, or print how."""
    with open_place(find_target(repo, repository, os.environ), repo, os.environ, Wanted(repo_urls=repo_urls)) as place:
        where = branch or branch_of(place, environment)
        head = place.clone.head(where)
        proposal = change.make(head)
        if dry_run and proposal is not None:
            print_change(head, proposal)
        elif dry_run:
            click.echo(change.nothing)
        else:
            how = mode or read_settings(head.tree).commit.mode
            landed = land(change.make, branch=where, mode=how, doors=place.landing)
            if landed.mode == "nothing":
                click.echo(change.nothing)
            say_landed(landed, where)
            say_notes(change.after(place, where, landed))
    return 0


def closing(place: Place, branch: str, landed: Landed) -> list[str]:
    """After a hold: close what would bring the version back; notes for people."""
    return closed_by_holds(place, branch, landed, datetime.now(UTC), proposed=True)


def reopening(_place: Place, _branch: str, landed: Landed) -> list[str]:
    """After a release: pull requests that the hold has closed stay closed, which is said."""
    if landed.mode == "nothing":
        return []
    return ["nothing was reopened: run bump, promote or rollback again for what the hold has stopped"]
