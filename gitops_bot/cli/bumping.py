"""A bump in a repository that can be written to: what the command and the Action share."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from gitops_bot.cli.told import diff_of
from gitops_bot.model.writeback import Proposal
from gitops_bot.render.settings import read_settings
from gitops_bot.writeback.bumps.bump import BumpDoors, Nothing, bump
from gitops_bot.writeback.bumps.bump import topic as topic_of
from gitops_bot.writeback.bumps.rules import plan
from gitops_bot.writeback.landing.changes import wanted
from gitops_bot.writeback.landing.land import land
from gitops_bot.writeback.outcome import Outcome

if TYPE_CHECKING:
    from gitops_bot.cli.writing import Place
    from gitops_bot.doors.credentials import Credentials
    from gitops_bot.model.writeback import Head, Mode
    from gitops_bot.writeback.bumps.request import BumpRequest, ModelRequest
    from gitops_bot.writeback.landing.changes import Made

_PAST = 100
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
    found: dict[str, Proposal | Nothing] = {}
    """By the commit that it was made from: the branch's, or an open pull request's."""

    def make(head: Head) -> Made:
        doors = BumpDoors(
            now=datetime.now(UTC),
            # Also what was merged: of a pull request of ours the merge itself does not say what it was made from.
            past=lambda: [each.message for each in place.clone.log(head.commit, _PAST, merged=True)],
            ancestor=place.ancestor,
            renderer=place.renderer(head.tree, head.commit),
        )
        made = found[head.commit] = bump(head, request, read_settings(head.tree), doors)
        if isinstance(made, Nothing):
            return "newer" if made.kind == "older" else None
        return made

    name, head = place.target.name, place.clone.head(branch)
    if dry_run:
        proposal = wanted(make(head))
        diff = diff_of(head, proposal) if proposal is not None else ""
        return Outcome(
            repository=name, branch=branch, proposal=proposal, nothing=_nothing(found[head.commit]), diff=diff
        )
    settings = read_settings(head.tree)
    topic = topic_of(plan(head.tree, request, settings), request.environment)
    landed = land(make, branch=branch, mode=mode or settings.commit.mode, doors=place.landing, topic=topic)
    made = found[landed.base]
    if landed.mode == "nothing":
        return Outcome(repository=name, branch=branch, landed=landed, nothing=_nothing(made))
    return Outcome(repository=name, branch=branch, landed=landed, proposal=made if isinstance(made, Proposal) else None)


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


def _nothing(made: Proposal | Nothing) -> Nothing | None:
    return made if isinstance(made, Nothing) else None
