"""What commands that write say of what they did, or would do."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitops_bot.model.writeback import Head, Landed, Proposal
    from gitops_bot.writeback.moves.gates import Gate


def print_change(head: Head, proposal: Proposal) -> None:
    """The commit's message, what there is to know, and the diff."""
    click.echo(proposal.subject)
    click.echo(proposal.message)
    say_notes(proposal.notes)
    click.echo(diff_of(head, proposal))


def diff_of(head: Head, proposal: Proposal) -> str:
    """A proposal's change as a unified diff: what is not seen drawn, values that are or look like secrets masked."""
    from gitops_bot.doors.git import text_diff
    from gitops_bot.text.escape import visible_lines
    from gitops_bot.writeback.masked import masked

    lines: list[str] = []
    for file in proposal.files:
        entry = head.tree.entry(file.path)
        there = entry is not None and not entry.is_directory
        before = head.tree.blobs([entry.oid])[entry.oid] if entry is not None and there else b""
        sides = (each.decode("utf-8", "replace") for each in masked(before, file.content or b""))
        names = (file.path if there else "/dev/null", "/dev/null" if file.content is None else file.path)
        lines += [f"--- {names[0]}", f"+++ {names[1]}", *visible_lines(text_diff(*sides))]
    return "\n".join(lines)


def print_gates(gates: Sequence[Gate]) -> None:
    """Every gate with its state and why, one a line."""
    from gitops_bot.text.escape import visible

    for gate in gates:
        click.echo(f"  {gate.state:<8}{visible(gate.name)}: {visible(gate.reason)}")


def say_landed(landed: Landed, branch: str) -> None:
    """Where it landed, and what the user should know of that."""
    if landed.mode == "pull-request":
        click.echo(f"pull request {landed.pull}: {landed.url}")
    elif landed.mode != "nothing":
        click.echo(f"committed {landed.commit[:8]} to {branch} {landed.url}".rstrip())
    say_notes(landed.notes)


def say_notes(notes: Sequence[str]) -> None:
    """What there is to know, one a line."""
    from gitops_bot.text.escape import visible

    for note in notes:
        click.echo(f"  {visible(note)}")


def write_here(root: str, head: Head, proposal: Proposal) -> None:
    """Write a proposal's files into the working tree at ``root``. Raises EditRefused, UsageError."""
    from pathlib import Path

    import msgspec

    from gitops_bot.doors.files import write_whole
    from gitops_bot.errors import UsageError
    from gitops_bot.writeback.editor.files import changes_of, write_files

    there = tuple(file for file in proposal.files if file.path in head.tree or file.content is None)
    write_files(root, changes_of(head.tree, msgspec.structs.replace(proposal, files=there)))
    for file in proposal.files:
        if file not in there and file.content is not None:
            path = Path(root, file.path)
            if Path(os.path.realpath(path)) != Path(os.path.realpath(root), file.path) or path.exists():
                raise UsageError(
                    f"{file.path} cannot be made: something else is in its place", hint="look what is there"
                )
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                write_whole(str(path), file.content)
            except OSError as error:
                raise UsageError(f"cannot write {file.path}: {error.strerror}", hint="check its directory") from error
    say_edited(proposal)


def say_edited(proposal: Proposal) -> None:
    """What was changed in the working tree."""
    click.echo(proposal.message.strip() or proposal.subject)
    say_notes(proposal.notes)
    click.echo(f"edited {', '.join(file.path for file in proposal.files)}")
