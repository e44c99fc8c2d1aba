"""A bump in a repository that can be written to: what the command and the Action share."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from gitops_bot.doors.git import text_diff
from gitops_bot.render.settings import read_settings
from gitops_bot.text.escape import visible_lines
from gitops_bot.writeback.bumps.bump import BumpDoors, Nothing, bump
from gitops_bot.writeback.landing.land import land
from gitops_bot.writeback.outcome import Outcome

if TYPE_CHECKING:
    from gitops_bot.cli.writing import Place
    from gitops_bot.doors.credentials import Credentials
    from gitops_bot.model.writeback import Head, Mode, Proposal
    from gitops_bot.writeback.bumps.request import BumpRequest, ModelRequest

_PAST = 50
"""Commits of a branch that may tell what the last bump was made from."""


def bump_there(
    place: Place,
    request: BumpRequest,
    *,
    branch: str,
    mode: Literal["auto"] | Mode | None,
    dry_run: bool,
) -> Outcome:
    """Land what a request asks for on a branch, or only say what would land.

    ``mode`` None: as the settings of the branch say. Raises what ``bump`` and ``land`` raise.
    """
    made: dict[str, Proposal] = {}
    last: list[Proposal | Nothing] = []

    def make(head: Head) -> Proposal | None:
        doors = BumpDoors(
            now=datetime.now(UTC),
            past=lambda _file: [each.message for each in place.clone.log(head.branch, _PAST)],
            ancestor=place.ancestor,
            renderer=place.renderer(head.tree, head.commit),
        )
        found = bump(head, request, read_settings(head.tree), doors)
        last[:] = [found]
        if isinstance(found, Nothing):
            return None
        made[head.commit] = found
        return found

    name = place.target.name
    if dry_run:
        head = place.clone.head(branch)
        proposal = make(head)
        diff = diff_of(head, proposal) if proposal is not None else ""
        return Outcome(repository=name, branch=branch, proposal=proposal, nothing=_nothing(last), diff=diff)
    how = mode or read_settings(place.clone.head(branch).tree).commit.mode
    landed = land(make, branch=branch, mode=how, doors=place.landing)
    if landed.mode == "nothing":
        return Outcome(repository=name, branch=branch, landed=landed, nothing=_nothing(last))
    # For a pull request that is open already, a proposal is also made from its own branch; that one is not told.
    proposal = made.get(place.clone.tip(branch)) if len(made) > 1 else None
    return Outcome(
        repository=name, branch=branch, landed=landed, proposal=proposal or next(reversed(made.values()), None)
    )


def registered(server: str, model: str, alias: str, logins: Credentials) -> ModelRequest:
    """The version that an alias means now on an MLflow server, as a model to write.

    Raises UsageError, FetchError and MlflowError.
    """
    from gitops_bot.doors.http import Client
    from gitops_bot.doors.mlflow import Mlflow
    from gitops_bot.writeback.bumps.models import from_registry

    client = Client(logins)
    try:
        return from_registry(Mlflow(server, client).by_alias(model, alias), name=model)
    finally:
        client.close()


def diff_of(head: Head, proposal: Proposal) -> str:
    """A proposal's change as a unified diff, with what is not seen drawn."""
    lines: list[str] = []
    for file in proposal.files:
        there = file.path in head.tree
        before = head.tree.read(file.path) if there else b""
        shown = text_diff(*(each.decode("utf-8", "replace") for each in (before, file.content or b"")))
        lines += [f"--- {file.path if there else '/dev/null'}", f"+++ {file.path}", *visible_lines(shown)]
    return "\n".join(lines)


def _nothing(last: list[Proposal | Nothing]) -> Nothing | None:
    return next((each for each in last if isinstance(each, Nothing)), None)
